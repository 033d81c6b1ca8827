//! The table of labelled files that training and evaluation read: `manifest.csv` in the data folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the table in a data folder.
pub const FILE_NAME: &str = "manifest.csv";

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table cannot be read.
    #[error("{path}: the manifest cannot be read: {reason}")]
    Read {
        /// The table.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// A required column is missing.
    #[error("{path}: the manifest has no column '{column}'")]
    Column {
        /// The table.
        path: PathBuf,
        /// Its name.
        column: &'static str,
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
    /// What it outlines, such as `lung-field`; empty if the table does not say.
    pub style: String,
    /// Who drew it, such as `manual`; empty if the table does not say.
    pub origin: String,
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
    /// Whether the table calls the image a lateral one; those are neither trained on nor evaluated.
    pub fn is_lateral(&self) -> bool {
        self.view
            .as_deref()
            .is_some_and(|view| view.eq_ignore_ascii_case("lateral"))
    }

    /// Whether its mask is what phase I learns: the lung field, drawn by hand.
    pub fn has_manual_lung_field(&self) -> bool {
        self.mask
            .as_ref()
            .is_some_and(|mask| mask.style == "lung-field" && mask.origin == "manual")
    }
}

/// A data folder's table.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The folder that file names are relative to.
    pub folder: PathBuf,
    /// The rows in the table's order.
    pub rows: Vec<Row>,
}

impl Manifest {
    /// Reads `folder/manifest.csv`. Columns `file` and `label` are required; `group`, `patient`, `mask`,
    /// `mask_style`, `mask_origin`, `source`, `view`, `note` and `licence` are used if there.
    ///
    /// # Errors
    /// If the table cannot be read, lacks a required column or holds an unusable row.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE_NAME);
        let unreadable = |e: csv::Error| Error::Read {
            path: path.clone(),
            reason: e.to_string(),
        };
        let mut reader = csv::Reader::from_path(&path).map_err(unreadable)?;
        let columns: BTreeMap<String, usize> = reader
            .headers()
            .map_err(unreadable)?
            .iter()
            .enumerate()
            .map(|(i, name)| (name.trim_start_matches('\u{feff}').trim().to_owned(), i))
            .collect();
        for column in ["file", "label"] {
            if !columns.contains_key(column) {
                return Err(Error::Column { path, column });
            }
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            let line = record.position().map_or(0, csv::Position::line);
            let row = parse(folder, &columns, &record);
            rows.push(row.map_err(|reason| Error::Row {
                path: path.clone(),
                line,
                reason,
            })?);
        }
        Ok(Self {
            folder: folder.to_owned(),
            rows,
        })
    }

    /// Checks that every image and mask of the given rows exists.
    ///
    /// # Errors
    /// Naming the first file that does not.
    pub fn check_files<'a>(&self, rows: impl IntoIterator<Item = &'a Row>) -> Result<(), Error> {
        for row in rows {
            let mask = row.mask.as_ref().map(|mask| &mask.path);
            if let Some(missing) = std::iter::once(&row.path).chain(mask).find(|path| !path.is_file()) {
                return Err(Error::Read {
                    path: self.folder.join(FILE_NAME),
                    reason: format!("it names {}, which is not there", missing.display()),
                });
            }
        }
        Ok(())
    }
}

fn parse(folder: &Path, columns: &BTreeMap<String, usize>, record: &csv::StringRecord) -> Result<Row, String> {
    let cell = |column: &str| {
        let text = columns.get(column).and_then(|&i| record.get(i)).map_or("", str::trim);
        (!text.is_empty()).then(|| text.to_owned())
    };
    let file = cell("file").ok_or("no file name")?;
    let label = cell("label").ok_or_else(|| format!("{file} has no label"))?;
    let class = if label == "covid" {
        Class::Covid19
    } else {
        Class::Control
    };
    let mask = cell("mask").map(|mask| MaskFile {
        path: folder.join(mask),
        style: cell("mask_style").unwrap_or_default(),
        origin: cell("mask_origin").unwrap_or_default(),
    });
    Ok(Row {
        path: folder.join(&file),
        group: cell("group")
            .or_else(|| cell("patient"))
            .unwrap_or_else(|| file.clone()),
        source: cell("source"),
        view: cell("view"),
        note: cell("note"),
        licence: cell("licence"),
        file,
        label,
        class,
        mask,
    })
}
