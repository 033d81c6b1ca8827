//! DICOM files with what an independent decoder says of them. `RECOVNET_DICOM` names another folder with `files` and
//! `golden`.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where they lie beside the project.
pub const DEFAULT_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/dicom/open");

/// The folder, if it is there; it has to be in CI.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("RECOVNET_DICOM").map_or_else(|| DEFAULT_FOLDER.into(), PathBuf::from);
    if folder.join("golden").is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{}: no goldens here",
        folder.display()
    );
    println!("skipped: no DICOM goldens at {}", folder.display());
    None
}

/// Its goldens in the order of their names, at least one.
pub fn goldens(folder: &Path) -> Vec<Value> {
    let entries = std::fs::read_dir(folder.join("golden")).expect("the golden folder is readable");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}: no goldens", folder.display());
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("a golden is text");
            serde_json::from_str(&text).expect("a golden is JSON")
        })
        .collect()
}
