//! The index of studies: which files lie below a folder or are listed by a DICOMDIR, in the order patient, study,
//! series, instance. Reads headers, never pixels; keeps what it read in an SQLite database that survives a restart.
//! Knows no window and no network.

mod catalogue;
mod database;
mod scan;
mod schema;
mod store;
mod thumbnails;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use crate::imaging;

pub use catalogue::{Catalogue, Counts, Instance, Patient, Series, Study};
pub use scan::{Progress, Summary};
pub use schema::VERSION;
pub use thumbnails::{MOST_THUMBNAILS, Thumbnail};

use store::path_of;

/// Why the index cannot be used. Every message names the file and the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be opened, read or written.
    #[error("{path}: the index of studies cannot be used: {cause}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The database's folder or file cannot be made, locked or set aside.
    #[error("{path}: the index of studies cannot be kept here: {cause}")]
    Place {
        /// The database.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A later version of this program made the database; nothing in it was changed.
    #[error(
        "{path}: the index of studies was made by a later version of this program (format {found}, this one knows {VERSION}); use that version, or another file"
    )]
    Later {
        /// The database.
        path: PathBuf,
        /// Version of its format.
        found: i64,
    },
    /// What was to be indexed cannot be looked through.
    #[error("{path}: cannot be looked through: {cause}")]
    Source {
        /// Folder or DICOMDIR.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// What was to be indexed is a file, but no DICOMDIR.
    #[error(transparent)]
    Directory(#[from] imaging::Error),
}

/// A folder or DICOMDIR that was indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its canonical path.
    pub path: PathBuf,
    /// Whether the last look at it reached its end.
    pub complete: bool,
}

/// The index in its database; each thread opens its own.
pub struct Library {
    connection: Connection,
    path: PathBuf,
    notice: Option<String>,
}

impl Library {
    /// Opens a database, makes it if it is not there, and brings an older one to the format of this version. One that
    /// is damaged is set aside under another name, and [`Library::notice`] says so.
    ///
    /// # Errors
    /// If the file cannot be used, or was made by a later version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (connection, notice) = database::open(path)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            notice,
        })
    }

    /// What the user should know of how it was opened, in a sentence.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// What was indexed, the last opened first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn roots(&self) -> Result<Vec<Root>, Error> {
        let read = || {
            let mut query = self
                .connection
                .prepare_cached("SELECT path, complete FROM roots ORDER BY opened DESC, id DESC")?;
            let roots = query.query_map([], |row| {
                Ok(Root {
                    path: path_of(row.get(0)?),
                    complete: row.get(1)?,
                })
            })?;
            roots.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|cause| self.failed(cause))
    }

    /// Takes a folder or DICOMDIR, and all that is known of its files, out of the index.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn forget(&mut self, root: &Path) -> Result<(), Error> {
        let bytes = store::bytes_of(root);
        let known: Result<Option<i64>, _> = self
            .connection
            .query_row("SELECT id FROM roots WHERE path = ?", params![bytes], |row| row.get(0))
            .optional();
        let known = known.map_err(|cause| self.failed(cause))?;
        if known.is_none() {
            return Ok(());
        }
        let written = store::transaction(&mut self.connection, |transaction| {
            transaction.execute("DELETE FROM roots WHERE path = ?", params![bytes])?;
            let scope = store::Scope::of(root);
            // What another root holds as well stays.
            let mut query = transaction.prepare("SELECT path FROM roots")?;
            let kept = query.query_map([], |row| row.get(0).map(|path| store::Scope::of(&path_of(path))))?;
            let kept: Vec<store::Scope> = kept.collect::<rusqlite::Result<_>>()?;
            let mut query = transaction.prepare(
                "SELECT id, path FROM files WHERE path >= ?1 AND path < ?2 AND path NOT IN (SELECT path FROM listed)",
            )?;
            let files: Vec<(i64, Vec<u8>)> = query
                .query_map(params![scope.from, scope.to], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let mut delete = transaction.prepare("DELETE FROM files WHERE id = ?")?;
            for (id, path) in files {
                if !kept.iter().any(|scope| scope.holds(&path)) {
                    delete.execute(params![id])?;
                }
            }
            store::prune(transaction)
        });
        written.map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: rusqlite::Error) -> Error {
        Error::Database {
            path: self.path.clone(),
            cause,
        }
    }
}
