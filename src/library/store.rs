//! What was read of files into the tables, and out again where nothing is left of it.

use std::collections::HashMap;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::imaging::header::{Head, Header, is_named_like_directory};

/// What became of a file, as it stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// An instance of a series.
    Instance = 0,
    /// A picture by its name that cannot be read.
    Unreadable = 1,
    /// No picture: known so that it is not read again.
    Other = 2,
}

/// A file as the system has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub path: PathBuf,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970; [`NEVER`] if it cannot be told whether it will change unseen.
    pub modified: i64,
}

/// A time that no file has.
pub(super) const NEVER: i64 = i64::MIN;

/// The bytes of a path, which need not be text.
#[cfg(unix)]
pub(super) fn bytes_of(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

/// The bytes of a path; what is no Unicode is replaced.
#[cfg(not(unix))]
pub(super) fn bytes_of(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

/// The path of some bytes.
#[cfg(unix)]
pub(super) fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes))
}

/// The path of some bytes.
#[cfg(not(unix))]
pub(super) fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files of a root: a range of paths in the order of their bytes.
pub(super) struct Scope {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
    /// The DICOMDIR whose list alone counts within the range.
    pub directory: Option<Vec<u8>>,
}

impl Scope {
    /// The scope of a folder, or of the folder of a DICOMDIR.
    pub(super) fn of(root: &Path) -> Self {
        // By its name as well: the medium may not be there now.
        let is_directory = root.is_file() || is_named_like_directory(root) && !root.is_dir();
        let folder = if is_directory {
            root.parent().unwrap_or(root)
        } else {
            root
        };
        Self {
            directory: is_directory.then(|| bytes_of(root)),
            ..Self::below(folder)
        }
    }

    /// The scope of a folder.
    fn below(folder: &Path) -> Self {
        let mut from = bytes_of(folder);
        let separator = MAIN_SEPARATOR as u8;
        if from.last() != Some(&separator) {
            from.push(separator);
        }
        let mut to = from.clone();
        if let Some(last) = to.last_mut() {
            *last += 1;
        }
        Self {
            from,
            to,
            directory: None,
        }
    }

    /// Whether a folder's scope holds a path; of a DICOMDIR, its list is to be asked.
    pub(super) fn holds(&self, path: &[u8]) -> bool {
        self.directory.is_none() && *self.from <= *path && *path < *self.to
    }
}

/// Does some work in a transaction that nobody else writes in.
pub(super) fn transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // Locked from its beginning: a reader that becomes a writer half-way may have to give up.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// Takes out series, studies and patients without files.
pub(super) fn prune(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.series = series.id)",
        "DELETE FROM studies WHERE id NOT IN (SELECT study FROM series)",
        "DELETE FROM patients WHERE id NOT IN (SELECT patient FROM studies)",
    ] {
        transaction.execute(statement, [])?;
    }
    Ok(())
}

/// Writes files in one transaction. Numbers of patients, studies and series are remembered for as long as it lasts,
/// because another process may take them out after it.
pub(super) struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    patients: HashMap<[String; 3], i64>,
    studies: HashMap<(i64, Key), i64>,
    series: HashMap<(i64, Key), i64>,
}

/// UID, or the folder where there is none.
type Key = (String, Vec<u8>);

fn key(uid: Option<&String>, folder: &Path) -> Key {
    match uid {
        Some(uid) => (uid.clone(), Vec::new()),
        None => (String::new(), bytes_of(folder)),
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>) -> Self {
        Self {
            transaction,
            patients: HashMap::new(),
            studies: HashMap::new(),
            series: HashMap::new(),
        }
    }

    /// Writes what was read of a file.
    pub(super) fn write(&mut self, found: &Found, head: &Result<Head, String>) -> rusqlite::Result<()> {
        let folder = found.path.parent().unwrap_or(Path::new(""));
        match head {
            Ok(Head::Dicom(header)) => {
                let series = self.series_of(header, folder)?;
                self.file(found, State::Instance, None, Some(series), Some(header), header.size)
            }
            Ok(Head::Picture(columns, rows)) => {
                let series = self.series_of(&pictures_of(folder), folder)?;
                self.file(
                    found,
                    State::Instance,
                    None,
                    Some(series),
                    None,
                    Some((*rows, *columns)),
                )
            }
            Ok(Head::Directory | Head::Other) => self.file(found, State::Other, None, None, None, None),
            Err(reason) => self.file(found, State::Unreadable, Some(reason), None, None, None),
        }
    }

    fn file(
        &self,
        found: &Found,
        state: State,
        reason: Option<&String>,
        series: Option<i64>,
        header: Option<&Header>,
        size: Option<(u32, u32)>,
    ) -> rusqlite::Result<()> {
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO files (path, size, modified, state, reason, series, sop_class, sop_instance,
                transfer_syntax, number, view, rows, columns, frames)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
            ON CONFLICT (path) DO UPDATE SET size = ?2, modified = ?3, state = ?4, reason = ?5, series = ?6,
                sop_class = ?7, sop_instance = ?8, transfer_syntax = ?9, number = ?10, view = ?11, rows = ?12,
                columns = ?13, frames = ?14
            RETURNING id",
        )?;
        let values = params![
            bytes_of(&found.path),
            found.size,
            found.modified,
            state as i64,
            reason,
            series,
            header.and_then(|header| header.sop_class_uid.as_ref()),
            header.and_then(|header| header.sop_instance_uid.as_ref()),
            header.map(|header| &header.transfer_syntax),
            header.and_then(|header| header.instance_number),
            header.and_then(|header| header.view_position.as_ref()),
            size.map(|(rows, _)| rows),
            size.map(|(_, columns)| columns),
            header.map_or(1, |header| header.frames),
        ];
        let id: i64 = insert.query_row(values, |row| row.get(0))?;
        let mut forget = self
            .transaction
            .prepare_cached("DELETE FROM thumbnails WHERE file = ?")?;
        forget.execute(params![id]).map(drop)
    }

    fn series_of(&mut self, header: &Header, folder: &Path) -> rusqlite::Result<i64> {
        let study = self.study_of(header, folder)?;
        let key = key(header.series.uid.as_ref(), folder);
        if let Some(&id) = self.series.get(&(study, key.clone())) {
            return Ok(id);
        }
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO series (study, uid, folder, number, modality, description, body_part)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (study, uid, folder) DO UPDATE SET number = coalesce(?4, number),
                modality = coalesce(?5, modality), description = coalesce(?6, description),
                body_part = coalesce(?7, body_part)
            RETURNING id",
        )?;
        let series = &header.series;
        let values = params![
            study,
            key.0,
            key.1,
            series.number,
            series.modality,
            series.description,
            series.body_part
        ];
        let id = insert.query_row(values, |row| row.get(0))?;
        self.series.insert((study, key), id);
        Ok(id)
    }

    fn study_of(&mut self, header: &Header, folder: &Path) -> rusqlite::Result<i64> {
        let patient = self.patient_of(header)?;
        let key = key(header.study.uid.as_ref(), folder);
        if let Some(&id) = self.studies.get(&(patient, key.clone())) {
            return Ok(id);
        }
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO studies (patient, uid, folder, date, time, description, accession)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (patient, uid, folder) DO UPDATE SET date = coalesce(?4, date), time = coalesce(?5, time),
                description = coalesce(?6, description), accession = coalesce(?7, accession)
            RETURNING id",
        )?;
        let study = &header.study;
        let values = params![
            patient,
            key.0,
            key.1,
            study.date,
            study.time,
            study.description,
            study.accession_number
        ];
        let id = insert.query_row(values, |row| row.get(0))?;
        self.studies.insert((patient, key), id);
        Ok(id)
    }

    /// Patients are one only if number, name and birth date agree: two people must never become one.
    fn patient_of(&mut self, header: &Header) -> rusqlite::Result<i64> {
        let identity = &header.identity;
        let key = [&identity.patient_id, &identity.patient_name, &identity.birth_date]
            .map(|part| part.clone().unwrap_or_default());
        if let Some(&id) = self.patients.get(&key) {
            return Ok(id);
        }
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO patients (patient_id, name, birth_date, sex) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (patient_id, name, birth_date) DO UPDATE SET sex = coalesce(?4, sex)
            RETURNING id",
        )?;
        let id = insert.query_row(params![key[0], key[1], key[2], identity.sex], |row| row.get(0))?;
        self.patients.insert(key, id);
        Ok(id)
    }
}

/// What stands for the header of pictures that have none: their folder is study and series.
fn pictures_of(folder: &Path) -> Header {
    let mut header = Header::default();
    header.study.description = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    header.series.description = Some("Pictures".to_owned());
    header
}
