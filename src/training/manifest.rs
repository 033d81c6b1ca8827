//! The table of labelled files that training and evaluation read: `manifest.csv` in the data folder.

use std::path::{Path, PathBuf};

use super::dataset::{Category, Cells, DatasetKind, Table};
use super::split::{Part, Split};

/// Name of the table in a data folder.
pub const FILE_NAME: &str = "manifest.csv";

/// Style of a mask that outlines the lung fields.
pub const LUNG_FIELD: &str = "lung-field";
/// Style of a mask that outlines infected regions, as the `mask_*` files of QaTa-COV19 do.
pub const INFECTED_REGION: &str = "infected-region";
/// Origin of a mask that was drawn by hand.
pub const MANUAL: &str = "manual";

/// Why a table of labelled files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table cannot be read.
    #[error("{path}: the table cannot be read: {reason}")]
    Read {
        /// The table.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// A required column is missing.
    #[error("{path}: the table has no column '{column}'; {hint}")]
    Column {
        /// The table.
        path: PathBuf,
        /// Its name.
        column: &'static str,
        /// What is there instead, and what to do.
        hint: String,
    },
    /// A row cannot be used.
    #[error("{path}: line {line}: {reason}")]
    Row {
        /// The table.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// Cause.
        reason: String,
    },
    /// A file that belongs to the data is not there.
    #[error("{path}: the file is not there, but the data have it; put it back, or take it out of {list}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Where it is named.
        list: String,
    },
}

/// The class that a label stands for; its number is the classifier's neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Neuron 0: every label but `covid`.
    Control = 0,
    /// Neuron 1: the label `covid`.
    Covid19 = 1,
}

/// A ground-truth mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Further files whose insides belong to it: the mask of the other lung.
    pub more: Vec<PathBuf>,
    /// What it outlines, such as `lung-field`; empty if the table does not say.
    pub style: String,
    /// Who drew it, such as `manual`; empty if the table does not say.
    pub origin: String,
}

impl MaskFile {
    /// All its files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.path).chain(&self.more).map(PathBuf::as_path)
    }
}

/// One labelled image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The image as the table names it.
    pub file: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The label as the table gives it.
    pub label: String,
    /// What it stands for.
    pub class: Class,
    /// What must not be split between parts: the column `group`, else `patient`, else the file.
    pub group: String,
    /// The patient, if known.
    pub patient: Option<String>,
    /// Which of the paper's groups it belongs to.
    pub category: Category,
    /// The part it comes with, if the data set is parted.
    pub predefined: Option<Part>,
    /// The part that a split gave it; see [`Row::part`].
    pub assigned: Option<Part>,
    /// The mask, if the table names one.
    pub mask: Option<MaskFile>,
    /// Where the image comes from.
    pub source: Option<String>,
    /// `frontal` or `lateral`, if the table says.
    pub view: Option<String>,
    /// The column `note`.
    pub note: Option<String>,
    /// The image's licence.
    pub licence: Option<String>,
}

impl Row {
    /// A row of which only file and label are known; its group is the file.
    pub fn new(folder: &Path, file: &str, label: &str) -> Self {
        Self {
            path: folder.join(file),
            class: if label == "covid" {
                Class::Covid19
            } else {
                Class::Control
            },
            category: Category::of(label, None),
            group: file.to_owned(),
            file: file.to_owned(),
            label: label.to_owned(),
            patient: None,
            predefined: None,
            assigned: None,
            mask: None,
            source: None,
            view: None,
            note: None,
            licence: None,
        }
    }

    /// Its part: what the split gave it, else the hash of its group.
    pub fn part(&self) -> Part {
        self.assigned.unwrap_or_else(|| Part::of(&self.group))
    }

    /// Whether the table calls the image a lateral one.
    pub fn is_lateral(&self) -> bool {
        self.view
            .as_deref()
            .is_some_and(|view| view.eq_ignore_ascii_case("lateral"))
    }

    /// Whether it is a lateral that is neither trained on nor evaluated; see [`Category::takes_laterals`].
    pub fn is_left_out(&self) -> bool {
        self.is_lateral() && !self.category.takes_laterals()
    }

    /// Whether its mask is what phase I learns: the lung field, drawn by hand.
    pub fn has_manual_lung_field(&self) -> bool {
        self.mask
            .as_ref()
            .is_some_and(|mask| mask.style == LUNG_FIELD && mask.origin == MANUAL)
    }

    /// Whether phase I takes it.
    pub fn is_for_segmentation(&self) -> bool {
        !self.is_left_out() && self.has_manual_lung_field()
    }

    /// Whether phase II takes it.
    pub fn is_for_classification(&self) -> bool {
        !self.is_left_out()
    }
}

/// The labelled files of one or several data folders.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The folder that file names are relative to; the first one, if there are several.
    pub folder: PathBuf,
    /// The rows in the table's order.
    pub rows: Vec<Row>,
    /// What the folders hold, in their order.
    pub kinds: Vec<DatasetKind>,
    /// How the rows are parted.
    pub split: Split,
    /// Sentences for the user about what was found, left out or is missing.
    pub notes: Vec<String>,
}

impl Manifest {
    /// Reads `folder/manifest.csv`. Columns `file` and `label` are required; `group`, `patient`, `mask`,
    /// `mask_style`, `mask_origin`, `source`, `view`, `note`, `licence`, `category` and `part` are used if there.
    ///
    /// # Errors
    /// If the table cannot be read, lacks a required column or holds an unusable row.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let table = Table::open(&folder.join(FILE_NAME), &["file", "label"])?;
        Ok(Self {
            folder: folder.to_owned(),
            rows: table.map(|cells| parse(folder, cells))?,
            kinds: vec![DatasetKind::Manifest],
            split: Split::default(),
            notes: Vec::new(),
        })
    }

    /// Checks that every image and mask of the given rows exists.
    ///
    /// # Errors
    /// Naming the first file that does not.
    pub fn check_files<'a>(&self, rows: impl IntoIterator<Item = &'a Row>) -> Result<(), Error> {
        for row in rows {
            let masks = row.mask.iter().flat_map(MaskFile::files);
            if let Some(missing) = std::iter::once(row.path.as_path())
                .chain(masks)
                .find(|path| !path.is_file())
            {
                return Err(Error::Missing {
                    path: missing.to_owned(),
                    list: match self.kinds.as_slice() {
                        [DatasetKind::Manifest] => self.folder.join(FILE_NAME).display().to_string(),
                        _ => "the data set's tables and run this again".to_owned(),
                    },
                });
            }
        }
        Ok(())
    }
}

fn parse(folder: &Path, cells: &Cells<'_>) -> Result<Row, String> {
    let cell = |column: &str| cells.get(column).map(str::to_owned);
    let file = cell("file").ok_or("no file name")?;
    let label = cell("label").ok_or_else(|| format!("{file} has no label"))?;
    let mask = cell("mask").map(|mask| MaskFile {
        path: folder.join(mask),
        more: Vec::new(),
        style: cell("mask_style").unwrap_or_default(),
        origin: cell("mask_origin").unwrap_or_default(),
    });
    let predefined = match cells.get("part") {
        None => None,
        Some(part) => Some(
            Part::named(part)
                .ok_or_else(|| format!("{file} is in the part '{part}'; there are train, val and test"))?,
        ),
    };
    let source = cell("source");
    // A column of that name may hold words of somebody else, which say nothing here.
    let named = cells.get("category").and_then(|category| category.parse().ok());
    Ok(Row {
        group: cell("group")
            .or_else(|| cell("patient"))
            .unwrap_or_else(|| file.clone()),
        patient: cell("patient"),
        category: named.unwrap_or_else(|| Category::of(&label, source.as_deref())),
        predefined,
        mask,
        source,
        view: cell("view"),
        note: cell("note"),
        licence: cell("licence"),
        ..Row::new(folder, &file, &label)
    })
}
