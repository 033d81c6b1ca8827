//! Which samples make up an epoch, and their batches, augmented on a second thread. Every random number is keyed
//! by seed, epoch and place, so that a resumed run draws the same.

use std::sync::mpsc::sync_channel;
use std::thread;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::nn::InputSpec;
use crate::preprocess;

use super::augment::Augmentation;
use super::manifest::Class;
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

/// How an epoch's batches are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// What may be drawn.
    pub samples: &'a [Sample],
    /// Size and normalisation of the input.
    pub spec: &'a InputSpec,
    /// Images in a batch.
    pub batch: usize,
    /// Random transforms, if any.
    pub augmentation: Option<Augmentation>,
    /// Whether both classes are drawn equally often; see [`Plan::epoch`].
    pub balanced: bool,
    /// The run's seed.
    pub seed: u64,
}

/// Uses of random numbers that must not meet.
#[derive(Clone, Copy)]
enum Draw {
    Order = 0,
    Cycle = 1,
    Transform = 2,
}

impl Plan<'_> {
    fn rng(&self, draw: Draw, first: u64, second: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream((draw as u64) << 60 | first << 32 | second);
        rng
    }

    /// Batches in an epoch.
    pub fn steps(&self) -> usize {
        self.chunks(&vec![0; self.epoch_len()]).len()
    }

    fn of_class(&self, class: Class) -> Vec<usize> {
        (0..self.samples.len())
            .filter(|&i| self.samples[i].class == class)
            .collect()
    }

    fn epoch_len(&self) -> usize {
        if self.balanced {
            2 * self
                .of_class(Class::Control)
                .len()
                .min(self.of_class(Class::Covid19).len())
        } else {
            self.samples.len()
        }
    }

    /// The samples of an epoch (counted from 0), in the order they are used. If balanced, these are all samples of
    /// the smaller class and as many of the larger, which is used up before any of it comes again.
    pub fn epoch(&self, epoch: usize) -> Vec<usize> {
        let mut order = if self.balanced {
            let half = self.epoch_len() / 2;
            [Class::Control, Class::Covid19]
                .into_iter()
                .flat_map(|class| self.rotating(&self.of_class(class), class, epoch * half, half))
                .collect()
        } else {
            (0..self.samples.len()).collect::<Vec<_>>()
        };
        order.shuffle(&mut self.rng(Draw::Order, epoch as u64, 0));
        order
    }

    /// `count` members from `start` on of an endless sequence of shuffled rounds.
    fn rotating(&self, members: &[usize], class: Class, start: usize, count: usize) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let position = start + drawn.len();
            let mut round = members.to_vec();
            round.shuffle(&mut self.rng(Draw::Cycle, (position / members.len()) as u64, class as u64));
            let from = position % members.len();
            drawn.extend(round[from..].iter().take(count - drawn.len()));
        }
        drawn
    }

    /// Cuts an epoch into batches. A last one of less than half the size (or of a single image) is left out: batch
    /// statistics of so few images lead astray.
    fn chunks<'o>(&self, order: &'o [usize]) -> Vec<&'o [usize]> {
        let mut chunks: Vec<&[usize]> = order.chunks(self.batch).collect();
        if chunks.len() > 1 && chunks.last().is_some_and(|last| last.len() < 2.max(self.batch / 2)) {
            chunks.pop();
        }
        chunks
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
            let sample = &self.samples[index];
            let Some(augmentation) = self.augmentation else {
                batch.push(&sample.grey(), &sample.mask, sample.class, self.spec);
                continue;
            };
            let mut rng = self.rng(Draw::Transform, epoch as u64, place as u64);
            let transform = augmentation.draw(height, width, &mut rng);
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
            let sample = &self.samples[index];
            let matrix = self.augmentation.map(|augmentation| {
                let mut rng = self.rng(Draw::Transform, epoch as u64, place as u64);
                augmentation.draw(height, width, &mut rng).matrix(height, width)
            });
            let [[yy, yx, y], [xy, xx, x]] = matrix.unwrap_or([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
            batch.matrices.push([yy, yx, y, xy, xx, x]);
            batch.levels.extend_from_slice(sample.levels());
            batch.masks.extend_from_slice(&sample.mask);
            batch.labels.push(sample.class as u8);
        }
        batch
    }

    /// Calls `step` with every batch of an epoch, while a second thread makes the next ones.
    ///
    /// # Errors
    /// The first error of `step`, which ends the epoch.
    ///
    /// # Panics
    /// If the system can start no thread.
    pub fn for_each<E>(&self, epoch: usize, step: impl FnMut(usize, Batch) -> Result<(), E>) -> Result<(), E> {
        self.run(epoch, Self::assemble, step)
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
        epoch: usize,
        step: impl FnMut(usize, PlainBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        self.run(epoch, Self::assemble_plain, step)
    }

    fn run<B: Send, E>(
        &self,
        epoch: usize,
        assemble: impl Fn(&Self, usize, usize, &[usize]) -> B + Sync,
        mut step: impl FnMut(usize, B) -> Result<(), E>,
    ) -> Result<(), E> {
        let order = self.epoch(epoch);
        let (sender, receiver) = sync_channel(READY);
        thread::scope(|scope| {
            let maker = || {
                for (i, indices) in self.chunks(&order).into_iter().enumerate() {
                    // The receiver goes when a step failed: nobody waits for more.
                    if sender.send(assemble(self, epoch, i * self.batch, indices)).is_err() {
                        return;
                    }
                }
                drop(sender);
            };
            thread::Builder::new()
                .name("batches".into())
                .spawn_scoped(scope, maker)
                .expect("the system can start a thread");
            receiver
                .into_iter()
                .enumerate()
                .try_for_each(|(i, batch)| step(i, batch))
        })
    }
}
