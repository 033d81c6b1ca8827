//! Deleting a run: its folder goes to the system's trash, from where it can be taken back.

use std::path::Path;

use super::{Error, RunState, folder};

/// Moves a run folder to the trash; never deletes it.
///
/// # Errors
/// If no run lies there, a process is at it, or the system has no trash for it.
pub fn delete(folder: &Path) -> Result<(), Error> {
    let run = folder::open(folder)?;
    let fail = |reason: String| Error::File {
        path: folder.to_owned(),
        reason,
    };
    if run.state == RunState::Running {
        return Err(fail("a process is training in this folder; stop it first".to_owned()));
    }
    ::trash::delete(folder).map_err(|e| fail(format!("cannot be moved to the trash, and was left where it is: {e}")))
}
