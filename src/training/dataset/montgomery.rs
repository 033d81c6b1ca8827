//! Montgomery County: `MontgomerySet/{CXR_png,ManualMask/{leftMask,rightMask}}`, 138 frontal images with a mask for
//! each lung.

use std::path::Path;

use super::layout::{Folders, file_name, pictures, stem};
use super::{Category, Error, Found, Options, Source, patient_of};
use crate::training::manifest::{LUNG_FIELD, MANUAL, MaskFile, Row};

pub(super) const SOURCE: Source = Source {
    title: "Montgomery",
    layout: "MontgomerySet with CXR_png and ManualMask/{leftMask,rightMask}",
    is_here: |folders| folders.with(&["CXR_png", "ManualMask"]).is_some(),
    read,
};

fn read(folders: &Folders, _: &Options) -> Result<Found, Error> {
    let mut found = Found::default();
    let Some(set) = folders.with(&["CXR_png", "ManualMask"]) else {
        return Ok(found);
    };
    let masks = set.join("ManualMask");
    for path in pictures(&set.join("CXR_png"))? {
        let sides = ["leftMask", "rightMask"].map(|side| masks.join(side).join(file_name(&path)));
        let patient = patient_of(file_name(&path));
        found.rows.push(Row {
            group: patient.clone().unwrap_or_else(|| file_name(&path).to_owned()),
            patient,
            category: Category::Montgomery,
            mask: both_lungs(&path, sides)?,
            source: Some("montgomery".to_owned()),
            view: Some("frontal".to_owned()),
            ..Row::new(folders.root(), &folders.name_of(&path)?, finding(stem(&path)))
        });
    }
    Ok(found)
}

/// What the last digit of the names of both tuberculosis sets says: 0 is normal, 1 is tuberculosis.
pub(super) fn finding(stem: &str) -> &'static str {
    if stem.ends_with("_0") {
        "normal"
    } else {
        "other-thoracic"
    }
}

/// The mask of an image that has one for each lung; `None` if it has neither.
///
/// # Errors
/// If it has one only.
pub(super) fn both_lungs(image: &Path, sides: [std::path::PathBuf; 2]) -> Result<Option<MaskFile>, Error> {
    let there = sides.each_ref().map(|path| path.is_file());
    let [one, other] = sides;
    let missing = match there {
        [true, true] => {
            return Ok(Some(MaskFile {
                path: one,
                more: vec![other],
                style: LUNG_FIELD.to_owned(),
                origin: MANUAL.to_owned(),
            }));
        }
        [false, false] => return Ok(None),
        [true, false] => other,
        [false, true] => one,
    };
    Err(Error::Layout {
        path: missing,
        reason: format!(
            "this mask is missing, but {} has one of the other lung; unpack the masks again",
            image.display()
        ),
    })
}
