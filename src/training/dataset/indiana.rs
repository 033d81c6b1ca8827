//! Indiana University: `indiana_projections.csv` (which image is frontal, which lateral), `indiana_reports.csv` and the
//! images in any folder beside.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::layout::{Folders, file_name, pictures};
use super::{Category, Error, Found, Options, Source, Table};
use crate::training::manifest::Row;

const PROJECTIONS: &str = "indiana_projections.csv";
const REPORTS: &str = "indiana_reports.csv";

pub(super) const SOURCE: Source = Source {
    title: "Indiana",
    layout: "indiana_projections.csv, indiana_reports.csv and the images",
    is_here: |folders| folders.file(|name| name == PROJECTIONS).is_some(),
    read,
};

fn read(folders: &Folders, _: &Options) -> Result<Found, Error> {
    let mut found = Found::default();
    let Some(table) = folders.file(|name| name == PROJECTIONS) else {
        return Ok(found);
    };
    let home = table.parent().unwrap_or(folders.root());
    let paths = pictures(home)?.into_iter();
    let images: HashMap<String, PathBuf> = paths.map(|path| (file_name(&path).to_owned(), path)).collect();
    let normal = normal_studies(&home.join(REPORTS))?;
    let mut missing = 0;
    let rows = Table::open(&table, &["uid", "filename", "projection"])?.map(|cells| {
        let name = cells.get("filename").ok_or("no image is named")?;
        let study = cells.get("uid").ok_or_else(|| format!("{name} has no uid"))?;
        let projection = cells
            .get("projection")
            .ok_or_else(|| format!("{name} has no projection"))?;
        let view = projection.to_lowercase();
        let category = match view.as_str() {
            "lateral" => Category::IndianaLateral,
            "frontal" => Category::Other,
            _ => {
                return Err(format!(
                    "{name} has the projection '{projection}'; there are Frontal and Lateral"
                ));
            }
        };
        let Some(path) = images.get(name) else {
            missing += 1;
            return Ok(None);
        };
        let file = folders.name_of(path).map_err(|error| error.to_string())?;
        let label = match &normal {
            Some(normal) if normal.contains(study) => "normal",
            Some(_) => "other-thoracic",
            None => "control",
        };
        let patient = format!("indiana-{study}");
        Ok(Some(Row {
            group: patient.clone(),
            patient: Some(patient),
            category,
            source: Some("indiana".to_owned()),
            view: Some(view),
            ..Row::new(folders.root(), &file, label)
        }))
    })?;
    found.rows = rows.into_iter().flatten().collect();
    found.note_missing(missing, &table);
    if normal.is_none() {
        found.notes.push(format!(
            "{REPORTS} is not there: no image of Indiana is known to be normal; all are control all the same."
        ));
    }
    Ok(found)
}

/// Leaves the lateral views only, which are what the paper takes of this collection.
pub(super) fn keep_laterals(found: &mut Found) {
    let before = found.rows.len();
    found.rows.retain(|row| row.category == Category::IndianaLateral);
    found.notes.push(format!(
        "Of Indiana the {} lateral views are taken, as in the paper; {} frontal ones are left out.",
        found.rows.len(),
        before - found.rows.len()
    ));
}

/// The studies whose report says normal; `None` if there are no reports.
fn normal_studies(path: &std::path::Path) -> Result<Option<HashSet<String>>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let studies = Table::open(path, &["uid", "Problems"])?.map(|cells| {
        let study = cells.get("uid").ok_or("a report has no uid")?;
        let normal = cells
            .get("Problems")
            .is_some_and(|problems| problems.eq_ignore_ascii_case("normal"));
        Ok(normal.then(|| study.to_owned()))
    })?;
    Ok(Some(studies.into_iter().flatten().collect()))
}
