//! Everything that decides what a run computes: the two recipes and the settings that a run folder records.

use serde::{Deserialize, Serialize};

use crate::nn::card::Task;
use crate::nn::{Aspect, BackboneKind, Graph, InputSpec, Precision};

use super::adam::AdamForm;
use super::augment::Augmentation;
use super::split::SPLIT_VERSION;

/// A set of learning rates, schedule and momentum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// The paper's: Keras's Adam at 1e-4 and 1e-5, batch 32 and 64, 15 epochs each, Keras's batch-norm momentum.
    /// It expects an encoder that was trained before.
    Paper,
    /// For random initial weights: torch's Adam at larger rates with warm-up and cosine decay, small images first,
    /// batch-norm momentum 0.1 everywhere, both classes drawn equally often.
    Scratch,
}

/// Some epochs at one image size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Number of epochs, at least 1.
    pub epochs: usize,
    /// Side of the square input, in pixels.
    pub size: usize,
}

/// Settings of a run. Two runs with equal settings on the same data and device compute the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// What is trained.
    pub task: Task,
    /// Its encoder.
    pub encoder: BackboneKind,
    /// Which graph of the encoder.
    pub graph: Graph,
    /// Where the settings below come from.
    pub recipe: Recipe,
    /// Image sizes in the order they are trained at; the last is the network's input size.
    pub schedule: Vec<Stage>,
    /// Images in a batch.
    pub batch: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// Whether the rate warms up over the first twentieth of each stage and then falls along a cosine.
    pub decay: bool,
    /// Form of Adam.
    pub adam: AdamForm,
    /// Share of the batch's statistics that enters the running ones at each step, in every layer.
    pub bn_momentum: f64,
    /// Whether both classes are drawn equally often (classifiers only).
    pub balanced: bool,
    /// What numbers the network computes with.
    #[serde(default)]
    pub precision: Precision,
    /// Random transforms.
    pub augmentation: Augmentation,
    /// How pictures are brought to the input's shape.
    pub aspect: Aspect,
    /// Seed of initial weights, order and transforms.
    pub seed: u64,
    /// Name of the split of the data.
    pub split: String,
    /// SHA-256 of the weights that the run began with.
    pub init: Option<String>,
}

/// Size of the paper's images.
const FULL_SIZE: usize = 224;
/// Size of the first epochs of the scratch recipe.
const SMALL_SIZE: usize = 128;
/// Epochs of each phase in the paper.
const PAPER_EPOCHS: usize = 15;
/// Epochs of the scratch recipe.
const SCRATCH_EPOCHS: usize = 30;
/// Highest rate of the stages after the first, over that of the first.
const LATER_STAGES: f64 = 0.5;
/// Share of a stage's steps in which the rate warms up.
const WARM_UP: f64 = 0.05;
/// Last rate over highest rate.
const LAST_RATE: f64 = 0.01;

/// Rate over highest rate in a stage of `steps` steps: a line up, then half a cosine down.
fn share_of_rate(step: usize, steps: usize) -> f64 {
    let warm = (steps as f64 * WARM_UP).ceil().max(1.0);
    let step = step as f64;
    if step < warm {
        return (step + 1.0) / warm;
    }
    let done = ((step - warm) / (steps as f64 - warm).max(1.0)).min(1.0);
    let cosine = f64::midpoint(1.0, (std::f64::consts::PI * done).cos());
    LAST_RATE + (1.0 - LAST_RATE) * cosine
}

impl Recipe {
    /// Settings of this recipe for a task.
    pub fn config(self, task: Task, encoder: BackboneKind) -> Config {
        let segments = task == Task::Segmenter;
        let paper = self == Self::Paper;
        Config {
            task,
            encoder,
            graph: Graph::Torch,
            recipe: self,
            schedule: self.schedule(if paper { PAPER_EPOCHS } else { SCRATCH_EPOCHS }),
            batch: match (self, segments) {
                (Self::Paper, true) => 32,
                (Self::Paper, false) => 64,
                (Self::Scratch, _) => 16,
            },
            rate: match (self, segments) {
                (Self::Paper, true) => 1e-4,
                (Self::Paper, false) => 1e-5,
                (Self::Scratch, true) => 1e-3,
                (Self::Scratch, false) => 3e-4,
            },
            decay: !paper,
            adam: if paper { AdamForm::Keras } else { AdamForm::Torch },
            bn_momentum: if paper { 0.01 } else { 0.1 },
            balanced: !paper && !segments,
            precision: Precision::F32,
            augmentation: Augmentation::PAPER,
            aspect: Aspect::Stretch,
            seed: 0,
            split: SPLIT_VERSION.to_owned(),
            init: None,
        }
    }

    /// Sizes for a number of epochs: the paper's all at 224 pixels; from scratch all but the last fifth at 128.
    pub fn schedule(self, epochs: usize) -> Vec<Stage> {
        let full = if self == Self::Paper {
            epochs
        } else {
            epochs.div_ceil(5)
        };
        [(epochs - full, SMALL_SIZE), (full, FULL_SIZE)]
            .into_iter()
            .filter(|&(epochs, _)| epochs > 0)
            .map(|(epochs, size)| Stage { epochs, size })
            .collect()
    }
}

impl Config {
    /// Epochs of all stages.
    pub fn epochs(&self) -> usize {
        self.schedule.iter().map(|stage| stage.epochs).sum()
    }

    /// Image size of an epoch, counted from 0.
    pub fn size_of(&self, epoch: usize) -> usize {
        let mut first = 0;
        for stage in &self.schedule {
            first += stage.epochs;
            if epoch < first {
                return stage.size;
            }
        }
        self.schedule.last().map_or(FULL_SIZE, |stage| stage.size)
    }

    /// What the network expects at an image size; `config.input(config.size_of(last epoch))` goes into the card.
    pub fn input(&self, size: usize) -> InputSpec {
        InputSpec {
            width: size,
            height: size,
            aspect: self.aspect,
            ..InputSpec::of(self.encoder, self.graph)
        }
    }

    /// Learning rate of a step, counted from 0 over the whole run, with `per_epoch` steps an epoch. Where it decays,
    /// every stage warms up and falls by itself, so that the network can settle at the new image size; stages after
    /// the first reach half the rate.
    pub fn rate_at(&self, step: usize, per_epoch: usize) -> f64 {
        if !self.decay {
            return self.rate;
        }
        let (mut first, mut highest) = (0, self.rate);
        for stage in &self.schedule {
            let steps = stage.epochs * per_epoch;
            if step < first + steps {
                return highest * share_of_rate(step - first, steps);
            }
            first += steps;
            highest = self.rate * LATER_STAGES;
        }
        highest * LAST_RATE
    }

    /// Name of the trained network: in its card, and on the command line.
    pub fn model_name(&self) -> String {
        match (self.task, self.encoder) {
            (Task::Segmenter, encoder) => format!("segmenter-{encoder}"),
            (Task::Recovnet, BackboneKind::DenseNet121) => "recovnet-v1".to_owned(),
            (Task::Recovnet, BackboneKind::ResNet50) => "recovnet-v2".to_owned(),
            (Task::Recovnet, encoder) => format!("recovnet-{encoder}"),
            (Task::Baseline, encoder) => encoder.name().to_owned(),
        }
    }
}
