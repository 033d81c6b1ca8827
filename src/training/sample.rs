//! Labelled files as network inputs in memory, through the same preprocessing as inference. Knows no networks and
//! no random numbers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::imaging;
use crate::inference::pipeline;
use crate::nn::InputSpec;
use crate::preprocess;

use super::manifest::{Class, MaskFile, Row};

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
    /// The lungs cannot be found in the image.
    #[error("{path}: {cause}")]
    Lungs {
        /// The image.
        path: PathBuf,
        /// Cause.
        cause: Box<pipeline::Error>,
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
    load_with(rows, |row| load_one(row, spec, with_masks), cancel, on_progress)
}

/// As [`load`], each row by a function of its own.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    rows: &[&Row],
    load_one: impl Fn(&Row) -> Result<Sample, Error> + Sync,
    cancel: &AtomicBool,
    on_progress: &mut dyn FnMut(usize),
) -> Result<Vec<Sample>, Error> {
    let mut samples = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(CHUNK) {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let loaded: Result<Vec<Sample>, Error> = chunk.par_iter().map(|row| load_one(row)).collect();
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
        Some(file) if with_mask => preprocess::mask(&read_masks(file, image.width, image.height)?, &input.placement),
        _ => Vec::new(),
    };
    Ok(Sample::new(&input.pixels, mask, row.class))
}

/// Reads a mask for an image of `width` x `height` pixels as 0 and 1, inside wherever one of its files is.
///
/// # Errors
/// As [`read_mask`].
pub fn read_masks(mask: &MaskFile, width: u32, height: u32) -> Result<Vec<u8>, Error> {
    let mut united = read_mask(&mask.path, width, height)?;
    for path in &mask.more {
        for (inside, other) in united.iter_mut().zip(read_mask(path, width, height)?) {
            *inside |= other;
        }
    }
    Ok(united)
}

/// Reads a mask picture for an image of `width` x `height` pixels as 0 and 1: inside is what is at least half as bright
/// as its brightest pixel. A mask of another scale is resampled.
///
/// # Errors
/// If it cannot be read or has another shape.
pub fn read_mask(path: &Path, width: u32, height: u32) -> Result<Vec<u8>, Error> {
    let fail = |reason: String| Error::Mask {
        path: path.to_owned(),
        reason,
    };
    let unreadable = |cause: &dyn fmt::Display| {
        fail(format!(
            "the mask cannot be read: {cause}; replace it, or take it out of the data"
        ))
    };
    let reader = || {
        let reader = image::ImageReader::open(path).and_then(image::ImageReader::with_guessed_format);
        reader.map_err(|e| unreadable(&e))
    };
    // The size is asked for before anything is decoded.
    let (w, h) = reader()?.into_dimensions().map_err(|e| unreadable(&e))?;
    if !has_shape((w, h), (width, height)) {
        return Err(fail(format!(
            "the mask has {w}x{h} pixels, its image {width}x{height}, another shape; is it the mask of another image?"
        )));
    }
    let mask = reader()?.decode().map_err(|e| unreadable(&e))?.into_luma16();
    let brightest = mask.as_raw().iter().copied().max().unwrap_or(0);
    let half = brightest.div_ceil(2).max(1);
    let inside = |value: u16| value >= half;
    if (w, h) == (width, height) {
        return Ok(mask.as_raw().iter().map(|&value| u8::from(inside(value))).collect());
    }
    let soft: Vec<f32> = mask
        .as_raw()
        .iter()
        .map(|&value| f32::from(u8::from(inside(value))))
        .collect();
    let size = |w: u32, h: u32| (w as usize, h as usize);
    let scaled = preprocess::bilinear(&soft, size(w, h), size(width, height));
    Ok(scaled.into_iter().map(|value| u8::from(value >= 0.5)).collect())
}

/// Whether two pictures have one aspect ratio, as far as whole pixels allow.
fn has_shape((w, h): (u32, u32), (width, height): (u32, u32)) -> bool {
    let [w, h, width, height] = [w, h, width, height].map(u64::from);
    // Rounding a side of the smaller picture to whole pixels changes its product with the other's by half of that.
    let rounding = w.max(h).max(width).max(height).div_ceil(2);
    w > 0 && h > 0 && (w * height).abs_diff(h * width) <= rounding
}
