//! Where the program keeps what it can make again, and what it cannot.

use std::path::PathBuf;

/// A folder in the user's cache; none where the system has no such place.
fn in_cache(name: &str) -> Option<PathBuf> {
    let user = directories::ProjectDirs::from("", "", "recovnet")?;
    Some(user.cache_dir().join(name))
}

/// A file in the user's data; none where the system has no such place.
fn in_data(name: &str) -> Option<PathBuf> {
    let user = directories::ProjectDirs::from("", "", "recovnet")?;
    Some(user.data_local_dir().join(name))
}

/// Reports of data sets that were checked.
pub fn checks() -> Option<PathBuf> {
    in_cache("checks")
}

/// Decoded inputs of images that were trained on.
pub fn inputs() -> Option<PathBuf> {
    in_cache("inputs")
}

/// Pictures that were calibrated by hand.
pub fn calibrations() -> Option<PathBuf> {
    in_data("calibrations.json")
}

/// The index of studies.
pub fn library() -> Option<PathBuf> {
    in_data("studies.sqlite")
}
