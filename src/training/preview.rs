//! A batch as the network will see it, before it does: the same members and transforms that the run draws, and only
//! their files are read. A segmenter runs where a classifier is given the lungs only.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::nn::Device;
use crate::nn::card::Task;

use super::Error;
use super::batches::Plan;
use super::lungs::{Lungs, Source};
use super::manifest::{Class, Manifest, Row};
use super::pool::{Order, Pool};
use super::recipe::{Augmenting, Config};
use super::sample::Sample;
use super::split::Part;

/// Images of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Batch of the epoch, from 1.
    pub batch: usize,
    /// Batches of the epoch.
    pub batches: usize,
    /// Side of the images, in pixels.
    pub side: usize,
    /// Images of the batch, of which there may be more than are here.
    pub images: Vec<PreviewImage>,
    /// Images of the batch in all.
    pub total: usize,
}

/// One image as the network will see it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewImage {
    /// The image as the manifest names it.
    pub file: String,
    /// Its class.
    pub class: Class,
    /// Row-major greys from black to white.
    pub grey: Vec<u8>,
    /// Lung mask of 0 and 1; empty where the network learns none.
    pub mask: Vec<u8>,
    /// Whether it is transformed.
    pub transformed: bool,
}

/// The first `most` images of a batch; `epoch` and `batch` are counted from 0, and a batch after the last one of its
/// epoch is the first of the next. Where a classifier is given the lungs only, the weights of `segmenter` find them on
/// the CPU.
///
/// # Errors
/// If there is nothing to train on, a file of the batch cannot be used, the lungs are needed and cannot be found, or
/// `cancel` was set.
pub fn preview(
    manifest: &Manifest,
    config: &Config,
    segmenter: Option<&Path>,
    (epoch, batch): (usize, usize),
    most: usize,
    cancel: &AtomicBool,
) -> Result<Preview, Error> {
    let segments = config.task == Task::Segmenter;
    let takes = |row: &&Row| {
        let of_phase = if segments {
            row.is_for_segmentation()
        } else {
            row.is_for_classification()
        };
        of_phase && row.part() == Part::Train
    };
    let rows: Vec<&Row> = manifest.rows.iter().filter(takes).collect();
    let pool = Pool::of_rows(&rows, &config.augmenting, config.seed);
    let order = Order::of(&pool, config);
    let batches = order.steps();
    if pool.is_empty() || batches == 0 {
        return Err(Error::TooFew {
            folder: manifest.folder.clone(),
            reason: "its training part has no image that this network learns from".to_owned(),
        });
    }
    let (epoch, batch) = (epoch + batch / batches, batch % batches);
    let members = order.epoch(epoch);
    let chunks = order.chunks(&members);
    let chosen: Vec<usize> = chunks[batch].iter().copied().take(most).collect();
    let spec = config.input(config.size_of(epoch));
    let files: Vec<&Row> = chosen.iter().map(|&index| rows[pool.member(index).sample]).collect();
    let lungs = segmenter.filter(|_| !spec.region.is_full());
    let lungs = lungs.map(|weights| Lungs::open(weights, &Device::Cpu)).transpose()?;
    let source = Source {
        spec: &spec,
        masks: segments,
        cache: None,
        lungs: lungs.as_ref(),
        later: &[],
    };
    let samples = source.load(&files, cancel, &mut |_| {})?;
    let plan = Plan {
        samples: &samples,
        order,
        spec: &spec,
        augmentation: (config.augmenting != Augmenting::Off).then_some(config.augmentation),
    };
    let first = batch * config.effective_batch();
    let images = chosen.iter().zip(&samples).zip(&files).enumerate();
    let image = |(place, ((&index, sample), row)): (usize, ((&usize, &Sample), &&Row))| {
        let transform = plan.transform(epoch, first + place, pool.member(index));
        let (height, width) = (spec.height, spec.width);
        let grey = match &transform {
            Some(transform) => transform.apply(&sample.grey(), height, width),
            None => sample.grey(),
        };
        let mask = match &transform {
            Some(transform) if !sample.mask.is_empty() => transform.apply_mask(&sample.mask, height, width),
            _ => sample.mask.clone(),
        };
        PreviewImage {
            file: row.file.clone(),
            class: row.class,
            grey: grey.iter().map(|value| (value * 255.0).round() as u8).collect(),
            mask,
            transformed: transform.is_some(),
        }
    };
    Ok(Preview {
        epoch: epoch + 1,
        batch: batch + 1,
        batches,
        side: spec.width,
        images: images.map(image).collect(),
        total: chunks[batch].len(),
    })
}
