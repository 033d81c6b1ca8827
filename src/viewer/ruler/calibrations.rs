//! Calibrations by hand, kept between two windows: pictures are known by a hash, so that the file names nobody. Windows
//! that are open at once add to one file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::imaging::{PixelSpacing, Radiograph, Samples, SpacingSource};

/// Spacings by the hexadecimal [`key_of`] the picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibrations {
    pictures: BTreeMap<String, Calibration>,
    /// What was set or forgotten in this window and is not on the disk yet.
    #[serde(skip)]
    changes: BTreeMap<String, Option<Calibration>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Calibration {
    row_mm: f64,
    column_mm: f64,
}

/// Larger files are none of ours.
const MAX_BYTES: u64 = 64 << 20;

/// What a picture is known by, whatever version of this program reads it: SOP Instance UID and frame or, where the file
/// has no UID, size and samples. BLAKE3, so that a UID cannot be read from it.
pub fn key_of(radiograph: &Radiograph) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    if let Some(uid) = &radiograph.acquisition.sop_instance_uid {
        hasher.update(b"instance");
        hasher.update(&radiograph.frame.to_le_bytes());
        hasher.update(uid.as_bytes());
        return *hasher.finalize().as_bytes();
    }
    hasher.update(b"samples");
    hasher.update(&radiograph.width.to_le_bytes());
    hasher.update(&radiograph.height.to_le_bytes());
    match &radiograph.samples {
        Samples::Grey(stored) => hasher.update_rayon(bytemuck::cast_slice(&stored.values[..])),
        Samples::Wide(wide) => hasher.update_rayon(bytemuck::cast_slice(&wide.values[..])),
        Samples::Colour(pixels) => hasher.update_rayon(pixels.as_flattened()),
    };
    *hasher.finalize().as_bytes()
}

impl Calibrations {
    /// Reads what was kept; nothing if there is no such file.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
            Ok(about) if about.len() > MAX_BYTES => return Err(io::Error::other("the file is too large")),
            Ok(_) => {}
        }
        let mut read: Self = serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)?;
        let is_sound = |mm: f64| mm.is_finite() && mm > 0.0;
        read.pictures
            .retain(|_, found| is_sound(found.row_mm) && is_sound(found.column_mm));
        Ok(read)
    }

    /// Adds this window's changes to the file, which another window may have changed since it was read, and returns
    /// what is in it then, for [`Calibrations::written`].
    ///
    /// # Errors
    /// If the file cannot be read or written; it is left as it was.
    pub fn write(self, path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut lock: OsString = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = File::options().append(true).create(true).open(lock)?;
        // Unlocked when it is closed. Where a file system has no locks, the later of two writes at once counts.
        let _ = lock.lock();
        let mut merged = Self::read(path)?;
        merged.changes = self.changes;
        merged.apply_changes();
        atomic_file::write(path, &serde_json::to_vec_pretty(&merged).map_err(io::Error::other)?)?;
        Ok(merged)
    }

    /// Takes in what came of [`Calibrations::write`]; whether something was changed meanwhile and is to be written.
    pub fn written(&mut self, written: &Self) -> bool {
        self.changes.retain(|key, now| written.changes.get(key) != Some(now));
        self.pictures.clone_from(&written.pictures);
        self.apply_changes();
        !self.changes.is_empty()
    }

    fn apply_changes(&mut self) {
        for (key, change) in &self.changes {
            match change {
                Some(calibration) => drop(self.pictures.insert(key.clone(), *calibration)),
                None => drop(self.pictures.remove(key)),
            }
        }
    }

    /// The reader's spacing of a picture, by [`key_of`] it.
    pub fn of(&self, key: &[u8; 32]) -> Option<PixelSpacing> {
        let found = self.pictures.get(&hexadecimal(key))?;
        Some(PixelSpacing {
            row_mm: found.row_mm,
            column_mm: found.column_mm,
            source: SpacingSource::Ruler,
        })
    }

    /// Sets or forgets it.
    pub fn set(&mut self, key: &[u8; 32], spacing: Option<PixelSpacing>) {
        let calibration = spacing.map(|PixelSpacing { row_mm, column_mm, .. }| Calibration { row_mm, column_mm });
        self.changes.insert(hexadecimal(key), calibration);
        self.apply_changes();
    }
}

fn hexadecimal(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{self, VoiLut, VoiTransform, Window, phantom};

    fn picture(width: u32, height: u32) -> Radiograph {
        imaging::decode(Path::new("phantom.png"), &phantom::png_bytes(width, height).unwrap()).unwrap()
    }

    const SPACING: PixelSpacing = PixelSpacing {
        row_mm: 0.2,
        column_mm: 0.1,
        source: SpacingSource::Ruler,
    };

    #[test]
    fn what_was_kept_is_read_back_and_a_broken_file_is_said_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/calibrations.json");
        let mut kept = Calibrations::read(&path).unwrap();
        kept.set(&[7; 32], Some(SPACING));
        let written = kept.clone().write(&path).unwrap();
        assert!(!kept.written(&written), "nothing is left to be written");
        let mut read = Calibrations::read(&path).unwrap();
        assert_eq!(read.of(&[7; 32]), Some(SPACING));
        assert_eq!(read.of(&[8; 32]), None);
        read.set(&[7; 32], None);
        assert_eq!(read.of(&[7; 32]), None);
        fs::write(&path, b"{").unwrap();
        assert!(Calibrations::read(&path).is_err());
        assert!(read.write(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"{");
    }

    #[test]
    fn two_windows_keep_what_the_other_calibrated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calibrations.json");
        let [mut one, mut other] = [(); 2].map(|()| Calibrations::read(&path).unwrap());
        one.set(&[1; 32], Some(SPACING));
        one.set(&[3; 32], Some(SPACING));
        let written = one.clone().write(&path).unwrap();
        one.written(&written);
        other.set(&[2; 32], Some(SPACING));
        // While it is being written, another change.
        let written = other.clone().write(&path).unwrap();
        other.set(&[3; 32], None);
        assert!(other.written(&written), "the change is still to be written");
        assert_eq!(other.of(&[1; 32]), Some(SPACING));
        assert_eq!(other.of(&[3; 32]), None);
        let written = other.clone().write(&path).unwrap();
        assert!(!other.written(&written));
        // What the first window wrote before does not come back with its next change.
        one.set(&[4; 32], Some(SPACING));
        one.clone().write(&path).unwrap();
        let read = Calibrations::read(&path).unwrap();
        let found = [1, 2, 3, 4].map(|number| read.of(&[number; 32]).is_some());
        assert_eq!(found, [true, true, false, true]);
    }

    #[test]
    fn a_picture_is_known_by_its_instance_or_by_its_samples_and_not_by_its_look_ups() {
        let plain = picture(97, 71);
        let mut windowed = plain.clone();
        windowed.voi_luts = vec![VoiLut {
            transform: VoiTransform::Window(Window::spanning(0.0, 100.0)),
            explanation: String::new(),
        }];
        assert_eq!(key_of(&windowed), key_of(&plain));
        assert_ne!(key_of(&picture(97, 72)), key_of(&plain));
        let named = |uid: &str, frame| {
            let mut named = plain.clone();
            named.acquisition.sop_instance_uid = Some(uid.to_owned());
            named.frame = frame;
            key_of(&named)
        };
        assert_eq!(named("2.25.1", 1), named("2.25.1", 1));
        let others = [key_of(&plain), named("2.25.2", 1), named("2.25.1", 2)];
        assert!(others.iter().all(|other| *other != named("2.25.1", 1)));
    }
}
