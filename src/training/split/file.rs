//! A split as a file: written once, shared, read back as it was, and refused where it does not fit the data. It names
//! image files and no patient.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, Part, Split, SplitRule};
use crate::atomic_file;
use crate::training::manifest::Row;

/// What the file says it is.
const FORMAT: &str = "recovnet-split";
/// Version of the format.
const VERSION: u32 = 1;

/// The file's first entries, enough to tell what it is.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    format: String,
    version: u32,
    #[serde(flatten)]
    split: Split,
    images: usize,
    train: Vec<String>,
    val: Vec<String>,
    test: Vec<String>,
}

/// Writes the parts of rows.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, rows: &[Row], split: &Split) -> Result<(), Error> {
    let files = |part| {
        let mut files: Vec<String> = rows
            .iter()
            .filter(|row| row.part() == part)
            .map(|row| row.file.clone())
            .collect();
        files.sort_unstable();
        files.dedup();
        files
    };
    let contents = Contents {
        format: FORMAT.to_owned(),
        version: VERSION,
        split: split.clone(),
        images: rows.len(),
        train: files(Part::Train),
        val: files(Part::Validation),
        test: files(Part::Test),
    };
    let fail = |reason: String| Error::File {
        path: path.to_owned(),
        reason: format!("the split cannot be written: {reason}; name a file in a folder that you may write to"),
    };
    let text = serde_json::to_string_pretty(&contents).map_err(|e| fail(e.to_string()))?;
    atomic_file::write(path, format!("{text}\n").as_bytes()).map_err(|e| fail(e.to_string()))
}

/// Reads a split and gives the rows their parts.
///
/// # Errors
/// If it is no split, a newer one, or not of these images; the first that differs is named.
pub fn read(path: &Path, rows: &mut [Row]) -> Result<Split, Error> {
    let fail = |reason: String| Error::File {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|e| fail(format!("the split cannot be read: {e}")))?;
    let broken = |e: serde_json::Error| fail(format!("this is no split file: {e}; name another one"));
    let head: Head = serde_json::from_str(&text).map_err(broken)?;
    if head.format != FORMAT {
        return Err(fail(format!(
            "this is a '{}', no split file; name another one",
            head.format
        )));
    }
    if head.version != VERSION {
        return Err(fail(format!(
            "this split file has version {}, and this program reads version {VERSION}; make it anew or update the \
             program",
            head.version
        )));
    }
    let contents: Contents = serde_json::from_str(&text).map_err(broken)?;
    let mut parts = BTreeMap::new();
    let listed = [
        (Part::Train, &contents.train),
        (Part::Validation, &contents.val),
        (Part::Test, &contents.test),
    ];
    for (part, files) in listed {
        for file in files {
            if parts.insert(file.as_str(), part).is_some() {
                return Err(fail(format!("it names {file} twice; make it anew")));
            }
        }
    }
    check_fit(rows, &parts).map_err(fail)?;
    for row in rows.iter_mut() {
        row.assigned = parts.get(row.file.as_str()).copied();
    }
    if contents.split.rule == SplitRule::Hash {
        let moved = rows.iter().find(|row| row.part() != Part::of(&row.group));
        if let Some(row) = moved {
            return Err(fail(format!(
                "it says that the hash of the groups parts these images, but {} is in another part; make it anew",
                row.file
            )));
        }
    }
    let found = Split::of(rows, contents.split.rule, contents.split.seed);
    if found.id != contents.split.id {
        return Err(fail(format!(
            "it calls itself '{}', but its lines make it '{}': it was changed after it was written; make it anew",
            contents.split.id, found.id
        )));
    }
    Ok(found)
}

/// Whether the file parts these images, all of them and no other.
fn check_fit(rows: &[Row], parts: &BTreeMap<&str, Part>) -> Result<(), String> {
    let unknown: Vec<&Row> = rows
        .iter()
        .filter(|row| !parts.contains_key(row.file.as_str()))
        .collect();
    if let Some(first) = unknown.first() {
        return Err(format!(
            "this split is of other data: {} of {} images here are not in it, such as {}; name the data it was made \
             for (with the same --data folders in the same order), or another file to make a new split",
            unknown.len(),
            rows.len(),
            first.file
        ));
    }
    let here: BTreeSet<&str> = rows.iter().map(|row| row.file.as_str()).collect();
    if here.len() < parts.len() {
        let gone = parts
            .keys()
            .find(|file| !here.contains(*file))
            .copied()
            .unwrap_or_default();
        return Err(format!(
            "this split is of other data: {} of its {} images are not here, such as {gone}; put them back, or name \
             another file to make a new split",
            parts.len() - here.len(),
            parts.len()
        ));
    }
    Ok(())
}
