//! A picture from its file to grey bytes: reading and decoding, then the look-ups, beside a copy of as many bytes, which
//! is as fast as memory allows.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use tempfile::TempDir;

use crate::imaging::{self, Samples, phantom};

use super::workload::{Rounds, Timed};

/// Side of the synthetic picture, that of a large digital radiograph.
const SIDE: u32 = 3000;

/// Builds a case of one file, or of the phantom as an uncompressed DICOM file.
///
/// # Errors
/// If the file gives no picture, or the phantom cannot be written.
pub fn build(file: Option<&Path>) -> anyhow::Result<Rounds> {
    let (path, scratch) = match file {
        Some(file) => (file.to_owned(), None),
        None => synthetic().map(|(path, scratch)| (path, Some(scratch)))?,
    };
    imaging::open(&path)?;
    Ok(Box::new(move || {
        // The folder lives as long as the rounds.
        let _ = &scratch;
        round(&path)
    }))
}

fn synthetic() -> anyhow::Result<(PathBuf, TempDir)> {
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let path = scratch.path().join("phantom.dcm");
    std::fs::write(&path, phantom::dicom_bytes(SIDE, SIDE)?).context("the phantom cannot be written")?;
    Ok((path, scratch))
}

fn round(path: &Path) -> anyhow::Result<Timed> {
    let start = Instant::now();
    let picture = imaging::open(path)?;
    let open = start.elapsed();
    let voi = picture.default_voi();
    let start = Instant::now();
    let shown = black_box(picture.display(&voi));
    let display = start.elapsed();
    let start = Instant::now();
    let bytes = match &picture.samples {
        Samples::Grey(stored) => black_box(stored.values.to_vec()).len() * 2,
        Samples::Wide(wide) => black_box(wide.values.to_vec()).len() * 8,
        Samples::Colour(pixels) => black_box(pixels.to_vec()).len() * 3,
    };
    let copy = start.elapsed();
    anyhow::ensure!(bytes > 0 && !shown.is_empty(), "the picture is empty");
    Ok(Timed {
        elapsed: open,
        stages: BTreeMap::from([("display", display), ("copy of the samples", copy)]),
        epochs: Vec::new(),
    })
}
