//! One run at a time in a folder: a file that the system keeps locked for as long as the process lives, so that a
//! process that died never leaves a folder locked.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use super::Error;

/// Name of the file in the run folder; it holds the number of the process that runs there.
const LOCK: &str = "run.lock";
/// No number of a process is longer.
const MAX_BYTES: u64 = 32;
/// Tries to get a lock before another run is believed in.
const TRIES: u32 = 5;
/// Time between them.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// A folder that no other run can use until this is dropped.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    /// Number of a process that locked the folder and died without ending its run.
    pub died: Option<u32>,
}

impl RunLock {
    /// Locks a folder.
    ///
    /// # Errors
    /// If a run is going on there, or the file cannot be written.
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(LOCK);
        let fail = |reason: String| Error::Run {
            path: path.clone(),
            reason,
        };
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(|e| fail(format!("cannot be written: {e}")))?;
        let mut text = String::new();
        // What cannot be read names nobody.
        let _ = Read::by_ref(&mut file).take(MAX_BYTES).read_to_string(&mut text);
        let holder = text.trim().parse().ok();
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = holder.map(|id: u32| format!(" (process {id})")).unwrap_or_default();
                return Err(fail(format!(
                    "another run is going on in this folder{process}; wait for it, stop it, or name another folder"
                )));
            }
            // Some network folders know no locks; two runs there are the user's business.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(fail(format!("cannot be locked: {error}"))),
        }
        let mine = format!("{}\n", std::process::id());
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(mine.as_bytes()));
        written.map_err(|e| fail(format!("cannot be written: {e}")))?;
        Ok(Self { file, died: holder })
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // An empty file stays: removing it could take it from under a run that is about to lock it.
        let _ = self.file.set_len(0);
    }
}

/// Tries for a moment: whoever lists runs holds a dead run's lock while it looks.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            outcome => return outcome,
        }
    }
    file.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_takes_one_run_and_the_next_when_that_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunLock::take(folder.path()).unwrap();
        assert_eq!(first.died, None);
        let refused = RunLock::take(folder.path()).unwrap_err().to_string();
        let process = format!("process {}", std::process::id());
        assert!(
            refused.contains("another run is going on") && refused.contains(&process),
            "{refused}"
        );
        drop(first);
        assert_eq!(RunLock::take(folder.path()).unwrap().died, None);
    }

    #[test]
    fn the_lock_of_a_dead_process_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK), "4194305\n").unwrap();
        assert_eq!(RunLock::take(folder.path()).unwrap().died, Some(4_194_305));
    }
}
