//! What was changed, for who has to answer for it: JSON, or a CSV line a change. Without values of the patient unless
//! they were asked for; but it says which file became which, so it stays with the originals.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::burned_in::{Detection, Region};
use super::rewrite::Change;
use super::{Masking, Options, profile, safe_private};

/// How a file fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was written.
    Written,
    /// It had been written before, and is whole.
    Kept,
    /// It was not written; a sentence says why.
    Failed(String),
}

/// One file of a batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileReport {
    /// The original.
    pub source: PathBuf,
    /// How it fared.
    pub status: Status,
    /// Name of the file that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What was changed; not known of files that had been written before.
    pub changes: Vec<Change>,
    /// Rectangles that were masked.
    pub masked: Vec<Region>,
    /// Text that was found in the pixels.
    pub detections: Vec<Detection>,
    /// What is to be looked at before the file is released.
    pub warnings: Vec<String>,
}

impl FileReport {
    /// The report of a file of which there is nothing else to be said.
    pub(super) fn new(source: &Path, status: Status) -> Self {
        Self {
            source: source.to_owned(),
            status,
            output: None,
            changes: Vec::new(),
            masked: Vec::new(),
            detections: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// A whole batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Edition of PS3.15 whose table was applied.
    pub edition: &'static str,
    /// Edition of PS3.15 whose list of safe private attributes was applied.
    pub safe_private_edition: &'static str,
    /// The options.
    pub options: Options,
    /// Text in the pixels.
    pub masking: Masking,
    /// Whether it was ended before all files were treated.
    pub cancelled: bool,
    /// What else is to be known of it: files that were not found or passed over.
    pub notes: Vec<String>,
    /// Its files, by their names.
    pub files: Vec<FileReport>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object.
    Json,
    /// A CSV line a change.
    Csv,
}

impl Form {
    /// The form that a file's name ends in, in whatever case; `None` for every other ending, and where a name is nothing
    /// but one.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

impl Report {
    /// An empty report.
    pub fn new(options: Options, masking: Masking) -> Self {
        Self {
            edition: profile::EDITION,
            safe_private_edition: safe_private::EDITION,
            options,
            masking,
            cancelled: false,
            notes: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Numbers of files that were written, had been written before, and failed.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |status: fn(&Status) -> bool| self.files.iter().filter(|file| status(&file.status)).count();
        (
            count(|status| *status == Status::Written),
            count(|status| *status == Status::Kept),
            count(|status| matches!(status, Status::Failed(_))),
        )
    }

    /// These numbers in words.
    pub fn summary(&self) -> String {
        let (written, kept, failed) = self.counts();
        format!("{written} written, {kept} written before, {failed} failed")
    }

    /// Its bytes.
    ///
    /// # Errors
    /// As [`Report::to_json`] and [`Report::to_csv`].
    pub fn to_bytes(&self, form: Form) -> Result<Vec<u8>, String> {
        match form {
            Form::Json => self.to_json(),
            Form::Csv => self.to_csv(),
        }
    }

    /// As JSON.
    ///
    /// # Errors
    /// If a path is no Unicode text.
    pub fn to_json(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec_pretty(self).map_err(|error| format!("the report cannot be written as JSON: {error}"))
    }

    /// As CSV: source, output, status, path, name, action, old, new; files without changes have one line.
    ///
    /// # Errors
    /// If the table's writer fails.
    pub fn to_csv(&self) -> Result<Vec<u8>, String> {
        let mut table = csv::Writer::from_writer(Vec::new());
        let mut write = |row: [&str; 8]| table.write_record(row).map_err(|error| error.to_string());
        write(["source", "output", "status", "path", "name", "action", "old", "new"])?;
        for file in &self.files {
            let source = file.source.to_string_lossy();
            let output = file.output.as_deref().unwrap_or_default();
            let status = match &file.status {
                Status::Written => "written",
                Status::Kept => "kept",
                Status::Failed(reason) => reason,
            };
            if file.changes.is_empty() {
                write([&source, output, status, "", "", "", "", ""])?;
            }
            for change in &file.changes {
                let (old, new) = (change.old.as_deref(), change.new.as_deref());
                let (path, name) = (change.path.as_str(), change.name.as_str());
                let action = change.action.word();
                write([
                    &source,
                    output,
                    status,
                    path,
                    name,
                    action,
                    old.unwrap_or(""),
                    new.unwrap_or(""),
                ])?;
            }
        }
        table.into_inner().map_err(|error| error.to_string())
    }
}
