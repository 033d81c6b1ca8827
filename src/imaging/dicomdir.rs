//! The files that a DICOMDIR lists, found beside it. Reads none of them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::dicom::dicomdir;
use super::{Error, guarded, open_regular, read_all};

/// What a DICOMDIR leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Files that are there, in the order of the directory.
    pub files: Vec<PathBuf>,
    /// File IDs that lead to no file, as they stand in the directory.
    pub missing: Vec<String>,
    /// What is wrong with the directory, a sentence each.
    pub warnings: Vec<String>,
}

/// Reads a DICOMDIR and looks for the files that it lists, in its own folder and below; a link there is followed,
/// wherever it leads.
///
/// # Errors
/// If it cannot be read or is no DICOMDIR.
pub fn read(path: &Path) -> Result<Directory, Error> {
    let (file, ..) = open_regular(path)?;
    let listed = guarded(path, || read_all(file).and_then(|bytes| dicomdir::read(&bytes)))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut folders = Folders::default();
    let mut directory = Directory {
        warnings: listed.warnings,
        ..Directory::default()
    };
    for file_id in listed.file_ids {
        match folders.find(folder.unwrap_or(Path::new(".")), &file_id) {
            Some(file) => directory.files.push(file),
            None => directory.missing.push(file_id.join("/")),
        }
    }
    Ok(directory)
}

/// Names in folders that were looked at, by their comparable form.
#[derive(Default)]
struct Folders(HashMap<PathBuf, HashMap<String, OsString>>);

impl Folders {
    /// The file of some components below `root`, capitals or not; none that is not there or whose name leads elsewhere.
    fn find(&mut self, root: &Path, file_id: &[String]) -> Option<PathBuf> {
        let mut path = root.to_owned();
        for component in file_id {
            if !is_plain(component) {
                return None;
            }
            let names = self.0.entry(path.clone()).or_insert_with_key(|folder| names(folder));
            let name = names.get(&comparable(component))?.clone();
            path.push(name);
        }
        (!file_id.is_empty() && path.is_file()).then_some(path)
    }
}

/// One name and nothing else: no step up, no separator, no drive.
fn is_plain(component: &str) -> bool {
    !matches!(component, "." | "..") && !component.contains(['/', '\\', ':', '\0'])
}

/// Small letters, without what ISO 9660 puts behind a name (`IMG1.;1`).
fn comparable(name: &str) -> String {
    let name = name.split_once(';').map_or(name, |(name, _version)| name);
    name.trim_end_matches('.').to_lowercase()
}

fn names(folder: &Path) -> HashMap<String, OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names
        .filter_map(|name| Some((comparable(name.to_str()?), name)))
        .collect()
}
