//! The batches of an epoch, augmented on a second thread while the network works on others.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::nn::InputSpec;
use crate::preprocess;

use super::augment::{Augmentation, Transform};
use super::manifest::Class;
use super::pool::{Draw, Member, Order, rng};
use super::sample::Sample;

/// Batches that lie ready while the network works on another.
const READY: usize = 2;

/// A batch in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[n, 3, h, w]`, normalised.
    pub images: Vec<f32>,
    /// `[n, h, w]`, 0 or 1; empty where the samples have no masks.
    pub masks: Vec<u8>,
    /// `[n]`: the classes' neurons.
    pub labels: Vec<u8>,
}

impl Batch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image in it.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Puts samples together as they are.
    pub fn plain<'a>(samples: impl IntoIterator<Item = &'a Sample>, spec: &InputSpec) -> Self {
        let mut batch = Self {
            images: Vec::new(),
            masks: Vec::new(),
            labels: Vec::new(),
        };
        for sample in samples {
            batch.push(&sample.grey(), &sample.mask, sample.class, spec);
        }
        batch
    }

    fn push(&mut self, grey: &[f32], mask: &[u8], class: Class, spec: &InputSpec) {
        preprocess::normalise(grey, spec, &mut self.images);
        self.masks.extend_from_slice(mask);
        self.labels.push(class as u8);
    }
}

/// A batch as it is before it is warped and normalised, for a device that does it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlainBatch {
    /// `[n, h, w]`, 16-bit levels from black to white.
    pub levels: Vec<u16>,
    /// `[n, h, w]`, 0 or 1; empty where the samples have no masks.
    pub masks: Vec<u8>,
    /// One an image: takes `(row, column, 1)` of an output pixel to row and column of the input, row by row.
    pub matrices: Vec<[f64; 6]>,
    /// `[n]`: the classes' neurons.
    pub labels: Vec<u8>,
}

/// How an epoch's batches are made.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// What is drawn.
    pub samples: &'a [Sample],
    /// In which order, and how many at once.
    pub order: Order<'a>,
    /// Size and normalisation of the input.
    pub spec: &'a InputSpec,
    /// Ranges of the random transforms, if there are any.
    pub augmentation: Option<Augmentation>,
}

impl Plan<'_> {
    /// The transform of a member at a place of an epoch, if it is transformed.
    pub(super) fn transform(&self, epoch: usize, place: usize, member: Member) -> Option<Transform> {
        let (height, width) = (self.spec.height, self.spec.width);
        let (draw, first, second) = match (self.order.pool.is_offline(), member.copy) {
            (false, _) => (Draw::Transform, epoch as u64, place as u64),
            (true, 0) => return None,
            (true, copy) => (Draw::Copy, u64::from(copy), member.sample as u64),
        };
        let augmentation = self.augmentation?;
        let mut rng = rng(self.order.seed, draw, first, second);
        Some(augmentation.draw(height, width, &mut rng))
    }

    /// One batch of an epoch; `first` is the place of its first image in the epoch.
    fn assemble(&self, epoch: usize, first: usize, indices: &[usize]) -> Batch {
        let mut batch = Batch {
            images: Vec::new(),
            masks: Vec::new(),
            labels: Vec::new(),
        };
        let (height, width) = (self.spec.height, self.spec.width);
        for (place, &index) in (first..).zip(indices) {
            let member = self.order.pool.member(index);
            let sample = &self.samples[member.sample];
            let Some(transform) = self.transform(epoch, place, member) else {
                batch.push(&sample.grey(), &sample.mask, sample.class, self.spec);
                continue;
            };
            let mask = match sample.mask.as_slice() {
                [] => Vec::new(),
                mask => transform.apply_mask(mask, height, width),
            };
            batch.push(
                &transform.apply(&sample.grey(), height, width),
                &mask,
                sample.class,
                self.spec,
            );
        }
        batch
    }

    /// As [`Plan::assemble`], with the transforms beside the planes.
    fn assemble_plain(&self, epoch: usize, first: usize, indices: &[usize]) -> PlainBatch {
        let mut batch = PlainBatch::default();
        let (height, width) = (self.spec.height, self.spec.width);
        for (place, &index) in (first..).zip(indices) {
            let member = self.order.pool.member(index);
            let sample = &self.samples[member.sample];
            let matrix = self
                .transform(epoch, place, member)
                .map(|transform| transform.matrix(height, width));
            let [[yy, yx, y], [xy, xx, x]] = matrix.unwrap_or([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
            batch.matrices.push([yy, yx, y, xy, xx, x]);
            batch.levels.extend_from_slice(sample.levels());
            batch.masks.extend_from_slice(&sample.mask);
            batch.labels.push(sample.class as u8);
        }
        batch
    }

    /// Calls `step` with every batch of an epoch from the one of number `first` on and the time that was waited for it,
    /// while a second thread makes the next ones.
    ///
    /// # Errors
    /// The first error of `step`, which ends the epoch.
    ///
    /// # Panics
    /// If the system can start no thread.
    pub fn for_each<E>(
        &self,
        (epoch, first): (usize, usize),
        step: impl FnMut(usize, Batch, Duration) -> Result<(), E>,
    ) -> Result<(), E> {
        self.run(epoch, first, Self::assemble, step)
    }

    /// As [`Plan::for_each`], for a device that warps and normalises.
    ///
    /// # Errors
    /// The first error of `step`, which ends the epoch.
    ///
    /// # Panics
    /// If the system can start no thread.
    pub fn for_each_plain<E>(
        &self,
        (epoch, first): (usize, usize),
        step: impl FnMut(usize, PlainBatch, Duration) -> Result<(), E>,
    ) -> Result<(), E> {
        self.run(epoch, first, Self::assemble_plain, step)
    }

    fn run<B: Send, E>(
        &self,
        epoch: usize,
        first: usize,
        assemble: impl Fn(&Self, usize, usize, &[usize]) -> B + Sync,
        mut step: impl FnMut(usize, B, Duration) -> Result<(), E>,
    ) -> Result<(), E> {
        let order = self.order.epoch(epoch);
        let (sender, receiver) = sync_channel(READY);
        thread::scope(|scope| {
            let maker = || {
                for (i, indices) in self.order.chunks(&order).into_iter().enumerate().skip(first) {
                    // The receiver goes when a step failed: nobody waits for more.
                    let batch = assemble(self, epoch, i * self.order.batch, indices);
                    if sender.send(batch).is_err() {
                        return;
                    }
                }
                drop(sender);
            };
            thread::Builder::new()
                .name("batches".into())
                .spawn_scoped(scope, maker)
                .expect("the system can start a thread");
            // It goes with this closure, so that a failed step does not leave the maker waiting to be rid of a batch.
            let receiver = receiver;
            for number in first.. {
                let asked = Instant::now();
                let Ok(batch) = receiver.recv() else { break };
                step(number, batch, asked.elapsed())?;
            }
            Ok(())
        })
    }
}

/// Images of each of `parts` nearly equal parts of `images`, the larger ones first.
fn shares(images: usize, parts: usize) -> impl Iterator<Item = usize> {
    let parts = parts.max(1);
    (0..parts).map(move |part| images / parts + usize::from(part < images % parts))
}

/// The first `count` elements, which `rest` loses.
fn front<T>(rest: &mut Vec<T>, count: usize) -> Vec<T> {
    let tail = rest.split_off(count.min(rest.len()));
    std::mem::replace(rest, tail)
}

/// Parts that `images` make if none may be larger than `most`; none is a single image, even if another is one larger
/// than that for it.
fn parts(images: usize, most: usize) -> usize {
    images.div_ceil(most.max(1)).min(images / 2).max(1)
}

impl Batch {
    /// Cuts it into micro-batches of at most `most` images, as equal as can be. Statistics of a single image would lead
    /// astray: rather than that, a part is one image larger.
    pub fn micro(mut self, most: usize) -> Vec<Self> {
        let (images, parts) = (self.len(), parts(self.len(), most));
        if parts == 1 {
            return vec![self];
        }
        let (input, mask) = (self.images.len() / images, self.masks.len() / images);
        shares(images, parts)
            .map(|count| Self {
                images: front(&mut self.images, count * input),
                masks: front(&mut self.masks, count * mask),
                labels: front(&mut self.labels, count),
            })
            .collect()
    }
}

#[cfg(feature = "cuda")]
impl PlainBatch {
    /// As [`Batch::micro`]; the batch stays, so that smaller parts can be tried.
    pub fn micro(&self, most: usize) -> Vec<Self> {
        let (images, parts) = (self.labels.len(), parts(self.labels.len(), most));
        let mut rest = self.clone();
        let (input, mask) = (rest.levels.len() / images.max(1), rest.masks.len() / images.max(1));
        shares(images, parts)
            .map(|count| Self {
                levels: front(&mut rest.levels, count * input),
                masks: front(&mut rest.masks, count * mask),
                matrices: front(&mut rest.matrices, count),
                labels: front(&mut rest.labels, count),
            })
            .collect()
    }
}
