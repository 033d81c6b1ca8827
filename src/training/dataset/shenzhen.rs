//! Shenzhen: `ChinaSet_AllFiles/CXR_png/CHNCXR_*.png`, 662 frontal images; masks of both lungs in one file,
//! `CHNCXR_*_mask.png`, came later and lie in any folder beside.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::layout::{Folders, file_name, is_called, pictures, stem};
use super::{Category, Error, Found, Options, Source, montgomery, patient_of};
use crate::training::manifest::{LUNG_FIELD, MANUAL, MaskFile, Row};

/// End of a mask's name, before its ending.
const MASK: &str = "_mask";

pub(super) const SOURCE: Source = Source {
    title: "Shenzhen",
    layout: "ChinaSet_AllFiles with CXR_png/CHNCXR_*.png, and *_mask.png",
    is_here: |folders| {
        folders
            .filter(|path| is_called(path, "CXR_png"))
            .any(|images| pictures(images).is_ok_and(|paths| paths.iter().any(|path| is_image(stem(path)))))
    },
    read,
};

fn is_image(stem: &str) -> bool {
    stem.starts_with("CHNCXR_") && !stem.ends_with(MASK)
}

fn read(folders: &Folders, _: &Options) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut masks: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut images: BTreeMap<String, PathBuf> = BTreeMap::new();
    let walked = pictures(folders.root())?;
    let nested = folders.filter(|path| is_called(path, "CXR_png"));
    let nested: Vec<Vec<PathBuf>> = nested.map(pictures).collect::<Result<_, _>>()?;
    for path in walked.into_iter().chain(nested.into_iter().flatten()) {
        let name = stem(&path).to_owned();
        if let Some(image) = name.strip_suffix(MASK) {
            masks.entry(image.to_owned()).or_insert(path);
        } else if is_image(&name) {
            images.entry(name).or_insert(path);
        }
    }
    for (name, path) in images {
        let patient = patient_of(file_name(&path));
        found.rows.push(Row {
            group: patient.clone().unwrap_or_else(|| name.clone()),
            patient,
            category: Category::Shenzhen,
            mask: masks.remove(&name).map(|path| MaskFile {
                path,
                more: Vec::new(),
                style: LUNG_FIELD.to_owned(),
                origin: MANUAL.to_owned(),
            }),
            source: Some("shenzhen".to_owned()),
            view: Some("frontal".to_owned()),
            ..Row::new(folders.root(), &folders.name_of(&path)?, montgomery::finding(&name))
        });
    }
    let without = found.rows.iter().filter(|row| row.mask.is_none()).count();
    if without > 0 {
        found
            .notes
            .push(format!("{without} images of Shenzhen have no lung mask."));
    }
    Ok(found)
}
