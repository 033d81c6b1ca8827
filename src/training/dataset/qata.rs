//! QaTa-COV19 as it is downloaded: COVID-19 images of version 1 or 2 and of early cases, and the control groups. Its
//! `mask_*` files outline infected regions, never lungs.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::layout::{Folders, file_name, pictures, stem};
use super::{Category, Error, Found, Options, Source, chestxray14, kermany, patient_of};
use crate::training::manifest::{INFECTED_REGION, MaskFile, Row};
use crate::training::split::Part;

const V1: &str = "QaTa-COV19-v1";
const V2: &str = "QaTa-COV19-v2";
const EARLY: &str = "Early-QaTa-COV19";
const CONTROL_1: &str = "Control_Group_I";
const CONTROL_2: &str = "Control_Group_II";

pub(super) const SOURCE: Source = Source {
    title: "QaTa-COV19",
    layout: "QaTa-COV19-v1 or QaTa-COV19-v2, Early-QaTa-COV19 and Control_Group",
    is_here: |folders| {
        [V1, V2, EARLY, CONTROL_1, CONTROL_2]
            .iter()
            .any(|name| folders.named(name).is_some())
    },
    read,
};

/// Which COVID-19 images: both versions hold the same kind, so that never both are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QataVersion {
    /// `QaTa-COV19-v1`.
    V1,
    /// `QaTa-COV19-v2`, the larger one, in a training and a test set.
    V2,
}

impl QataVersion {
    fn folder(self) -> &'static str {
        match self {
            Self::V1 => V1,
            Self::V2 => V2,
        }
    }
}

impl fmt::Display for QataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

impl FromStr for QataVersion {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err(format!("there is no version '{name}'; there are v1 and v2")),
        }
    }
}

fn read(folders: &Folders, options: &Options) -> Result<Found, Error> {
    let mut found = Found::default();
    covid(folders, options.qata_version, &mut found)?;
    early(folders, &mut found)?;
    if let Some(folder) = folders.named(CONTROL_2) {
        control_group_2(folders, folder, &mut found)?;
    } else {
        found.notes.push(format!(
            "{CONTROL_2} is not there: the paper's control group is missing."
        ));
    }
    match folders.named(CONTROL_1) {
        Some(folder) if options.control_group_1 => control_group_1(folders, folder, &mut found)?,
        Some(_) => found.notes.push(format!(
            "{CONTROL_1} is left out, as in the paper; it is taken if it is asked for."
        )),
        None if options.control_group_1 => {
            return Err(Error::Layout {
                path: folders.root().to_owned(),
                reason: format!("{CONTROL_1} was asked for, but is not there; leave it out, or unpack it"),
            });
        }
        None => {}
    }
    Ok(found)
}

/// The COVID-19 images of one version.
fn covid(folders: &Folders, wanted: Option<QataVersion>, found: &mut Found) -> Result<(), Error> {
    let is_there = |version: QataVersion| folders.named(version.folder()).is_some();
    let version = match (wanted, is_there(QataVersion::V1), is_there(QataVersion::V2)) {
        (Some(version), ..) if !is_there(version) => {
            return Err(Error::Layout {
                path: folders.root().to_owned(),
                reason: format!(
                    "{} was asked for, but is not there; ask for the other version, or unpack it",
                    version.folder()
                ),
            });
        }
        (Some(version), ..) => version,
        (None, true, both) => {
            if both {
                found.notes.push(format!(
                    "{V1} and {V2} hold the same kind of images and are never taken together: v1 is taken, which is \
                     nearer to the paper's count; v2 is if it is asked for."
                ));
            }
            QataVersion::V1
        }
        (None, false, true) => QataVersion::V2,
        (None, false, false) => return Ok(()),
    };
    let Some(folder) = folders.named(version.folder()) else {
        return Ok(());
    };
    match version {
        QataVersion::V1 => covid_set(folders, folder, None, found),
        QataVersion::V2 => {
            covid_set(folders, &folder.join("Train Set"), Some(Part::Train), found)?;
            covid_set(folders, &folder.join("Test Set"), Some(Part::Test), found)
        }
    }
}

/// The images of a folder with `Images` and `Ground-truths`.
fn covid_set(folders: &Folders, set: &Path, part: Option<Part>, found: &mut Found) -> Result<(), Error> {
    let images = set.join("Images");
    if !images.is_dir() {
        return Err(Error::Layout {
            path: images,
            reason: "this folder of QaTa-COV19 is missing; unpack the download again".to_owned(),
        });
    }
    let truths = set.join("Ground-truths");
    let masks = if truths.is_dir() {
        pictures(&truths)?
    } else {
        Vec::new()
    };
    let masks: HashMap<String, PathBuf> = masks.into_iter().map(|path| (stem(&path).to_owned(), path)).collect();
    for path in pictures(&images)? {
        let mask = masks.get(&format!("mask_{}", stem(&path))).map(|path| MaskFile {
            path: path.clone(),
            more: Vec::new(),
            style: INFECTED_REGION.to_owned(),
            origin: String::new(),
        });
        found.rows.push(Row {
            predefined: part,
            mask,
            ..covid_row(folders, &path, "qata")?
        });
    }
    Ok(())
}

/// Both folders of early cases are COVID-19; what the other COVID-19 images hold already is left out.
fn early(folders: &Folders, found: &mut Found) -> Result<(), Error> {
    let Some(early) = folders.named(EARLY) else {
        return Ok(());
    };
    let mut rows = Vec::new();
    for (name, note) in [
        ("No_COVID-19_Pneumonia_Cases", "early, no sign of pneumonia"),
        ("Limited_COVID-19_Pneumonia_Cases", "early, limited signs of pneumonia"),
    ] {
        let folder = early.join(name);
        if !folder.is_dir() {
            return Err(Error::Layout {
                path: folder,
                reason: "this folder of the early cases is missing; unpack the download again".to_owned(),
            });
        }
        for path in pictures(&folder)? {
            rows.push(Row {
                note: Some(note.to_owned()),
                ..covid_row(folders, &path, "qata-early")?
            });
        }
    }
    let all = rows.len();
    let mut rows = without_copies(&found.rows, rows)?;
    if rows.len() < all {
        found.notes.push(format!(
            "{} of {all} early images are copies of other COVID-19 images, byte by byte, and are left out.",
            all - rows.len()
        ));
    }
    found.rows.append(&mut rows);
    Ok(())
}

fn covid_row(folders: &Folders, path: &Path, source: &str) -> Result<Row, Error> {
    let file = folders.name_of(path)?;
    let patient = patient_of(file_name(path));
    Ok(Row {
        group: patient.clone().unwrap_or_else(|| file.clone()),
        patient,
        source: Some(source.to_owned()),
        ..Row::new(folders.root(), &file, "covid")
    })
}

/// The rows whose files are no copies of earlier ones. Only files of equal length are read.
fn without_copies(before: &[Row], rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let unreadable = |path: &Path, error: &std::io::Error| Error::Layout {
        path: path.to_owned(),
        reason: format!("cannot be read: {error}"),
    };
    let mut by_length: HashMap<u64, Vec<&Path>> = HashMap::new();
    for row in before.iter().chain(&rows) {
        let metadata = fs::metadata(&row.path).map_err(|error| unreadable(&row.path, &error))?;
        by_length.entry(metadata.len()).or_default().push(&row.path);
    }
    let mut copies: HashSet<PathBuf> = HashSet::new();
    let early: HashSet<&Path> = rows.iter().map(|row| row.path.as_path()).collect();
    for paths in by_length.values().filter(|paths| paths.len() > 1) {
        if !paths.iter().any(|path| early.contains(path)) {
            continue;
        }
        let mut seen = HashSet::new();
        for path in paths {
            let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
            if !seen.insert(Sha256::digest(&bytes)) && early.contains(path) {
                copies.insert((*path).to_owned());
            }
        }
    }
    Ok(rows.into_iter().filter(|row| !copies.contains(&row.path)).collect())
}

fn control_group_2(folders: &Folders, folder: &Path, found: &mut Found) -> Result<(), Error> {
    for (name, part) in [("Train", Part::Train), ("Test", Part::Test)] {
        let folder = folder.join("CHESTXRAY-14").join(name);
        for path in control(&folder, found)? {
            let file = folders.name_of(&path)?;
            found.rows.push(Row {
                predefined: Some(part),
                ..chestxray14::row(folders.root(), &file, file_name(&path), "control")
            });
        }
    }
    for (name, label) in [
        ("Pediatric_Bacterial_Pneumonia", "bacterial"),
        ("Pediatric_Viral_Pneumonia", "viral"),
    ] {
        for path in control(&folder.join(name), found)? {
            let file = folders.name_of(&path)?;
            found
                .rows
                .push(kermany::row(folders.root(), &file, file_name(&path), label));
        }
    }
    Ok(())
}

/// The pictures of a control folder; a note if it is not there, because the download comes in pieces.
fn control(folder: &Path, found: &mut Found) -> Result<Vec<PathBuf>, Error> {
    if folder.is_dir() {
        return pictures(folder);
    }
    found.notes.push(format!(
        "{} is not there: its images are missing from the control group.",
        folder.display()
    ));
    Ok(Vec::new())
}

fn control_group_1(folders: &Folders, folder: &Path, found: &mut Found) -> Result<(), Error> {
    for path in pictures(folder)? {
        let file = folders.name_of(&path)?;
        let patient = patient_of(file_name(&path));
        found.rows.push(Row {
            group: patient.clone().unwrap_or_else(|| file.clone()),
            patient,
            category: Category::ControlGroup1,
            source: Some("qata-control-1".to_owned()),
            ..Row::new(folders.root(), &file, "control")
        });
    }
    Ok(())
}
