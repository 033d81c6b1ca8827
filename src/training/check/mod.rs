//! The check before training: one pass over all files of a data set, on all cores, with nothing but a small plane of
//! each kept on disk. It tells what cannot be read, what is there twice, and above all what is in two parts. Knows no
//! window and no terminal.

pub mod align;
mod candidates;
mod copies;
pub mod gate;
pub mod hash;
mod histogram;
pub mod html;
mod look;
pub mod plane;
pub mod report;
mod summary;
mod thumbnail;
pub mod words;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, UNIX_EPOCH};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use histogram::{Bin, Histogram};
pub use report::{CheckReport, Leakage};
pub use thumbnail::Thumbnail;

use super::manifest::Row;
use hash::Describer;
use look::{Look, Seen};
use plane::PlaneFile;
use summary::Summary;

/// Images looked at between two reports of progress.
const CHUNK: usize = 256;

/// Why a check ends without a report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller asked to stop.
    #[error("cancelled; nothing was written")]
    Cancelled,
    /// The file for the images' planes cannot be used.
    #[error("{folder}: the check cannot keep its temporary file of {megabytes} MB there: {cause}; free some space")]
    Scratch {
        /// Where it was to lie.
        folder: PathBuf,
        /// How large it becomes.
        megabytes: usize,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The system starts no threads.
    #[error("the check cannot start its threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// There is nothing to check.
    #[error("there are no images to check")]
    Empty,
}

/// How a check is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Threads that work; one a core if not said.
    pub threads: Option<usize>,
    /// Folder for a temporary file of 9 KB an image; the system's if not said.
    pub scratch: Option<PathBuf>,
}

/// What a check is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Files are decoded.
    Reading,
    /// Near duplicates are proposed.
    Searching,
    /// Proposed pairs are aligned.
    Comparing,
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// Images (or pairs, when comparing) done.
    pub done: usize,
    /// Of so many.
    pub total: usize,
}

/// Receives the progress of a check.
pub type Listener<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Checks all rows. Setting `cancel` ends it within a moment.
///
/// # Errors
/// If it was cancelled, there are no rows, or the system gives it no threads or no room for its temporary file. Files
/// that cannot be read are part of the report.
pub fn run(rows: &[Row], options: &Options, cancel: &AtomicBool, listener: Listener<'_>) -> Result<CheckReport, Error> {
    if rows.is_empty() {
        return Err(Error::Empty);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.unwrap_or(0))
        .thread_name(|number| format!("check {number}"))
        .build()?;
    pool.install(|| check(rows, options, cancel, listener))
}

fn check(rows: &[Row], options: &Options, cancel: &AtomicBool, listener: Listener<'_>) -> Result<CheckReport, Error> {
    let begin = Instant::now();
    let scratch = |cause| Error::Scratch {
        folder: options.scratch.clone().unwrap_or_else(std::env::temp_dir),
        megabytes: (rows.len() * plane::PIXELS).div_ceil(1_000_000),
        cause,
    };
    let planes = PlaneFile::create(options.scratch.as_deref()).map_err(scratch)?;
    let describer = Describer::default();
    let mut summary = Summary::new(rows);
    let mut looks: Vec<Option<Look>> = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(CHUNK) {
        go_on(cancel)?;
        let first = looks.len();
        let seen: Vec<Seen> = chunk
            .par_iter()
            .enumerate()
            .map(|(i, row)| look::look_at(row, first + i, &describer, &planes))
            .collect::<Result<_, _>>()
            .map_err(scratch)?;
        for (row, seen) in chunk.iter().zip(seen) {
            looks.push(summary.add(row, seen));
        }
        listener(Progress {
            stage: Stage::Reading,
            done: looks.len(),
            total: rows.len(),
        });
    }
    let search = copies::Search {
        rows,
        looks: &looks,
        planes: &planes,
        describer: &describer,
        cancel,
    };
    let copies = search.run(listener)?.map_err(scratch)?;
    go_on(cancel)?;
    let mut report = summary.report(rows, &looks, &copies, &planes);
    report.fingerprint = fingerprint(rows);
    report.seconds = (begin.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    Ok(report)
}

fn go_on(cancel: &AtomicBool) -> Result<(), Error> {
    if cancel.load(Ordering::Relaxed) {
        Err(Error::Cancelled)
    } else {
        Ok(())
    }
}

/// SHA-256 over everything that a report depends on, in any order of the rows: names, labels, groups and parts as the
/// table has them, size and time of the files.
pub fn fingerprint(rows: &[Row]) -> String {
    let mut lines: Vec<[u8; 32]> = rows
        .par_iter()
        .map(|row| {
            let stamp = |path: &std::path::Path| {
                let metadata = std::fs::metadata(path).ok()?;
                let time = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
                Some((metadata.len(), time.as_nanos()))
            };
            // Without the mask's path: the same data are the same wherever the folder is seen from.
            let mask = row
                .mask
                .as_ref()
                .map(|mask| (stamp(&mask.path), &mask.style, &mask.origin));
            let part = row.part().name();
            let line = format!(
                "{:?}",
                (
                    &row.file,
                    &row.label,
                    &row.group,
                    part,
                    &row.source,
                    &row.view,
                    stamp(&row.path),
                    mask
                )
            );
            Sha256::digest(line).into()
        })
        .collect();
    lines.sort_unstable();
    let mut sha = Sha256::new();
    sha.update(report::VERSION.to_le_bytes());
    for line in &lines {
        sha.update(line);
    }
    format!("{:x}", sha.finalize())
}
