//! Hundreds of broken files made of good ones: none may end the process, hang or take memory beyond what its
//! picture needs; what is whole is shown as its golden says, and the rest as a picture or a sentence.
//!
//! `../shared/dicom/mutate.py` makes them, with Python, numpy and Pillow (`RECOVNET_PYTHON` names another
//! interpreter), of the files below `RECOVNET_DICOM` or `../shared/dicom/open`. `RECOVNET_MUTANTS` names a folder
//! of ready ones with a `manifest.csv` instead.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image::{ImageDecoder, ImageReader, Limits};
use recovnet::imaging::{self, Radiograph};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::opener::{Answer, Opener, folder_for_everybody, path_of};
use crate::{dicom_golden, dicom_goldens};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/dicom/mutate.py");
/// Most processor time that a file may take, in seconds.
const MOST_SECONDS: f64 = 2.0;
/// Bytes that every file may take, for what stands around a picture.
const FLOOR_BYTES: u64 = 8 << 20;
/// Times the decoded picture that may be allocated at once.
const MOST_PICTURES: u64 = 4;
/// Files that may be refused or shown, of the usual folder: at least so many are shown.
const EITHER_SHOWN: usize = 62;

/// A file of the manifest.
struct Mutant {
    path: PathBuf,
    kind: String,
    expect: String,
    note: String,
}

/// A folder of broken files; one that was made here is removed with it.
struct Mutants {
    folder: PathBuf,
    _made: Option<TempDir>,
    /// They come from the usual folder, so that their number is known.
    usual: bool,
}

fn mutants() -> Option<Mutants> {
    if let Some(folder) = std::env::var_os("RECOVNET_MUTANTS") {
        return Some(Mutants {
            folder: folder.into(),
            _made: None,
            usual: false,
        });
    }
    let source = dicom_goldens::folder()?;
    let Some(python) = python().filter(|_| Path::new(SCRIPT).is_file()) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{SCRIPT} with Python, numpy and Pillow must be there in CI"
        );
        println!("skipped: no mutate.py, or no Python with numpy and Pillow");
        return None;
    };
    let made = folder_for_everybody();
    let status = Command::new(&python)
        .arg(SCRIPT)
        .args([&source.join("files"), made.path()])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "mutate.py failed");
    Some(Mutants {
        folder: made.path().to_owned(),
        _made: Some(made),
        usual: std::env::var_os("RECOVNET_DICOM").is_none(),
    })
}

/// A Python that has numpy and Pillow: the named one, the first in the path, or the system's own.
fn python() -> Option<OsString> {
    let named = std::env::var_os("RECOVNET_PYTHON");
    let usual = ["python3", "/usr/bin/python3"].map(OsString::from);
    named.into_iter().chain(usual).find(|python| {
        let modules = Command::new(python)
            .args(["-c", "import numpy, PIL"])
            .stderr(Stdio::null())
            .status();
        modules.is_ok_and(|status| status.success())
    })
}

impl Mutants {
    fn rows(&self) -> Vec<Mutant> {
        let mut manifest = csv::Reader::from_path(self.folder.join("manifest.csv")).expect("a manifest");
        let headers = manifest.byte_headers().expect("headers").clone();
        let column = |name: &[u8]| headers.iter().position(|header| header == name).expect("a column");
        let columns = [b"file".as_slice(), b"kind", b"expect", b"note"].map(column);
        let rows = manifest.byte_records().map(|row| {
            let row = row.expect("a row");
            let text = |column: usize| String::from_utf8_lossy(&row[columns[column]]).into_owned();
            Mutant {
                path: self.folder.join(path_of(&row[columns[0]])),
                kind: text(1),
                expect: text(2),
                note: text(3),
            }
        });
        rows.collect()
    }
}

#[test]
fn broken_files_give_a_picture_or_a_sentence() {
    let Some(mutants) = mutants() else { return };
    let goldens = goldens_by_content();
    let mut opener = Opener::start();
    let (mut faults, mut either, mut slowest) = (Vec::new(), (0, 0), (0.0, String::new()));
    for mutant in mutants.rows() {
        let name = mutant.path.display().to_string();
        if mutant.note.contains("non-root") && !opener.ordinary {
            println!("{name}: passed over: this user may read everything");
            continue;
        }
        let in_c = contents(&mutant.path).is_some_and(|file| is_decoded_in_c(&file));
        if in_c {
            // Or what it kept of files before would stand in for what it takes.
            opener = Opener::start();
        }
        let answer = match opener.open(&mutant.path) {
            Ok(answer) => answer,
            Err(fault) => {
                faults.push(format!("{name}: {fault} ({})", mutant.note));
                continue;
            }
        };
        let became = answer.result.as_ref().map_or_else(String::as_str, |_| "shown");
        let resident = answer.resident.unwrap_or_default();
        println!(
            "{name}: {became} ({} kB, {} kB resident, {:.2} s)",
            answer.peak / 1000,
            resident / 1000,
            answer.seconds
        );
        if answer.seconds > slowest.0 {
            slowest = (answer.seconds, name.clone());
        }
        if mutant.expect == "either" {
            either.0 += usize::from(answer.result.is_ok());
            either.1 += 1;
        }
        faults.extend(faults_of(&mutant, &answer, &goldens).map(|fault| format!("{name}: {fault} ({})", mutant.note)));
    }
    println!(
        "{} of {} that need not be shown are; slowest {slowest:?}",
        either.0, either.1
    );
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(
        !mutants.usual || either.0 >= EITHER_SHOWN,
        "only {} are shown",
        either.0
    );
}

/// What is wrong with an answer.
fn faults_of(mutant: &Mutant, answer: &Answer, goldens: &HashMap<String, Value>) -> impl Iterator<Item = String> {
    let bytes = contents(&mutant.path);
    let whole = bytes.as_ref().and_then(|bytes| goldens.get(&hash(bytes)));
    [
        (answer.seconds > MOST_SECONDS).then(|| format!("took {:.1} s", answer.seconds)),
        too_much_memory(bytes.as_deref().unwrap_or_default(), answer),
        match &answer.result {
            Ok(_) => wrong_picture(mutant, whole),
            Err(sentence) => wrong_refusal(mutant, sentence, whole),
        },
    ]
    .into_iter()
    .flatten()
}

fn contents(path: &Path) -> Option<Vec<u8>> {
    let regular = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    regular.then(|| std::fs::read(path).ok()).flatten()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// The goldens by the hash of their file: some mutants are nothing but a good file under another name.
fn goldens_by_content() -> HashMap<String, Value> {
    let goldens = dicom_goldens::folder().map_or_else(Vec::new, |folder| dicom_goldens::goldens(&folder));
    goldens
        .into_iter()
        .map(|golden| (golden["sha256_file"].as_str().unwrap_or_default().to_owned(), golden))
        .collect()
}

fn too_much_memory(file: &[u8], answer: &Answer) -> Option<String> {
    let picture = answer.result.as_ref().map_or_else(|_| could_hold(file), |&bytes| bytes);
    let allowed = MOST_PICTURES * picture + FLOOR_BYTES;
    let of_system = answer.resident.filter(|_| is_decoded_in_c(file));
    if of_system.is_some_and(|resident| answer.result.is_ok() && resident < picture) {
        return Some("took less than its picture has, which nobody believes".to_owned());
    }
    let taken = answer.peak.max(of_system.unwrap_or_default());
    let taken = taken.saturating_sub(file.len() as u64);
    (taken > allowed).then(|| format!("took {taken} bytes beside the file's, for a picture of {picture}"))
}

/// Whether a file's pixels go to a decoder that is not Rust: those of JPEG-LS and JPEG 2000.
fn is_decoded_in_c(file: &[u8]) -> bool {
    const SYNTAXES: [&str; 7] = ["80", "81", "90", "91", "201", "202", "203"];
    let head = &file[..file.len().min(4096)];
    SYNTAXES.iter().any(|last| {
        let uid = format!("1.2.840.10008.1.2.4.{last}");
        head.windows(uid.len()).any(|bytes| bytes == uid.as_bytes())
    })
}

fn wrong_picture(mutant: &Mutant, whole: Option<&Value>) -> Option<String> {
    if let Some(golden) = whole {
        return dicom_golden::outcome(golden, &mutant.path).err();
    }
    match (mutant.expect.as_str(), mutant.kind.as_str()) {
        ("error", _) => Some("was shown".to_owned()),
        ("show", "image" | "bomb") => wrong_waves(&mutant.path).err(),
        _ => None,
    }
}

fn wrong_refusal(mutant: &Mutant, sentence: &str, whole: Option<&Value>) -> Option<String> {
    let named = sentence.contains(&mutant.path.display().to_string());
    if !named || sentence.contains("no decoder copes") || !has_place(sentence) {
        return Some(format!("is refused so: {sentence}"));
    }
    if let Some(golden) = whole {
        return dicom_golden::outcome(golden, &mutant.path).err();
    }
    (mutant.expect == "show").then(|| format!("was refused: {sentence}"))
}

/// Whether a sentence names a tag or a byte, or a cause that concerns the whole file.
fn has_place(sentence: &str) -> bool {
    const WHOLE: [&str; 7] = [
        "the file is empty",
        "this is no DICOM",
        "holds no picture",
        "cannot be read",
        "not a file",
        "is a video",
        "within 16 MiB",
    ];
    let tag = sentence.split('(').any(|part| {
        let Some(&[a, b, c, d, b',', e, f, g, h, b')']) = part.as_bytes().first_chunk() else {
            return false;
        };
        [a, b, c, d, e, f, g, h].iter().all(u8::is_ascii_hexdigit)
    });
    tag || sentence.contains(" byte ") || WHOLE.iter().any(|cause| sentence.contains(cause))
}

/// The pictures of the kind `image` that have to be shown are all `(sin(x / 23) cos(y / 31) + 1) 127.5` in grey.
fn wrong_waves(path: &Path) -> Result<(), String> {
    const SIZE: (u32, u32) = (320, 256);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let radiograph = imaging::open(path).map_err(|error| error.to_string())?;
    let turned = name.starts_with("exif_rot90");
    let size = if turned { (SIZE.1, SIZE.0) } else { SIZE };
    if (radiograph.width, radiograph.height) != size {
        return Err(format!("has {} x {} pixels", radiograph.width, radiograph.height));
    }
    let shown = radiograph.display(&radiograph.default_voi());
    if shown.len() != radiograph.pixel_count() {
        return Err("is not grey".to_owned());
    }
    let worst = shown.iter().enumerate().map(|(index, &grey)| {
        let (column, row) = (index as u32 % size.0, index as u32 / size.0);
        // Turned by 90 degrees, the stored column is the row that is shown, and the stored row comes from the right.
        let (x, y) = if turned {
            (row, SIZE.1 - 1 - column)
        } else {
            (column, row)
        };
        let wave = ((f64::from(x) / 23.0).sin() * (f64::from(y) / 31.0).cos() + 1.0) * 127.5;
        (f64::from(grey) - wave.floor()).abs()
    });
    let worst = if name.starts_with("1bit") {
        mean_difference(&radiograph, &shown)
    } else {
        worst.fold(0.0, f64::max)
    };
    let lossy = path.extension().is_some_and(|extension| extension == "jpg");
    let allowed = if lossy { 16.0 } else { 1.0 };
    if worst > allowed {
        return Err(format!("is {worst} levels off"));
    }
    Ok(())
}

/// A picture of black and white dots is as bright as the waves on the whole.
fn mean_difference(radiograph: &Radiograph, shown: &[u8]) -> f64 {
    let mean = shown.iter().map(|&grey| f64::from(grey)).sum::<f64>() / radiograph.pixel_count() as f64;
    let waves = (0..256).flat_map(|y| (0..320).map(move |x| (x, y))).map(|(x, y)| {
        let wave: f64 = (f64::from(x) / 23.0).sin() * (f64::from(y) / 31.0).cos();
        (wave + 1.0) * 127.5
    });
    (mean - waves.sum::<f64>() / (320.0 * 256.0)).abs()
}

/// Bytes of the picture that a file claims to be, or of what its bytes could be unpacked to at the most, whichever
/// is less.
fn could_hold(file: &[u8]) -> u64 {
    let claimed = dicom_claim(file).or_else(|| raster_claim(file)).unwrap_or(0);
    // The factor of deflate; no codec of radiographs that is bounded at all unpacks to more.
    claimed.min(file.len() as u64 * 1032)
}

fn raster_claim(file: &[u8]) -> Option<u64> {
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().ok()?;
    reader.limits(Limits::no_limits());
    reader.into_decoder().ok().map(|decoder| decoder.total_bytes())
}

/// The claim of an uncompressed data set: the last Rows, Columns, Samples per Pixel and Bits Allocated before the
/// pixels, in little endian, with or without VRs.
fn dicom_claim(file: &[u8]) -> Option<u64> {
    let pixels = file.windows(4).position(|four| four == [0xe0, 0x7f, 0x10, 0])?;
    let number = |element: u16| {
        let [low, high] = element.to_le_bytes();
        let at = file[..pixels].windows(10).rposition(|ten| {
            ten[..4] == [0x28, 0, low, high] && (ten[4..8] == *b"US\x02\0" || ten[4..8] == [2, 0, 0, 0])
        })?;
        Some(u64::from(u16::from_le_bytes([file[at + 8], file[at + 9]])))
    };
    let (rows, columns) = (number(0x10)?, number(0x11)?);
    let samples = number(0x02).unwrap_or(1).clamp(1, 3);
    let bytes = number(0x100).unwrap_or(16).div_ceil(8).clamp(2, 8);
    let claimed = rows * columns * samples * bytes;
    let encapsulated = file.get(pixels + 8..pixels + 12) == Some(&[0xff; 4]);
    // An uncompressed pixel has a byte, and two here.
    let there = (file.len() - pixels) as u64;
    Some(if encapsulated { claimed } else { claimed.min(2 * there) })
}
