//! Labelled files as network inputs in memory, through the same preprocessing as inference. Knows no networks and
//! no random numbers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::imaging;
use crate::nn::InputSpec;
use crate::preprocess;

use super::manifest::{Class, Row};

/// Images loaded between two reports of progress.
const CHUNK: usize = 64;
/// Steps between black and white in memory: finer than any display, half the size of floats.
const LEVELS: f32 = 65_535.0;

/// Why a labelled file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image cannot be opened.
    #[error(transparent)]
    Image(#[from] imaging::Error),
    /// The image gives no network input.
    #[error("{path}: {cause}")]
    Input {
        /// The image.
        path: PathBuf,
        /// Cause.
        cause: preprocess::Error,
    },
    /// The mask cannot be used.
    #[error("{path}: {reason}")]
    Mask {
        /// The mask.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// One labelled image at the size of the network's input.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    grey: Vec<u16>,
    /// Lung mask on the network input, 0 or 1; empty unless masks were asked for.
    pub mask: Vec<u8>,
    /// Its class.
    pub class: Class,
}

impl Sample {
    /// Makes a sample of a grey plane in 0..=1 and a mask of 0 and 1 (or none).
    pub fn new(grey: &[f32], mask: Vec<u8>, class: Class) -> Self {
        Self {
            grey: grey.iter().map(|value| (value * LEVELS).round() as u16).collect(),
            mask,
            class,
        }
    }

    /// The grey plane as 16-bit levels from black to white, row-major.
    pub fn levels(&self) -> &[u16] {
        &self.grey
    }

    /// The grey plane in 0..=1, row-major.
    pub fn grey(&self) -> Vec<f32> {
        self.grey.iter().map(|&level| f32::from(level) / LEVELS).collect()
    }
}

/// Loads rows on all cores, in the rows' order. `on_progress` is given the number of images done.
///
/// # Errors
/// Naming the first file that cannot be used, or if `cancel` was set.
pub fn load(
    rows: &[&Row],
    spec: &InputSpec,
    with_masks: bool,
    cancel: &AtomicBool,
    on_progress: &mut dyn FnMut(usize),
) -> Result<Vec<Sample>, Error> {
    let mut samples = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(CHUNK) {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let loaded: Result<Vec<Sample>, Error> = chunk.par_iter().map(|row| load_one(row, spec, with_masks)).collect();
        samples.extend(loaded?);
        on_progress(samples.len());
    }
    Ok(samples)
}

fn load_one(row: &Row, spec: &InputSpec, with_mask: bool) -> Result<Sample, Error> {
    let image = imaging::open(&row.path)?;
    let input = preprocess::grey(&image, spec).map_err(|cause| Error::Input {
        path: row.path.clone(),
        cause,
    })?;
    let mask = match &row.mask {
        Some(file) if with_mask => {
            preprocess::mask(&read_mask(&file.path, image.width, image.height)?, &input.placement)
        }
        _ => Vec::new(),
    };
    Ok(Sample::new(&input.pixels, mask, row.class))
}

/// Reads a mask picture of `width` x `height` pixels as 0 and 1: inside is what is at least half as bright as its
/// brightest pixel.
///
/// # Errors
/// If it cannot be read or has another size.
pub fn read_mask(path: &Path, width: u32, height: u32) -> Result<Vec<u8>, Error> {
    let fail = |reason: String| Error::Mask {
        path: path.to_owned(),
        reason,
    };
    let mask = image::ImageReader::open(path)
        .and_then(image::ImageReader::with_guessed_format)
        .map_err(|e| fail(format!("the mask cannot be read: {e}")))?
        .decode()
        .map_err(|e| fail(format!("the mask cannot be read: {e}")))?
        .into_luma16();
    if mask.dimensions() != (width, height) {
        let (w, h) = mask.dimensions();
        return Err(fail(format!("the mask has {w}x{h} pixels, its image {width}x{height}")));
    }
    let brightest = mask.as_raw().iter().copied().max().unwrap_or(0);
    let half = brightest.div_ceil(2).max(1);
    Ok(mask.as_raw().iter().map(|&value| u8::from(value >= half)).collect())
}
