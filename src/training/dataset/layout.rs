//! The folders below a data folder, and the pictures in them. Hidden ones and what macOS puts beside them are passed
//! over; nothing is decoded.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::Error;

/// Levels below the data folder that a layout is looked for in: downloads lie in folders of their own names.
const LEVELS: usize = 4;
/// Levels below a picture folder that pictures are looked for in.
const PICTURE_LEVELS: usize = 3;
/// Endings of pictures, in lower case.
const PICTURES: [&str; 9] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "dcm", "img"];

/// A data folder and the folders below it.
pub struct Folders {
    root: PathBuf,
    /// The root first, then level by level in the order of their names.
    all: Vec<PathBuf>,
}

impl Folders {
    /// Lists the folders below `root`.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn of(root: &Path) -> Result<Self, Error> {
        let mut all = Vec::new();
        let walk = WalkDir::new(root)
            .follow_links(true)
            .max_depth(LEVELS)
            .sort_by_file_name();
        for entry in walk.into_iter().filter_entry(is_visible) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => all.push((entry.depth(), entry.into_path())),
                // A folder that cannot be read might be the one that is needed.
                Err(error) if is_folder(&error) => return Err(unreadable(root, &error)),
                // Files, and links to nowhere.
                Ok(_) | Err(_) => {}
            }
        }
        all.sort();
        Ok(Self {
            root: root.to_owned(),
            all: all.into_iter().map(|(_, path)| path).collect(),
        })
    }

    /// The folder itself, none below it.
    pub fn only(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            all: vec![root.to_owned()],
        }
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The first folder of that name, the data folder included.
    pub fn named(&self, name: &str) -> Option<&Path> {
        self.all.iter().map(PathBuf::as_path).find(|path| is_called(path, name))
    }

    /// The first folder with all of these folders in it.
    pub fn with(&self, names: &[&str]) -> Option<&Path> {
        let has = |path: &&Path| names.iter().all(|name| self.all.contains(&path.join(name)));
        self.all.iter().map(PathBuf::as_path).find(has)
    }

    /// The folders that a condition holds for.
    pub fn filter(&self, condition: impl Fn(&Path) -> bool) -> impl Iterator<Item = &Path> {
        self.all
            .iter()
            .map(PathBuf::as_path)
            .filter(move |path| condition(path))
    }

    /// The first file in the data folder or one below it whose name a condition holds for.
    pub fn file(&self, is_meant: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let is_near = |path: &&PathBuf| path.components().count() <= self.root.components().count() + 1;
        self.all.iter().filter(is_near).find_map(|folder| {
            let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
            let mut files: Vec<PathBuf> = entries
                .filter(|entry| entry.file_name().to_str().is_some_and(&is_meant))
                .map(|entry| entry.path())
                .filter(|path| path.is_file())
                .collect();
            files.sort();
            files.into_iter().next()
        })
    }

    /// A path as tables name it: relative to the data folder, with `/` between its parts.
    ///
    /// # Errors
    /// If the name is no text.
    pub fn name_of(&self, path: &Path) -> Result<String, Error> {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Option<Vec<&str>> = relative.iter().map(OsStr::to_str).collect();
        parts.map(|parts| parts.join("/")).ok_or_else(|| Error::Layout {
            path: path.to_owned(),
            reason: "its name is no valid text (UTF-8); rename it".to_owned(),
        })
    }
}

/// Whether a file or folder is called so.
pub fn is_called(path: &Path, name: &str) -> bool {
    path.file_name() == Some(OsStr::new(name))
}

/// A file's name without its ending; empty if it is no text.
pub fn stem(path: &Path) -> &str {
    path.file_stem().and_then(OsStr::to_str).unwrap_or_default()
}

/// A file's name; empty if it is no text.
pub fn file_name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}

/// The pictures in a folder and the folders in it, in the order of their names.
///
/// # Errors
/// If a folder cannot be read, or a link leads nowhere.
pub fn pictures(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    files(folder, &PICTURES)
}

/// As [`pictures`], for files with other endings in lower case.
///
/// # Errors
/// As [`pictures`].
pub fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, Error> {
    let walk = WalkDir::new(folder)
        .follow_links(true)
        .max_depth(PICTURE_LEVELS)
        .sort_by_file_name();
    let mut found = Vec::new();
    for entry in walk.into_iter().filter_entry(is_visible) {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let ending = entry.path().extension().and_then(OsStr::to_str).map(str::to_lowercase);
        if entry.file_type().is_file() && ending.is_some_and(|ending| endings.contains(&ending.as_str())) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

fn is_visible(entry: &DirEntry) -> bool {
    let name = entry.file_name().as_encoded_bytes();
    entry.depth() == 0 || !(name.starts_with(b".") || name == b"__MACOSX")
}

fn is_folder(error: &walkdir::Error) -> bool {
    error.depth() == 0 || error.path().is_some_and(Path::is_dir)
}

fn unreadable(folder: &Path, error: &walkdir::Error) -> Error {
    let cause = error
        .io_error()
        .map_or_else(|| "links lead in a circle".to_owned(), ToString::to_string);
    Error::Layout {
        path: error.path().unwrap_or(folder).to_owned(),
        reason: format!("cannot be read: {cause}; check the folder and its permissions"),
    }
}
