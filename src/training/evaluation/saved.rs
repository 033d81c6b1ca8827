//! An evaluation in a folder: `evaluation.json`, a line an image in `images.csv`, and the curves as tables. What is
//! read back is enough to draw everything anew at any threshold.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::nn::weights;
use crate::training::metrics::Confusion;

use super::{MaskRecord, Record, Reliability, Report, ScoreTable, SegmentedImage, SegmenterReport};

/// The metrics.
pub const REPORT: &str = "evaluation.json";
/// One line an image.
pub const IMAGES: &str = "images.csv";
/// Curves.
const ROC: &str = "roc.csv";
const PRECISION_RECALL: &str = "precision_recall.csv";
const RELIABILITY: &str = "reliability.csv";
/// Hexadecimal digits that stand for a group in the table: patients are told apart and not named.
const GROUP_DIGITS: usize = 16;

/// Why an evaluation cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Error {
    /// Folder or file.
    pub path: PathBuf,
    /// Cause.
    pub reason: String,
}

impl Error {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// A record as a line of the table. The columns of the mask stand here one by one: the table's writer knows no nested
/// ones.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    file: String,
    group: String,
    source: String,
    label: String,
    part: String,
    child: bool,
    early: bool,
    covid19: bool,
    score: f64,
    margin: f64,
    in_lung: Option<f64>,
    chance: Option<f64>,
    mask: Option<String>,
    mask_tn: Option<u64>,
    mask_fp: Option<u64>,
    mask_fn: Option<u64>,
    mask_tp: Option<u64>,
    dice: Option<f64>,
    iou: Option<f64>,
    hd95_px: Option<f64>,
    hd95_mm: Option<f64>,
}

impl Line {
    fn of(record: &Record) -> Self {
        let mask = record.mask.as_ref();
        let counts = mask.map(|mask| mask.confusion);
        Self {
            file: record.file.clone(),
            group: digits(&record.group),
            source: record.source.clone(),
            label: record.label.clone(),
            part: record.part.clone(),
            child: record.is_child,
            early: record.is_early,
            covid19: record.is_covid19,
            score: record.score,
            margin: record.margin,
            in_lung: record.in_lung,
            chance: record.chance,
            mask: mask.map(|mask| mask.convention.clone()),
            mask_tn: counts.map(|c| c.tn),
            mask_fp: counts.map(|c| c.fp),
            mask_fn: counts.map(|c| c.fn_),
            mask_tp: counts.map(|c| c.tp),
            dice: counts.and_then(|c| c.dice()),
            iou: counts.and_then(|c| c.iou()),
            hd95_px: mask.and_then(|mask| mask.hd95_px),
            hd95_mm: mask.and_then(|mask| mask.hd95_mm),
        }
    }

    fn record(self) -> Record {
        let mask = self.mask_record();
        Record {
            file: self.file,
            group: self.group,
            source: self.source,
            label: self.label,
            part: self.part,
            is_child: self.child,
            is_early: self.early,
            is_covid19: self.covid19,
            score: self.score,
            margin: self.margin,
            mask,
            in_lung: self.in_lung,
            chance: self.chance,
        }
    }

    fn mask_record(&self) -> Option<MaskRecord> {
        Some(MaskRecord {
            convention: self.mask.clone()?,
            confusion: Confusion {
                tn: self.mask_tn?,
                fp: self.mask_fp?,
                fn_: self.mask_fn?,
                tp: self.mask_tp?,
            },
            hd95_px: self.hd95_px,
            hd95_mm: self.hd95_mm,
        })
    }
}

/// A segmented image as a line of the table.
#[derive(Debug, Serialize)]
struct SegmentedLine<'a> {
    file: &'a str,
    group: String,
    source: &'a str,
    mask: &'a str,
    mask_tn: u64,
    mask_fp: u64,
    mask_fn: u64,
    mask_tp: u64,
    dice: Option<f64>,
    iou: Option<f64>,
    sensitivity: Option<f64>,
    specificity: Option<f64>,
    hd95_px: Option<f64>,
    hd95_mm: Option<f64>,
}

impl<'a> SegmentedLine<'a> {
    fn of(image: &'a SegmentedImage) -> Self {
        let counts = image.mask.confusion;
        Self {
            file: &image.file,
            group: digits(&image.group),
            source: &image.source,
            mask: &image.mask.convention,
            mask_tn: counts.tn,
            mask_fp: counts.fp,
            mask_fn: counts.fn_,
            mask_tp: counts.tp,
            dice: counts.dice(),
            iou: counts.iou(),
            sensitivity: counts.sensitivity(),
            specificity: counts.specificity(),
            hd95_px: image.mask.hd95_px,
            hd95_mm: image.mask.hd95_mm,
        }
    }
}

/// What stands for a group in a table.
fn digits(group: &str) -> String {
    weights::sha256(group.as_bytes()).chars().take(GROUP_DIGITS).collect()
}

/// Writes an evaluation into a folder, which is made if need be.
///
/// # Errors
/// If the folder or a file cannot be written.
pub fn write(folder: &Path, report: &Report, records: &[Record]) -> Result<(), Error> {
    make(folder)?;
    let scores: Vec<f64> = records.iter().map(|record| record.score).collect();
    let truth: Vec<bool> = records.iter().map(|record| record.is_covid19).collect();
    let scored = ScoreTable::new(&scores, &truth);
    let reliability = Reliability::of(&scores, &truth, Reliability::BINS);
    put(folder, IMAGES, &table(folder, records.iter().map(Line::of))?)?;
    put(folder, ROC, &table(folder, scored.roc())?)?;
    put(folder, PRECISION_RECALL, &table(folder, scored.precision_recall())?)?;
    put(folder, RELIABILITY, &table(folder, reliability.bins)?)?;
    put_report(folder, report)
}

/// Writes the evaluation of a segmenter alone into a folder, which is made if need be.
///
/// # Errors
/// If the folder or a file cannot be written.
pub fn write_segmented(folder: &Path, report: &SegmenterReport, images: &[SegmentedImage]) -> Result<(), Error> {
    make(folder)?;
    put(folder, IMAGES, &table(folder, images.iter().map(SegmentedLine::of))?)?;
    put_report(folder, report)
}

fn make(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|e| Error::new(folder, format!("the folder cannot be made: {e}")))
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let path = folder.join(name);
    atomic_file::write(&path, bytes).map_err(|e| Error::new(&path, format!("cannot be written: {e}")))
}

/// The report comes last: a folder that has one is complete.
fn put_report(folder: &Path, report: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(report).map_err(|e| Error::new(folder, e.to_string()))?;
    put(folder, REPORT, format!("{json}\n").as_bytes())
}

fn table<T: Serialize>(folder: &Path, lines: impl IntoIterator<Item = T>) -> Result<Vec<u8>, Error> {
    let fail = |reason: String| Error::new(folder, format!("a table cannot be written: {reason}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        writer.serialize(line).map_err(|e| fail(e.to_string()))?;
    }
    writer.into_inner().map_err(|e| fail(e.to_string()))
}

/// Reads the metrics of an evaluation alone.
///
/// # Errors
/// If there are none, or the file is not an evaluation.
pub fn read_report(folder: &Path) -> Result<Report, Error> {
    parse_report(folder)
}

/// Reads the metrics of a segmenter's evaluation.
///
/// # Errors
/// If there are none, or the file is not one of a segmenter.
pub fn read_segmented(folder: &Path) -> Result<SegmenterReport, Error> {
    parse_report(folder)
}

fn parse_report<T: DeserializeOwned>(folder: &Path) -> Result<T, Error> {
    let path = folder.join(REPORT);
    let text = std::fs::read_to_string(&path).map_err(|e| Error::new(&path, format!("cannot be read: {e}")))?;
    serde_json::from_str(&text).map_err(|e| Error::new(&path, format!("this is no evaluation: {e}")))
}

/// Reads the records of an evaluation; a group is a number of digits there, the same for the same patient.
///
/// # Errors
/// If the table is not there or a line is none of an evaluation.
pub fn read_records(folder: &Path) -> Result<Vec<Record>, Error> {
    let path = folder.join(IMAGES);
    let fail = |e: csv::Error| Error::new(&path, format!("this is no table of evaluated images: {e}"));
    let mut reader = csv::Reader::from_path(&path).map_err(fail)?;
    let lines = reader.deserialize::<Line>();
    lines.map(|line| Ok(line.map_err(fail)?.record())).collect()
}
