//! JSRT: `All247images/*.IMG`, headerless (see [`crate::imaging::open`]), with the masks of SCR:
//! `scratch/fold*/masks/{left lung,right lung}/*.gif`, at half the images' scale.

use std::path::Path;

use super::layout::{Folders, file_name, files, is_called, stem};
use super::{Category, Error, Found, Options, Source, montgomery, patient_of};
use crate::training::manifest::Row;

const IMAGES: &str = "All247images";

pub(super) const SOURCE: Source = Source {
    title: "JSRT",
    layout: "All247images/*.IMG, and SCR's scratch/fold*/masks/{left lung,right lung}/*.gif",
    is_here: |folders| folders.named(IMAGES).is_some(),
    read,
};

fn read(folders: &Folders, _: &Options) -> Result<Found, Error> {
    let mut found = Found::default();
    let Some(images) = folders.named(IMAGES) else {
        return Ok(found);
    };
    let folds: Vec<&Path> = folders.filter(is_fold).collect();
    for path in files(images, &["img"])? {
        let mask = folds.iter().find_map(|masks| {
            let sides = ["left lung", "right lung"].map(|side| masks.join(side).join(format!("{}.gif", stem(&path))));
            sides.iter().any(|side| side.is_file()).then_some(sides)
        });
        let patient = patient_of(file_name(&path));
        // The names say whether there is a lung nodule: JPCLN and JPCNN.
        let label = if stem(&path).starts_with("JPCNN") {
            "normal"
        } else {
            "other-thoracic"
        };
        found.rows.push(Row {
            group: patient.clone().unwrap_or_else(|| file_name(&path).to_owned()),
            patient,
            category: Category::Jsrt,
            mask: match mask {
                Some(sides) => montgomery::both_lungs(&path, sides)?,
                None => None,
            },
            source: Some("jsrt".to_owned()),
            view: Some("frontal".to_owned()),
            ..Row::new(folders.root(), &folders.name_of(&path)?, label)
        });
    }
    let without = found.rows.iter().filter(|row| row.mask.is_none()).count();
    if without > 0 {
        found.notes.push(format!(
            "{without} images of JSRT have no lung mask; SCR's folder scratch with fold1 and fold2 belongs beside {IMAGES}."
        ));
    }
    Ok(found)
}

/// Whether a folder is `fold*/masks`.
fn is_fold(path: &Path) -> bool {
    let parent = path.parent().map(file_name).unwrap_or_default();
    is_called(path, "masks") && parent.starts_with("fold")
}
