//! Everything that decides what a run computes: the two recipes and the settings that a run folder records.

mod best_by;
mod check;
mod choices;
mod decay;

use serde::{Deserialize, Serialize};

use crate::nn::card::Task;
use crate::nn::{Aspect, BackboneKind, Graph, InputSpec, Precision, Region};

use super::adam::{AdamForm, AdamSettings};
use super::augment::Augmentation;
use super::check::gate::OnLeakage;
use super::event::EpochRecord;
use super::loss::{Losses, Objective};
use super::split::SPLIT_VERSION;

pub use best_by::BestBy;
pub use check::{Limit, Setting, limits};
pub use choices::{Augmenting, ClassWeights, Sampling};
pub(super) use decay::idle_epochs;
pub use decay::{Decay, Rates};

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
    /// Images in a micro-batch: what the network sees at once, and what batch normalisation takes its statistics from.
    pub batch: usize,
    /// Micro-batches whose gradients are averaged for one step: the effective batch is `batch * accumulation`.
    #[serde(default = "one")]
    pub accumulation: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// How the rate changes.
    pub decay: Decay,
    /// Form of Adam.
    pub adam: AdamForm,
    /// Decay of Adam's first moment.
    #[serde(default = "beta1")]
    pub beta1: f64,
    /// Decay of Adam's second moment.
    #[serde(default = "beta2")]
    pub beta2: f64,
    /// Adam's epsilon; the form's own if none is given.
    #[serde(default)]
    pub epsilon: Option<f64>,
    /// Norm to which longer gradients are shortened; none is if `None`.
    #[serde(default)]
    pub clip: Option<f64>,
    /// What is minimised.
    #[serde(default)]
    pub losses: Losses,
    /// Weights of the classes in the loss (classifiers only).
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// Share of the batch's statistics that enters the running ones at each step, in every layer.
    pub bn_momentum: f64,
    /// What an epoch is drawn from (classifiers only; segmenters take every image once).
    pub sampling: Sampling,
    /// Which metric of the validation part decides which epoch is the best: of that one the weights are kept, and by it
    /// early stopping and plateaus of the rate are judged. The task's own if `None`; see [`Config::best_metric`].
    #[serde(default)]
    pub best_by: Option<BestBy>,
    /// Epochs without a better score after which the run ends; `None` goes on to the last.
    #[serde(default)]
    pub patience: Option<usize>,
    /// What numbers the network computes with.
    #[serde(default)]
    pub precision: Precision,
    /// Ranges of the random transforms.
    pub augmentation: Augmentation,
    /// When transforms are drawn.
    #[serde(default)]
    pub augmenting: Augmenting,
    /// How pictures are brought to the input's shape.
    pub aspect: Aspect,
    /// Which part of the picture a classifier is given.
    #[serde(default)]
    pub region: Region,
    /// SHA-256 of the segmenter that says where the lungs are, if the region needs one.
    #[serde(default)]
    pub segmenter: Option<String>,
    /// Seed of initial weights, order and transforms.
    pub seed: u64,
    /// What is done about pictures and groups in more than one part of the data; they are not looked for if `None`.
    #[serde(default)]
    pub on_leakage: Option<OnLeakage>,
    /// Name of the split of the data.
    pub split: String,
    /// SHA-256 of the weights that the run began with.
    pub init: Option<String>,
}

fn one() -> usize {
    1
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

/// Size of the paper's images.
const FULL_SIZE: usize = 224;
/// Size of the first epochs of the scratch recipe.
const SMALL_SIZE: usize = 128;
/// Epochs of each phase in the paper.
const PAPER_EPOCHS: usize = 15;
/// Epochs of the scratch recipe.
const SCRATCH_EPOCHS: usize = 30;
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
            accumulation: 1,
            decay: if paper { Decay::Constant } else { Decay::COSINE },
            adam: if paper { AdamForm::Keras } else { AdamForm::Torch },
            beta1: beta1(),
            beta2: beta2(),
            epsilon: None,
            clip: None,
            losses: Losses::default(),
            class_weights: ClassWeights::Equal,
            bn_momentum: if paper { 0.01 } else { 0.1 },
            sampling: if paper || segments {
                Sampling::AsIs
            } else {
                Sampling::ByClass
            },
            best_by: None,
            patience: None,
            precision: Precision::F32,
            augmentation: Augmentation::PAPER,
            augmenting: match (self, segments) {
                (Self::Paper, true) => Augmenting::PAPER_LUNGS,
                (Self::Paper, false) => Augmenting::table_1(),
                (Self::Scratch, _) => Augmenting::EachEpoch,
            },
            aspect: Aspect::Stretch,
            region: Region::Full,
            segmenter: None,
            on_leakage: None,
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
            region: self.region,
            ..InputSpec::of(self.encoder, self.graph)
        }
    }

    /// The metric that decides which epoch is the best.
    pub fn best_metric(&self) -> BestBy {
        self.best_by.unwrap_or_else(|| BestBy::own(self.task))
    }

    /// Chooses the metric that decides which epoch is the best; the task's own is as good as none.
    pub fn choose_best_by(&mut self, metric: BestBy) {
        self.best_by = (metric != BestBy::own(self.task)).then_some(metric);
    }

    /// Images of a step.
    pub fn effective_batch(&self) -> usize {
        self.batch * self.accumulation
    }

    /// The optimiser.
    pub fn optimiser(&self) -> AdamSettings {
        let standard = AdamSettings::from(self.adam);
        AdamSettings {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon.unwrap_or(standard.epsilon),
            ..standard
        }
    }

    /// What is minimised, for so many images of control and COVID-19.
    pub fn objective(&self, counts: [usize; 2]) -> Objective {
        Objective {
            losses: self.losses,
            class_weights: self.class_weights.of(counts),
        }
    }

    /// The learning rates, for epochs of `per_epoch` steps after those of `records`.
    pub fn rates<'a>(&'a self, per_epoch: usize, records: &'a [EpochRecord]) -> Rates<'a> {
        Rates {
            config: self,
            per_epoch,
            records,
        }
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
