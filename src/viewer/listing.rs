//! Paths given by the user to the list of pictures: folders walked, siblings of a single file found.
//! Runs on a worker thread; knows no window.

use std::path::{Path, PathBuf};

use crate::imaging;

/// What came of opening some paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Pictures in the order of the list.
    pub files: Vec<PathBuf>,
    /// Which of them to show first.
    pub start: usize,
    /// One sentence for each path that gives nothing, and one if the list was cut off.
    pub problems: Vec<String>,
    /// A longer list with the same picture to show first follows.
    pub more: bool,
}

impl Listing {
    /// What can be said of a single file before its folder was looked through.
    pub fn at_once(paths: &[PathBuf]) -> Option<Self> {
        match paths {
            [path] if path.is_file() => Some(Self {
                files: vec![path.clone()],
                more: true,
                ..Self::default()
            }),
            _ => None,
        }
    }
}

/// Longest list; a folder that holds more is cut off, and said.
pub const LONGEST: usize = 20_000;

/// Lists the pictures that some paths stand for.
///
/// A single file brings the pictures of its folder with it, so that the arrow keys have somewhere to go.
pub fn list(paths: &[PathBuf]) -> Listing {
    let mut listing = Listing::default();
    match paths {
        [path] if path.is_file() => siblings(path, &mut listing),
        _ => {
            for path in paths {
                add(path, &mut listing);
            }
        }
    }
    if listing.files.len() > LONGEST {
        listing.files.truncate(LONGEST);
        listing.start = listing.start.min(LONGEST - 1);
        listing
            .problems
            .push(format!("Only the first {LONGEST} pictures are listed."));
    }
    listing
}

fn add(path: &Path, listing: &mut Listing) {
    if path.is_dir() {
        let before = listing.files.len();
        listing.files.extend(imaging::candidates(path));
        if listing.files.len() == before {
            listing
                .problems
                .push(format!("{}: there is no picture in this folder.", path.display()));
        }
    } else if path.exists() {
        listing.files.push(path.to_owned());
    } else {
        listing
            .problems
            .push(format!("{}: there is no such file or folder.", path.display()));
    }
}

fn siblings(path: &Path, listing: &mut Listing) {
    let mut files = imaging::siblings(path);
    let same = |other: &PathBuf| other.file_name() == path.file_name();
    listing.start = files.iter().position(same).unwrap_or_else(|| {
        files.insert(0, path.to_owned());
        0
    });
    // The path stays as the user wrote it.
    path.clone_into(&mut files[listing.start]);
    listing.files = files;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_file_brings_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["2.png", "10.png", "notes.txt", "1.png"] {
            std::fs::write(folder.path().join(name), b"").expect("a file");
        }
        let listing = list(&[folder.path().join("2.png")]);
        let names: Vec<_> = listing.files.iter().filter_map(|file| file.file_name()).collect();
        assert_eq!(names, ["1.png", "2.png", "10.png"]);
        assert_eq!(listing.start, 1);
    }

    #[test]
    fn a_folder_without_pictures_and_a_missing_path_are_said() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let missing = folder.path().join("missing.dcm");
        let listing = list(&[folder.path().to_owned(), missing]);
        assert!(listing.files.is_empty());
        assert!(
            listing.problems[0].contains("no picture in this folder"),
            "{:?}",
            listing.problems
        );
        assert!(listing.problems[1].contains("no such file"), "{:?}", listing.problems);
    }
}
