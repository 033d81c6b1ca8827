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

use super::input_cache::{InputCache, Levels, Names};
use super::input_pack::MappedLevels;
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
    grey: Levels,
    /// Lung mask on the network input, 0 or 1; empty unless masks were asked for.
    pub mask: Vec<u8>,
    /// Its class.
    pub class: Class,
}

impl Sample {
    /// Makes a sample of a grey plane in 0..=1 and a mask of 0 and 1 (or none).
    pub fn new(grey: &[f32], mask: Vec<u8>, class: Class) -> Self {
        Self {
            grey: Levels::Memory(grey.iter().map(|value| (value * LEVELS).round() as u16).collect()),
            mask,
            class,
        }
    }

    /// The grey plane as 16-bit levels from black to white, row-major.
    pub fn levels(&self) -> &[u16] {
        &self.grey
    }

    /// Refers to the same greys in the cache instead of memory of its own.
    pub(super) fn keep_in(&mut self, levels: MappedLevels) {
        self.grey = Levels::Mapped(levels);
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
    load_through(None, rows, spec, with_masks, cancel, on_progress)
}

/// Samples one after the other, and which of them a cache does not have yet.
struct Stock<'a> {
    cache: Option<&'a InputCache>,
    /// Whether samples stay when the cache has been given them.
    keeps: bool,
    samples: Vec<Sample>,
    fresh: Vec<(usize, Names)>,
}

impl<'a> Stock<'a> {
    /// Room for that many samples, which all stay.
    fn of(count: usize, cache: Option<&'a InputCache>) -> Self {
        Self {
            cache,
            keeps: true,
            samples: Vec::with_capacity(count),
            fresh: Vec::new(),
        }
    }

    /// Nothing but what is on its way into a cache: a pack at most.
    fn passing(cache: &'a InputCache) -> Self {
        Self {
            keeps: false,
            ..Self::of(0, Some(cache))
        }
    }

    fn push(&mut self, sample: Sample, names: Option<Names>) {
        if names.is_some() || self.keeps {
            self.fresh.extend(names.map(|names| (self.samples.len(), names)));
            self.samples.push(sample);
        }
    }

    /// Gives the cache what makes a pack.
    fn store_pack(&mut self) {
        if self.cache.is_some_and(|cache| self.fresh.len() >= cache.pack_len()) {
            self.store();
        }
    }

    fn store(&mut self) {
        if let Some(cache) = self.cache {
            cache.store(&mut self.samples, &std::mem::take(&mut self.fresh));
        }
        if !self.keeps {
            self.samples.clear();
        }
    }

    /// Gives the cache the rest: also what was decoded before a failure need not be decoded again.
    fn finish(mut self) -> Vec<Sample> {
        self.store();
        if let Some(cache) = self.cache {
            cache.finish();
        }
        self.samples
    }
}

/// As [`load`], through a cache of the same geometry: what is in it is not decoded, what is not is put into it.
///
/// # Errors
/// As [`load`]; a cache that cannot be used is none.
pub fn load_through(
    cache: Option<&InputCache>,
    rows: &[&Row],
    spec: &InputSpec,
    with_masks: bool,
    cancel: &AtomicBool,
    on_progress: &mut dyn FnMut(usize),
) -> Result<Vec<Sample>, Error> {
    let mut stock = Stock::of(rows.len(), cache);
    let result = rows.chunks(CHUNK).try_for_each(|chunk| {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        for (sample, names) in load_or_find(cache, chunk, spec, with_masks)? {
            stock.push(sample, names);
        }
        stock.store_pack();
        on_progress(stock.samples.len());
        Ok(())
    });
    let samples = stock.finish();
    result.map(|()| samples)
}

/// Puts into a cache what it does not have of these rows, on the threads of the pool that this is called in, and keeps a
/// pack of it in memory at most. It ends where `goes_on` says no, and where the cache has no room.
///
/// # Errors
/// Naming the first file that cannot be used.
pub fn fill(
    cache: &InputCache,
    rows: &[&Row],
    spec: &InputSpec,
    with_masks: bool,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(), Error> {
    let mut stock = Stock::passing(cache);
    // Few at once, so that it ends soon after it is told to.
    let chunks = rows.chunks(rayon::current_num_threads().max(1));
    let result = chunks
        .take_while(|_| goes_on() && cache.stats().problem.is_none())
        .try_for_each(|chunk| {
            for (sample, names) in load_or_find(Some(cache), chunk, spec, with_masks)? {
                stock.push(sample, names);
            }
            stock.store_pack();
            Ok(())
        });
    stock.finish();
    result
}

/// Samples of a chunk, each with what to store it under if it was not in the cache.
fn load_or_find(
    cache: Option<&InputCache>,
    chunk: &[&Row],
    spec: &InputSpec,
    with_masks: bool,
) -> Result<Vec<(Sample, Option<Names>)>, Error> {
    let load_or_find = |row: &&Row| {
        // A pack holds masks of all its inputs or of none.
        let cache = cache.filter(|_| !with_masks || row.mask.is_some());
        let files = files(row, with_masks);
        match find(cache, &files, row.class) {
            Ok(sample) => Ok((sample, None)),
            Err(names) => {
                let sample = load_one(row, spec, with_masks)?;
                Ok((sample, confirmed(cache, names, &files)))
            }
        }
    };
    chunk.par_iter().map(load_or_find).collect()
}

/// What a row's input is made of.
fn files(row: &Row, with_mask: bool) -> Vec<&Path> {
    let masks = row.mask.iter().filter(|_| with_mask).flat_map(MaskFile::files);
    std::iter::once(row.path.as_path()).chain(masks).collect()
}

/// The sample that a cache has, or what to store it under once it is made.
fn find(cache: Option<&InputCache>, files: &[&Path], class: Class) -> Result<Sample, Option<Names>> {
    match cache.and_then(|cache| cache.find(files)) {
        Some(Ok((levels, mask))) => Ok(Sample {
            grey: Levels::Mapped(levels),
            mask,
            class,
        }),
        Some(Err(names)) => Err(Some(names)),
        None => Err(None),
    }
}

/// The names of what was made of files, if these are still what they were.
fn confirmed(cache: Option<&InputCache>, names: Option<Names>, files: &[&Path]) -> Option<Names> {
    cache?.confirmed(names?, files)
}

/// As [`load_through`], what is not in the cache by a function of its own, one row after the other: it may run a network
/// behind a lock, and a thread that waits for others inside it would begin another row meanwhile and wait for itself.
/// `make` returns a row's sample and one for each cache of `later`, which are put there and not kept in memory.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    (cache, later): (Option<&InputCache>, &[&InputCache]),
    rows: &[&Row],
    make: impl Fn(&Row) -> Result<Vec<Sample>, Error>,
    cancel: &AtomicBool,
    on_progress: &mut dyn FnMut(usize),
) -> Result<Vec<Sample>, Error> {
    let mut stock = Stock::of(rows.len(), cache);
    let mut passing: Vec<Stock<'_>> = later.iter().map(|cache| Stock::passing(cache)).collect();
    let result = rows.chunks(CHUNK).try_for_each(|chunk| {
        let found: Vec<_> = chunk
            .par_iter()
            .map(|row| find(cache, &files(row, false), row.class))
            .collect();
        for (row, found) in chunk.iter().zip(found) {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let names = match found {
                Ok(sample) => {
                    stock.push(sample, None);
                    continue;
                }
                Err(names) => names,
            };
            let mut made = make(row)?.into_iter();
            let names = confirmed(cache, names, &files(row, false));
            if let Some(sample) = made.next() {
                stock.push(sample, names);
            }
            for ((passing, later), sample) in passing.iter_mut().zip(later).zip(made) {
                passing.push(sample, names.filter(|names| !later.has(names)));
            }
        }
        stock.store_pack();
        passing.iter_mut().for_each(Stock::store_pack);
        on_progress(stock.samples.len());
        Ok(())
    });
    let samples = stock.finish();
    for stock in passing {
        stock.finish();
    }
    result.map(|()| samples)
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
