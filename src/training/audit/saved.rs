//! An audit in a folder: `audit.json`.

use std::path::{Path, PathBuf};

use crate::atomic_file;

use super::Audit;

/// The file.
pub const FILE: &str = "audit.json";

/// Why an audit cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// Cause.
    pub reason: String,
}

/// Writes an audit into a folder, which is made if need be.
///
/// # Errors
/// If the folder or the file cannot be written.
pub fn write(folder: &Path, audit: &Audit) -> Result<(), Error> {
    let path = folder.join(FILE);
    let fail = |reason: String| Error {
        path: path.clone(),
        reason,
    };
    std::fs::create_dir_all(folder).map_err(|e| fail(format!("the folder cannot be made: {e}")))?;
    let json = serde_json::to_string_pretty(audit).map_err(|e| fail(e.to_string()))?;
    atomic_file::write(&path, format!("{json}\n").as_bytes()).map_err(|e| fail(format!("cannot be written: {e}")))
}

/// Reads the audit in a folder; `None` if there is none.
///
/// # Errors
/// If the file cannot be read or is no audit.
pub fn read(folder: &Path) -> Result<Option<Audit>, Error> {
    let path = folder.join(FILE);
    let fail = |reason: String| Error {
        path: path.clone(),
        reason,
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|e| fail(format!("this is no audit: {e}"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(format!("cannot be read: {error}"))),
    }
}
