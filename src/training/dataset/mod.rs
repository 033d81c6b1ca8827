//! Data sets as they are downloaded, each found by its own layout, to one [`Manifest`]. Nothing is decoded, and nothing
//! is written into a data folder.

mod category;
mod chestxray14;
mod indiana;
mod jsrt;
mod kermany;
mod layout;
mod montgomery;
pub mod paper_table;
mod patient;
mod qata;
mod shenzhen;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::{self, Manifest, Row};
use super::split::{self, SPLIT_SEED, Split, SplitRule};
use layout::Folders;

pub use category::Category;
pub use patient::patient_of;
pub use qata::QataVersion;
pub use table::{Cells, Table};

/// Why folders give no data set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table cannot be used.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// The data cannot be parted.
    #[error(transparent)]
    Split(#[from] split::Error),
    /// There is no data set in the folder.
    #[error(
        "{folder}: the data cannot be read: {reason}; name a folder with manifest.csv or with one of the data sets {}",
        DatasetKind::titles()
    )]
    Unknown {
        /// The folder.
        folder: PathBuf,
        /// Cause.
        reason: String,
    },
    /// A folder or file of a data set is not as it should be.
    #[error("{path}: {reason}")]
    Layout {
        /// Where.
        path: PathBuf,
        /// Cause, and what to do.
        reason: String,
    },
}

/// The data sets that are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetKind {
    /// Any folder with a `manifest.csv`; DICOM files among others.
    Manifest,
    /// QaTa-COV19 with its control groups.
    Qata,
    /// Montgomery County, with lung masks.
    Montgomery,
    /// JSRT with the lung masks of SCR.
    Jsrt,
    /// Shenzhen, with lung masks.
    Shenzhen,
    /// ChestX-ray14.
    ChestXray14,
    /// Children of Guangzhou with and without pneumonia.
    Kermany,
    /// Indiana University, frontal and lateral.
    Indiana,
}

/// How a kind is called, found and read.
struct Source {
    title: &'static str,
    layout: &'static str,
    is_here: fn(&Folders) -> bool,
    read: fn(&Folders, &Options) -> Result<Found, Error>,
}

/// What a source finds in its folder.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Found {
    /// Says how many images of a table are not there, if any.
    fn note_missing(&mut self, missing: usize, table: &Path) {
        if missing > 0 {
            self.notes.push(format!(
                "{missing} images that {} names are not in the folder and are left out.",
                table.display()
            ));
        }
    }
}

/// What to take of the data, and how to part them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Further data folders: Indiana's beside QaTa-COV19, JSRT's beside Montgomery's.
    pub beside: Vec<PathBuf>,
    /// Whether QaTa-COV19's control group I is taken as well; the paper's task leaves it out.
    pub control_group_1: bool,
    /// Which COVID-19 images of QaTa-COV19; by default those that are there, v1 if both are.
    pub qata_version: Option<QataVersion>,
    /// How the data are parted; by default as their kind is.
    pub split_rule: Option<SplitRule>,
    /// Seed of the split; by default [`SPLIT_SEED`].
    pub split_seed: Option<u64>,
    /// File that keeps the split: read if it is there, else written.
    pub split_file: Option<PathBuf>,
}

impl Options {
    /// The same for a look that leaves nothing behind: a split file that is not there yet is for a run to write.
    #[must_use]
    pub fn without_new_split_file(mut self) -> Self {
        self.split_file = self.split_file.filter(|file| file.exists());
        self
    }
}

impl DatasetKind {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 8] = [
        Self::Manifest,
        Self::Qata,
        Self::Montgomery,
        Self::Jsrt,
        Self::Shenzhen,
        Self::ChestXray14,
        Self::Kermany,
        Self::Indiana,
    ];

    /// Its name for a reader.
    pub fn title(self) -> &'static str {
        self.source().title
    }

    /// How its folder is recognised, for a reader.
    pub fn layout(self) -> &'static str {
        self.source().layout
    }

    /// Every kind but the manifest.
    fn titles() -> String {
        let titles: Vec<&str> = Self::ALL[1..].iter().map(|kind| kind.title()).collect();
        titles.join(", ")
    }

    fn source(self) -> &'static Source {
        match self {
            Self::Manifest => &MANIFEST,
            Self::Qata => &qata::SOURCE,
            Self::Montgomery => &montgomery::SOURCE,
            Self::Jsrt => &jsrt::SOURCE,
            Self::Shenzhen => &shenzhen::SOURCE,
            Self::ChestXray14 => &chestxray14::SOURCE,
            Self::Kermany => &kermany::SOURCE,
            Self::Indiana => &indiana::SOURCE,
        }
    }
}

impl fmt::Display for DatasetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

const MANIFEST: Source = Source {
    title: "manifest.csv",
    layout: "manifest.csv with the columns file and label",
    is_here: |folders| folders.root().join(manifest::FILE_NAME).exists(),
    read: |folders, _| {
        Ok(Found {
            rows: Manifest::read(folders.root())?.rows,
            notes: Vec::new(),
        })
    },
};

/// What a folder holds, by its layout alone.
///
/// # Errors
/// If the folder cannot be read, or holds no data set or several.
pub fn recognise(folder: &Path) -> Result<DatasetKind, Error> {
    look(folder).map(|(kind, _)| kind)
}

/// Reads the data set in a folder and in those beside it, and parts it.
///
/// # Errors
/// If a folder holds no data set or a broken one, the folders do not go together, or the split does not fit.
pub fn open(folder: &Path, options: &Options) -> Result<Manifest, Error> {
    let mut parts = Vec::new();
    for folder in std::iter::once(folder).chain(options.beside.iter().map(PathBuf::as_path)) {
        let (kind, folders) = look(folder)?;
        let mut found = (kind.source().read)(&folders, options)?;
        if found.rows.is_empty() {
            return Err(Error::Layout {
                path: folder.to_owned(),
                reason: format!("{kind} is here, but without any image; look whether it was unpacked whole"),
            });
        }
        found.rows.shrink_to_fit();
        parts.push((kind, found));
    }
    let mut manifest = join(folder, parts)?;
    part(&mut manifest, options)?;
    Ok(manifest)
}

fn look(folder: &Path) -> Result<(DatasetKind, Folders), Error> {
    let unknown = |reason: &str| Error::Unknown {
        folder: folder.to_owned(),
        reason: reason.to_owned(),
    };
    match std::fs::metadata(folder) {
        Err(error) => return Err(unknown(&error.to_string())),
        Ok(there) if !there.is_dir() => return Err(unknown("this is a file, not a folder")),
        Ok(_) => {}
    }
    // A table says what counts, whatever else lies around it.
    let itself = Folders::only(folder);
    if (MANIFEST.is_here)(&itself) {
        return Ok((DatasetKind::Manifest, itself));
    }
    let folders = Folders::of(folder)?;
    let here = DatasetKind::ALL[1..]
        .iter()
        .filter(|kind| (kind.source().is_here)(&folders));
    match here.collect::<Vec<_>>().as_slice() {
        [] => Err(unknown("no known data set lies in it")),
        [kind] => Ok((**kind, folders)),
        several => {
            let titles: Vec<&str> = several.iter().map(|kind| kind.title()).collect();
            Err(Error::Layout {
                path: folder.to_owned(),
                reason: format!(
                    "several data sets lie in this folder: {}; name the folder of each by itself, or move them apart",
                    titles.join(", ")
                ),
            })
        }
    }
}

/// Puts the rows of several folders together. With more than one, files are named after their data set, so that equal
/// names stay apart.
fn join(folder: &Path, parts: Vec<(DatasetKind, Found)>) -> Result<Manifest, Error> {
    let kinds: Vec<DatasetKind> = parts.iter().map(|(kind, _)| *kind).collect();
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for (place, (kind, mut found)) in parts.into_iter().enumerate() {
        let again = kinds[..place].iter().filter(|other| **other == kind).count();
        if again > 0 && kind != DatasetKind::Manifest {
            return Err(Error::Layout {
                path: folder.to_owned(),
                reason: format!("{kind} is named twice; name each data set once"),
            });
        }
        if kind == DatasetKind::Indiana && kinds.contains(&DatasetKind::Qata) {
            indiana::keep_laterals(&mut found);
        }
        if kinds.len() > 1 {
            let prefix = match again {
                0 => kind.title().to_owned(),
                again => format!("{kind}-{}", again + 1),
            };
            for row in &mut found.rows {
                row.file = format!("{prefix}/{}", row.file);
            }
        }
        rows.append(&mut found.rows);
        notes.append(&mut found.notes);
    }
    // Tables may call different images alike; known sources do not.
    if kinds.len() > 1 && kinds.iter().any(|kind| *kind != DatasetKind::Manifest) {
        refuse_twice(&rows)?;
    }
    if kinds.contains(&DatasetKind::Qata) && !kinds.contains(&DatasetKind::Indiana) {
        notes.push(
            "The paper's control group has 3,648 lateral views of the Indiana University collection, which this \
             download lacks; name its folder as well to have them."
                .to_owned(),
        );
    }
    Ok(Manifest {
        folder: folder.to_owned(),
        rows,
        kinds,
        split: Split::default(),
        notes,
    })
}

/// Refuses folders that hold the same images of one source.
fn refuse_twice(rows: &[Row]) -> Result<(), Error> {
    let mut seen: BTreeMap<(&str, &str), &Row> = BTreeMap::new();
    for row in rows {
        let Some(source) = &row.source else { continue };
        let folder = |row: &Row| row.file.split('/').next().unwrap_or_default().to_owned();
        let name = layout::file_name(&row.path);
        if let Some(other) = seen.insert((source, name), row)
            && folder(other) != folder(row)
        {
            return Err(Error::Layout {
                path: row.path.clone(),
                reason: format!(
                    "this is the same image of {source} as {}: {} and {} overlap; name one of the two",
                    other.path.display(),
                    folder(other),
                    folder(row)
                ),
            });
        }
    }
    Ok(())
}

/// Parts a manifest by its split file if there is one, else by the rule.
fn part(manifest: &mut Manifest, options: &Options) -> Result<(), Error> {
    let rule = options.split_rule.unwrap_or_else(|| usual_rule(manifest));
    let seed = options.split_seed.unwrap_or(SPLIT_SEED);
    manifest.split = match &options.split_file {
        Some(file) if file.exists() => {
            let split = split::file::read(file, &mut manifest.rows)?;
            let other_rule = options.split_rule.is_some_and(|rule| rule != split.rule);
            let other_seed = options.split_seed.is_some_and(|seed| seed != split.seed);
            if other_rule || other_seed {
                return Err(Error::Layout {
                    path: file.clone(),
                    reason: format!(
                        "this file keeps a split by the rule {} with seed {}, not the one asked for; name another \
                         file, or leave rule and seed away",
                        split.rule, split.seed
                    ),
                });
            }
            split
        }
        file => {
            let split = Split::assign(&mut manifest.rows, rule, seed)?;
            if let Some(file) = file {
                split::file::write(file, &manifest.rows, &split)?;
            }
            split
        }
    };
    let split = &manifest.split;
    if !split.leakage.is_none() && split.rule != SplitRule::Hash {
        manifest.notes.push(format!(
            "{} patients or groups are both in the test part (with {} images) and outside it: the test is not \
             independent. The rule paper keeps them apart.",
            split.leakage.groups, split.leakage.test_images
        ));
    }
    Ok(())
}

/// How data are parted if nobody says: tables by the hash, Kermany's as they come, everything else as in the paper.
fn usual_rule(manifest: &Manifest) -> SplitRule {
    let all = |kind| manifest.kinds.iter().all(|other| *other == kind);
    if all(DatasetKind::Manifest) {
        SplitRule::Hash
    } else if all(DatasetKind::Kermany) {
        SplitRule::Predefined
    } else {
        SplitRule::Paper
    }
}
