//! Children of Guangzhou (Kermany): `chest_xray/{train,test,val}/{NORMAL,PNEUMONIA}`, with `person*_bacteria_*` and
//! `person*_virus_*` among the pneumonias.

use std::path::Path;

use super::layout::{Folders, file_name, pictures};
use super::{Category, Error, Found, Options, Source, patient_of};
use crate::training::manifest::Row;
use crate::training::split::Part;

/// The folders and their parts. The 16 images of `val` are too few to choose anything by: they are trained on, and
/// validation is taken from the training part as everywhere.
const PARTS: [(&str, Part); 3] = [("train", Part::Train), ("val", Part::Train), ("test", Part::Test)];

pub(super) const SOURCE: Source = Source {
    title: "Kermany",
    layout: "chest_xray/{train,test,val}/{NORMAL,PNEUMONIA}",
    is_here: |folders| set(folders).is_some(),
    read,
};

fn set(folders: &Folders) -> Option<&Path> {
    folders.with(&["train/NORMAL", "train/PNEUMONIA"])
}

fn read(folders: &Folders, _: &Options) -> Result<Found, Error> {
    let mut found = Found::default();
    let Some(set) = set(folders) else {
        return Ok(found);
    };
    let mut unknown = 0;
    for (folder, part) in PARTS {
        for class in ["NORMAL", "PNEUMONIA"] {
            let folder = set.join(folder).join(class);
            if !folder.is_dir() {
                continue;
            }
            for path in pictures(&folder)? {
                let file = folders.name_of(&path)?;
                let label = if class == "NORMAL" {
                    Some("normal")
                } else {
                    pneumonia(file_name(&path))
                };
                unknown += usize::from(label.is_none());
                found.rows.push(Row {
                    predefined: Some(part),
                    ..row(
                        folders.root(),
                        &file,
                        file_name(&path),
                        label.unwrap_or("other-thoracic"),
                    )
                });
            }
        }
    }
    if unknown > 0 {
        found.notes.push(format!(
            "{unknown} images of pneumonia have names that tell neither bacteria nor virus."
        ));
    }
    Ok(found)
}

/// A row of this source, wherever it lies.
pub(super) fn row(folder: &Path, file: &str, name: &str, label: &str) -> Row {
    let patient = patient_of(name);
    Row {
        group: patient.clone().unwrap_or_else(|| file.to_owned()),
        patient,
        category: Category::of(label, None),
        source: Some("kermany".to_owned()),
        view: Some("frontal".to_owned()),
        note: Some("paediatric".to_owned()),
        ..Row::new(folder, file, label)
    }
}

/// The label of a pneumonia by its name.
fn pneumonia(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    if name.contains("bacteria") {
        Some("bacterial")
    } else if name.contains("virus") {
        Some("viral")
    } else {
        None
    }
}
