//! ChestX-ray14: `images*/**/*.png`, `Data_Entry_2017*.csv`, and the predefined split in `train_val_list.txt` and
//! `test_list.txt`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::layout::{Folders, file_name, pictures};
use super::{Category, Error, Found, Options, Source, Table, patient_of};
use crate::training::manifest::{self, Row};
use crate::training::split::Part;

pub(super) const SOURCE: Source = Source {
    title: "ChestX-ray14",
    layout: "Data_Entry_2017*.csv, images*/, train_val_list.txt and test_list.txt",
    is_here: |folders| folders.file(is_table).is_some(),
    read,
};

fn is_table(name: &str) -> bool {
    name.starts_with("Data_Entry_2017") && name.to_lowercase().ends_with(".csv")
}

fn read(folders: &Folders, _: &Options) -> Result<Found, Error> {
    let mut found = Found::default();
    let Some(table) = folders.file(is_table) else {
        return Ok(found);
    };
    let home = table.parent().unwrap_or(folders.root()).to_owned();
    let mut images: HashMap<String, PathBuf> = HashMap::new();
    let is_image_folder = |path: &Path| path.parent() == Some(&home) && file_name(path).starts_with("images");
    for folder in folders.filter(is_image_folder) {
        let paths = pictures(folder)?.into_iter();
        images.extend(paths.map(|path| (file_name(&path).to_owned(), path)));
    }
    let parts = lists(&home)?;
    let mut missing = 0;
    let rows = Table::open(&table, &["Image Index", "Finding Labels"])?.map(|cells| {
        let name = cells.get("Image Index").ok_or("no image is named")?;
        let Some(path) = images.get(name) else {
            missing += 1;
            return Ok(None);
        };
        let findings = cells.get("Finding Labels").unwrap_or_default();
        let label = if findings == "No Finding" {
            "normal"
        } else {
            "other-thoracic"
        };
        let file = folders.name_of(path).map_err(|error| error.to_string())?;
        Ok(Some(Row {
            predefined: parts.get(name).copied(),
            note: Some(findings.to_owned()),
            ..row(folders.root(), &file, name, label)
        }))
    })?;
    found.rows = rows.into_iter().flatten().collect();
    found.note_missing(missing, &table);
    if parts.is_empty() {
        found.notes.push(
            "train_val_list.txt and test_list.txt are not there: ChestX-ray14 is parted in the paper's ratio by patient \
             instead of as predefined."
                .to_owned(),
        );
    }
    Ok(found)
}

/// A row of ChestX-ray14, wherever it lies; all of it is frontal.
pub(super) fn row(folder: &Path, file: &str, name: &str, label: &str) -> Row {
    let patient = patient_of(name);
    Row {
        group: patient.clone().unwrap_or_else(|| file.to_owned()),
        patient,
        category: Category::ChestXray14,
        source: Some("nih".to_owned()),
        view: Some("frontal".to_owned()),
        ..Row::new(folder, file, label)
    }
}

/// Parts by image name; empty if neither list is there.
fn lists(home: &Path) -> Result<BTreeMap<String, Part>, Error> {
    let lists = [("train_val_list.txt", Part::Train), ("test_list.txt", Part::Test)];
    let paths = lists.map(|(name, part)| (home.join(name), part));
    let mut parts = BTreeMap::new();
    if paths.iter().all(|(path, _)| !path.exists()) {
        return Ok(parts);
    }
    for (path, part) in paths {
        let text = std::fs::read_to_string(&path).map_err(|e| manifest::Error::Read {
            path: path.clone(),
            reason: format!("{e}; both lists are needed, or neither"),
        })?;
        for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
            let other = parts.insert(name.to_owned(), part);
            if other.is_some_and(|other| other != part) {
                return Err(Error::Layout {
                    path,
                    reason: format!("{name} is in both lists; take it out of one"),
                });
            }
        }
    }
    Ok(parts)
}
