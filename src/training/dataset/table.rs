//! CSV tables with named columns, read row by row; what is missing is named with what is there instead.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::training::manifest::Error;

/// An open table.
pub struct Table {
    path: PathBuf,
    columns: BTreeMap<String, usize>,
    reader: csv::Reader<File>,
}

/// The cells of a row.
pub struct Cells<'a> {
    columns: &'a BTreeMap<String, usize>,
    record: &'a csv::StringRecord,
}

impl Cells<'_> {
    /// A cell without blanks around it; `None` if it is empty or there is no such column.
    pub fn get(&self, column: &str) -> Option<&str> {
        let text = self.columns.get(column).and_then(|&i| self.record.get(i))?.trim();
        (!text.is_empty()).then_some(text)
    }
}

impl Table {
    /// Opens a table and reads its header.
    ///
    /// # Errors
    /// If it cannot be read or lacks one of the `required` columns.
    pub fn open(path: &Path, required: &[&'static str]) -> Result<Self, Error> {
        let mut reader = csv::Reader::from_path(path).map_err(|e| unreadable(path, &e))?;
        let columns: BTreeMap<String, usize> = reader
            .headers()
            .map_err(|e| unreadable(path, &e))?
            .iter()
            .enumerate()
            .map(|(i, name)| (name.trim_start_matches('\u{feff}').trim().to_owned(), i))
            .collect();
        if let Some(&column) = required.iter().find(|column| !columns.contains_key(**column)) {
            let names: Vec<&str> = columns.keys().map(String::as_str).collect();
            return Err(Error::Column {
                path: path.to_owned(),
                column,
                hint: hint(column, &names),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            columns,
            reader,
        })
    }

    /// What `parse` makes of every row.
    ///
    /// # Errors
    /// If the table cannot be read to its end, or naming the first line that `parse` refuses.
    pub fn map<T>(mut self, mut parse: impl FnMut(&Cells<'_>) -> Result<T, String>) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        for record in self.reader.records() {
            let record = record.map_err(|e| unreadable(&self.path, &e))?;
            let cells = Cells {
                columns: &self.columns,
                record: &record,
            };
            let line = record.position().map_or(0, csv::Position::line);
            rows.push(parse(&cells).map_err(|reason| Error::Row {
                path: self.path.clone(),
                line,
                reason,
            })?);
        }
        Ok(rows)
    }
}

fn unreadable(path: &Path, error: &csv::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// What to do about a missing column.
fn hint(column: &str, names: &[&str]) -> String {
    if let [only] = names
        && let Some(separator) = [';', '\t', '|'].into_iter().find(|&separator| only.contains(separator))
    {
        return format!("its cells seem to be parted by {separator:?}; save it with commas");
    }
    match nearest(column, names) {
        Some(name) => format!("the nearest that it has is '{name}': is that meant? then call it '{column}'"),
        None if names.iter().all(|name| name.is_empty()) => {
            "its first line is empty: the names of the columns belong there".to_owned()
        }
        None => format!("it has {}; add it", names.join(", ")),
    }
}

/// The name that takes the fewest changed letters, if those are at most half of the longer one.
fn nearest<'a>(column: &str, names: &[&'a str]) -> Option<&'a str> {
    let (changes, name) = names
        .iter()
        .map(|name| (distance(column, &name.to_lowercase()), *name))
        .min()?;
    (2 * changes <= column.chars().count().max(name.chars().count())).then_some(name)
}

/// Letters to insert, remove or change to make one word the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut line: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut line[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = line[j + 1];
            line[j + 1] = changed.min(line[j] + 1).min(diagonal + 1);
        }
    }
    line[other.len()]
}
