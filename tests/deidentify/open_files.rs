//! Every open DICOM file: it is treated or refused in words, and shows the same stored values afterwards.

use std::path::Path;

use recovnet::deidentify::{Dates, Options};
use recovnet::imaging;

use crate::fixture::{Read, holds, settings};

/// Files of the folder that are treated; `RECOVNET_DICOM` names another one.
fn folder() -> Option<std::path::PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/dicom/open");
    let folder = std::env::var_os("RECOVNET_DICOM")
        .map_or(default, Into::into)
        .join("files");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no DICOM files at {}", folder.display());
    None
}

#[test]
fn every_file_that_shows_still_shows_the_same() {
    let Some(folder) = folder() else { return };
    let mut settings = settings(Options {
        dates: Dates::Shift,
        clean_descriptors: true,
        clean_graphics: true,
        ..Options::default()
    });
    settings.old_values = true;
    let (mut treated, mut shown, mut refused) = (0, 0, Vec::new());
    let mut faults = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let before = imaging::decode(&path, &bytes);
        let made = match recovnet::deidentify::deidentify(&path, &bytes, &settings) {
            Ok(made) => made,
            Err(reason) => {
                if before.is_ok() && bytes.get(128..132) == Some(b"DICM") {
                    faults.push(format!("{name} shows, but is refused: {reason}"));
                }
                refused.push(format!("{name}: {reason}"));
                continue;
            }
        };
        treated += 1;
        if let Ok(before) = before {
            shown += 1;
            match imaging::decode(&path, &made.bytes) {
                Ok(after) if after.content_hash == before.content_hash => {}
                Ok(_) => faults.push(format!("{name}: its picture is another one")),
                Err(error) => faults.push(format!("{name}: it does not show any more: {error}")),
            }
        }
        // The same once more: nothing is left to be taken out but what was put in.
        let (first, again) = (
            Read::of(&made.bytes),
            recovnet::deidentify::deidentify(&path, &made.bytes, &settings),
        );
        if again.is_err() || !first.tags().is_sorted() && Read::of(&bytes).tags().is_sorted() {
            faults.push(format!("{name}: what was written is not read again"));
        }
        for change in made.changes.iter().filter(|change| change.path == "(0010,0010)") {
            let words = change.old.as_deref().unwrap_or_default().split(['^', '=', ' ']);
            let mut words = words.filter(|word| word.len() >= 6);
            // What a warning says may stand there.
            if made.warnings.is_empty() && words.any(|word| holds(&made.bytes, word)) {
                faults.push(format!("{name}: the patient's name survives without a warning"));
            }
        }
    }
    println!(
        "{treated} treated, {shown} of them pictures, {} refused: {refused:#?}",
        refused.len()
    );
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(treated >= 100, "{treated}");
}
