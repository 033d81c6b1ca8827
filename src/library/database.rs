//! The file that holds the index: made readable for its owner only, checked when a process opens it first, set aside
//! if it is damaged. Knows no tables.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};

use super::{Error, VERSION, schema};

/// Databases that were found sound by this process: the check reads all of the file, and every thread opens its own.
static CHECKED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
/// How long another process may write before this one gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens a database in the format of this version; the sentence says what was wrong with the former one.
///
/// # Errors
/// As [`super::Library::open`].
pub(super) fn open(path: &Path) -> Result<(Connection, Option<String>), Error> {
    let at_place = |cause| Error::Place {
        path: path.to_owned(),
        cause,
    };
    // One process at a time looks whether the file is sound: two would both set it aside.
    let lock = lock(path).map_err(at_place)?;
    let failed = |cause| Error::Database {
        path: path.to_owned(),
        cause,
    };
    let opened = match sound(path) {
        Err(cause) if is_damage(&cause) => {
            let aside = set_aside(path).map_err(at_place)?;
            let notice = format!(
                "The index of studies was damaged and is made anew; the former one is kept as {}.",
                aside.display()
            );
            (sound(path).map_err(failed)?, Some(notice))
        }
        outcome => (outcome.map_err(failed)?, None),
    };
    drop(lock);
    let found = schema::version(&opened.0).map_err(failed)?;
    if found > VERSION {
        return Err(Error::Later {
            path: path.to_owned(),
            found,
        });
    }
    Ok(opened)
}

/// A file beside the database that is locked while the database is opened; the system unlocks it if this process dies.
fn lock(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let file = private().create(true).open(beside(path, ".lock"))?;
    file.lock()?;
    Ok(file)
}

/// Options for a file that nobody but its owner reads: the index names patients.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes an empty database, which SQLite would make as readable as other files. One that is there is not touched:
/// to close it would release the locks that this process holds on it elsewhere.
fn make(path: &Path) -> io::Result<()> {
    match private().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Opens, checks and migrates; one of a later version is opened and not touched.
fn sound(path: &Path) -> rusqlite::Result<Connection> {
    // SQLite makes its other files as readable as this one. If it cannot be made, the next line says why.
    let _ = make(path);
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    let found = schema::version(&connection)?;
    if found > VERSION {
        return Ok(connection);
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is taken out of the index is not to be found in its file.
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    // Readers go on while one writes; where a file system cannot do that, SQLite keeps its former way.
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // After a power failure the last transactions may be missing, never torn: they are read again.
    connection.pragma_update(None, "synchronous", "normal")?;
    let mut checked = CHECKED.lock();
    if !checked.contains(path) {
        let state: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if state != "ok" {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(code, Some(state)));
        }
        checked.insert(path.to_owned());
    }
    drop(checked);
    // A step takes the lock of a writer, which nobody who only reads has to wait for.
    if found < VERSION {
        schema::migrate(&mut connection)?;
    }
    Ok(connection)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Renames a database with what SQLite keeps beside it; returns its new name.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let aside = beside(path, &format!(".damaged-{}", since.as_millis()));
    fs::rename(path, &aside)?;
    for ending in ["-wal", "-shm"] {
        // They belong to the damaged file: beside a new one they would spoil it.
        let from = beside(path, ending);
        match fs::rename(&from, beside(&aside, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}
