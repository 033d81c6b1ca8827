//! An audit in a folder: `audit.json`, and its figures as tables.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::atomic_file;

use super::Audit;

/// The file.
pub const FILE: &str = "audit.json";
/// ROC-AUC by region and by source.
const AREAS: &str = "roc_auc.csv";
/// The in-lung activation's distribution.
const IN_LUNG: &str = "in_lung.csv";

/// Why an audit cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// Cause.
    pub reason: String,
}

/// Writes an audit into a folder, which is made if need be.
///
/// # Errors
/// If the folder or the file cannot be written.
pub fn write(folder: &Path, audit: &Audit) -> Result<(), Error> {
    let path = folder.join(FILE);
    let fail = |reason: String| Error {
        path: path.clone(),
        reason,
    };
    std::fs::create_dir_all(folder).map_err(|e| fail(format!("the folder cannot be made: {e}")))?;
    let json = serde_json::to_string_pretty(audit).map_err(|e| fail(e.to_string()))?;
    write_tables(folder, audit)?;
    atomic_file::write(&path, format!("{json}\n").as_bytes()).map_err(|e| fail(format!("cannot be written: {e}")))
}

/// Writes the tables of an audit into a folder.
///
/// # Errors
/// If one cannot be written.
pub fn write_tables(folder: &Path, audit: &Audit) -> Result<(), Error> {
    let regions = audit.regions.iter().map(|(name, figures)| ("region", name, figures));
    let sources = audit.by_source.iter().map(|(name, figures)| ("source", name, figures));
    let areas = regions.chain(sources).map(|(of, name, figures)| Area {
        of,
        name,
        images: figures.images,
        roc_auc: figures.roc_auc.value,
        low: figures.roc_auc.interval.map(|interval| interval.low),
        high: figures.roc_auc.interval.map(|interval| interval.high),
    });
    put(folder, AREAS, areas)?;
    let counts = audit.in_lung.histogram.iter().zip(&audit.in_lung.chance_histogram);
    let width = 1.0 / audit.in_lung.histogram.len().max(1) as f64;
    let bins = counts.enumerate().map(|(place, (&images, &by_chance))| Bin {
        low: place as f64 * width,
        high: (place + 1) as f64 * width,
        images,
        by_chance,
    });
    put(folder, IN_LUNG, bins)
}

/// A line of the table of areas.
#[derive(Serialize)]
struct Area<'a> {
    of: &'static str,
    name: &'a str,
    images: usize,
    roc_auc: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

/// A line of the in-lung activation's table: images by their ratio, and by their chance level.
#[derive(Serialize)]
struct Bin {
    low: f64,
    high: f64,
    images: usize,
    by_chance: usize,
}

fn put(folder: &Path, name: &str, lines: impl IntoIterator<Item = impl Serialize>) -> Result<(), Error> {
    let path = folder.join(name);
    let fail = |reason: String| Error {
        path: path.clone(),
        reason: format!("cannot be written: {reason}"),
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        writer.serialize(line).map_err(|e| fail(e.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|e| fail(e.to_string()))?;
    atomic_file::write(&path, &bytes).map_err(|e| fail(e.to_string()))
}

/// Reads the audit in a folder; `None` if there is none.
///
/// # Errors
/// If the file cannot be read or is no audit.
pub fn read(folder: &Path) -> Result<Option<Audit>, Error> {
    let path = folder.join(FILE);
    let fail = |reason: String| Error {
        path: path.clone(),
        reason,
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|e| fail(format!("this is no audit: {e}"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(format!("cannot be read: {error}"))),
    }
}
