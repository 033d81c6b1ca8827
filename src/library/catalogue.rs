//! What the index holds, as plain data: patients with their studies, series and instances.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Row, params};

use super::store::{Scope, State, path_of};
use super::{Error, Library};

/// Patients in the order of their names, with all that belongs to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The patients; files that name none are together under one without name and number.
    pub patients: Vec<Patient>,
}

/// A patient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patient {
    /// Number in the index.
    pub id: i64,
    /// Name as people write it; empty if no file has it.
    pub name: String,
    /// Patient ID; empty if no file has it.
    pub patient_id: String,
    /// `YYYYMMDD`; empty if no file has it.
    pub birth_date: String,
    /// Patient's Sex.
    pub sex: Option<String>,
    /// Latest first.
    pub studies: Vec<Study>,
}

/// A study, or the pictures of one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Study {
    /// Number in the index.
    pub id: i64,
    /// Study Instance UID; empty if there is none.
    pub uid: String,
    /// `YYYYMMDD`.
    pub date: Option<String>,
    /// `HHMMSS` or the beginning of it.
    pub time: Option<String>,
    /// Study Description, or the folder's name.
    pub description: Option<String>,
    /// Accession Number.
    pub accession: Option<String>,
    /// By number.
    pub series: Vec<Series>,
}

/// A series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// Number in the index.
    pub id: i64,
    /// Series Instance UID; empty if there is none.
    pub uid: String,
    /// Series Number.
    pub number: Option<i64>,
    /// Modality.
    pub modality: Option<String>,
    /// Series Description.
    pub description: Option<String>,
    /// Body Part Examined.
    pub body_part: Option<String>,
    /// By number, then by path.
    pub instances: Vec<Instance>,
}

/// A file that is one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// Number in the index.
    pub id: i64,
    /// The file.
    pub path: PathBuf,
    /// When the file was changed, as the index has it: nanoseconds since 1970.
    pub modified: i64,
    /// Instance Number.
    pub number: Option<i64>,
    /// View Position.
    pub view: Option<String>,
    /// Rows and columns in pixels; `None` for what has no pixels.
    pub size: Option<(u32, u32)>,
    /// Frames, at least 1.
    pub frames: u32,
}

/// How much the index holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Patients; files that name none count as one.
    pub patients: usize,
    /// Studies, and folders with pictures.
    pub studies: usize,
    /// Series.
    pub series: usize,
    /// Files that are an instance.
    pub instances: usize,
    /// Files of an instance that another file is as well.
    pub copies: usize,
    /// Files that are no pictures.
    pub other: usize,
    /// Files that are called or begin like pictures and cannot be read, by the reason.
    pub unreadable: BTreeMap<String, usize>,
}

const CATALOGUE: &str = "
    SELECT patients.id, patients.name, patients.patient_id, patients.birth_date, patients.sex,
        studies.id, studies.uid, studies.date, studies.time, studies.description, studies.accession,
        series.id, series.uid, series.number, series.modality, series.description, series.body_part,
        files.id, files.path, files.number, files.view, files.rows, files.columns, files.frames,
        files.modified
    FROM files
    JOIN series ON series.id = files.series
    JOIN studies ON studies.id = series.study
    JOIN patients ON patients.id = studies.patient
    WHERE files.path >= ?1 AND files.path < ?2
        AND (?3 IS NULL OR files.path IN (
            SELECT listed.path FROM listed JOIN roots ON roots.id = listed.root WHERE roots.path = ?3))
    ORDER BY patients.name COLLATE NOCASE, patients.id, studies.date DESC, studies.time DESC, studies.id,
        series.number, series.id, files.number, files.path";

const COUNTS: &str = "
    SELECT count(DISTINCT studies.patient), count(DISTINCT studies.id), count(DISTINCT series.id), count(*),
        count(files.sop_instance) - count(DISTINCT files.sop_instance)
    FROM files
    JOIN series ON series.id = files.series
    JOIN studies ON studies.id = series.study
    WHERE files.path >= ?1 AND files.path < ?2
        AND (?3 IS NULL OR files.path IN (
            SELECT listed.path FROM listed JOIN roots ON roots.id = listed.root WHERE roots.path = ?3))";

const STATES: &str = "
    SELECT state, coalesce(reason, ''), count(*) FROM files
    WHERE path >= ?1 AND path < ?2 AND state <> 0
        AND (?3 IS NULL OR files.path IN (
            SELECT listed.path FROM listed JOIN roots ON roots.id = listed.root WHERE roots.path = ?3))
    GROUP BY state, reason";

impl Library {
    /// What the index holds below a root, or all of it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn catalogue(&self, root: Option<&Path>) -> Result<Catalogue, Error> {
        let read = || {
            let scope = scope(root);
            let mut query = self.connection.prepare_cached(CATALOGUE)?;
            let mut rows = query.query(params![scope.from, scope.to, scope.directory])?;
            let mut catalogue = Catalogue::default();
            while let Some(row) = rows.next()? {
                catalogue.add(row)?;
            }
            Ok(catalogue)
        };
        read().map_err(|cause| self.failed(cause))
    }

    /// How much it holds below a root, or in all.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn counts(&self, root: Option<&Path>) -> Result<Counts, Error> {
        let read = || {
            let scope = scope(root);
            let count = |row: &Row<'_>, column| row.get::<_, i64>(column).map(|count| count as usize);
            let mut counts =
                self.connection
                    .query_row(COUNTS, params![scope.from, scope.to, scope.directory], |row| {
                        Ok(Counts {
                            patients: count(row, 0)?,
                            studies: count(row, 1)?,
                            series: count(row, 2)?,
                            instances: count(row, 3)?,
                            copies: count(row, 4)?,
                            ..Counts::default()
                        })
                    })?;
            let mut query = self.connection.prepare_cached(STATES)?;
            let mut rows = query.query(params![scope.from, scope.to, scope.directory])?;
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(0)? == State::Other as i64 {
                    counts.other += count(row, 2)?;
                } else {
                    counts.unreadable.insert(row.get(1)?, count(row, 2)?);
                }
            }
            Ok(counts)
        };
        read().map_err(|cause| self.failed(cause))
    }
}

fn scope(root: Option<&Path>) -> Scope {
    root.map_or_else(
        || Scope {
            from: Vec::new(),
            to: vec![u8::MAX],
            directory: None,
        },
        Scope::of,
    )
}

/// The last of a list if it is the one with this number, else a new one at its end.
fn last_or_new<T>(
    list: &mut Vec<T>,
    is_it: impl Fn(&T) -> bool,
    new: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<&mut T> {
    if !list.last().is_some_and(is_it) {
        list.push(new()?);
    }
    Ok(list.last_mut().expect("there is one by now"))
}

impl Catalogue {
    /// Adds a row; rows of one series come together.
    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let (patient, study, series): (i64, i64, i64) = (row.get(0)?, row.get(5)?, row.get(11)?);
        let patient = last_or_new(&mut self.patients, |last| last.id == patient, || patient_of(row))?;
        let study = last_or_new(&mut patient.studies, |last| last.id == study, || study_of(row))?;
        let series = last_or_new(&mut study.series, |last| last.id == series, || series_of(row))?;
        series.instances.push(instance_of(row)?);
        Ok(())
    }
}

fn patient_of(row: &Row<'_>) -> rusqlite::Result<Patient> {
    Ok(Patient {
        id: row.get(0)?,
        name: row.get(1)?,
        patient_id: row.get(2)?,
        birth_date: row.get(3)?,
        sex: row.get(4)?,
        studies: Vec::new(),
    })
}

fn study_of(row: &Row<'_>) -> rusqlite::Result<Study> {
    Ok(Study {
        id: row.get(5)?,
        uid: row.get(6)?,
        date: row.get(7)?,
        time: row.get(8)?,
        description: row.get(9)?,
        accession: row.get(10)?,
        series: Vec::new(),
    })
}

fn series_of(row: &Row<'_>) -> rusqlite::Result<Series> {
    Ok(Series {
        id: row.get(11)?,
        uid: row.get(12)?,
        number: row.get(13)?,
        modality: row.get(14)?,
        description: row.get(15)?,
        body_part: row.get(16)?,
        instances: Vec::new(),
    })
}

fn instance_of(row: &Row<'_>) -> rusqlite::Result<Instance> {
    Ok(Instance {
        id: row.get(17)?,
        path: path_of(row.get(18)?),
        modified: row.get(24)?,
        number: row.get(19)?,
        view: row.get(20)?,
        size: row.get::<_, Option<u32>>(21)?.zip(row.get::<_, Option<u32>>(22)?),
        frames: row.get::<_, Option<u32>>(23)?.unwrap_or(1),
    })
}
