//! What every setting may be, in one table that the command line and the window read, too.

use std::fmt;

use crate::nn::Region;
use crate::nn::card::Task;

use super::{Augmenting, ClassWeights, Config, Decay, Sampling};

/// A setting that cannot be: its name, its value, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}: {allowed}")]
pub struct Setting {
    /// Name in words.
    pub name: &'static str,
    /// As it was given.
    pub value: String,
    /// What is allowed, in a sentence.
    pub allowed: String,
}

impl Setting {
    pub(super) fn new(name: &'static str, value: impl fmt::Display, allowed: impl Into<String>) -> Self {
        Self {
            name,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }
}

/// Range of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Name in words.
    pub name: &'static str,
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Whether fractions make no sense.
    pub whole: bool,
}

impl Limit {
    const fn number(name: &'static str, low: f64, high: f64) -> Self {
        Self {
            name,
            low,
            high,
            whole: false,
        }
    }

    const fn count(name: &'static str, low: u32, high: u32) -> Self {
        Self {
            name,
            low: low as f64,
            high: high as f64,
            whole: true,
        }
    }

    /// Whether a number is in range.
    ///
    /// # Errors
    /// Naming setting, value and range.
    pub fn check(self, value: f64) -> Result<(), Setting> {
        if (self.low..=self.high).contains(&value) && (!self.whole || value.fract() == 0.0) {
            return Ok(());
        }
        let kind = if self.whole { "a whole number" } else { "a number" };
        let range = format!("{kind} from {} to {} is needed", self.low, self.high);
        Err(Setting::new(self.name, value, range))
    }

    /// Whether a whole number is in range.
    ///
    /// # Errors
    /// Naming setting, value and range.
    pub fn check_count(self, value: usize) -> Result<(), Setting> {
        self.check(value as f64)
    }
}

/// The ranges of all numbers.
pub mod limits {
    use super::Limit;

    /// Images in a micro-batch.
    pub const BATCH: Limit = Limit::count("the batch", 2, 4096);
    /// Micro-batches of a step.
    pub const ACCUMULATION: Limit = Limit::count("the number of accumulated batches", 1, 1024);
    /// Epochs of a stage.
    pub const EPOCHS: Limit = Limit::count("the number of epochs", 1, 10_000);
    /// Side of the input, in pixels: the encoders divide it by 32.
    pub const SIZE: Limit = Limit::count("the image size", 32, 2048);
    /// Highest learning rate.
    pub const RATE: Limit = Limit::number("the learning rate", 1e-12, 10.0);
    /// Decay of a moment.
    pub const BETA: Limit = Limit::number("Adam's beta", 0.0, 0.999_999);
    /// Adam's epsilon.
    pub const EPSILON: Limit = Limit::number("Adam's epsilon", 1e-16, 1.0);
    /// Largest norm of a gradient.
    pub const CLIP: Limit = Limit::number("the largest gradient norm", 1e-6, 1e6);
    /// Share of a batch's statistics.
    pub const BN_MOMENTUM: Limit = Limit::number("the batch-norm momentum", 1e-4, 1.0);
    /// Largest shift, as a share of the side.
    pub const SHIFT: Limit = Limit::number("the largest shift", 0.0, 0.5);
    /// Largest rotation, in degrees.
    pub const ROTATION: Limit = Limit::number("the largest rotation", 0.0, 180.0);
    /// Images of a category.
    pub const TARGET: Limit = Limit::count("the number of images of a category", 1, 10_000_000);
    /// Weight of a class or of a loss.
    pub const WEIGHT: Limit = Limit::number("a weight", 0.0, 1000.0);
    /// Weight of positives in the focal loss.
    pub const FOCAL_ALPHA: Limit = Limit::number("the focal loss's alpha", 0.0, 1.0);
    /// Exponent of a focal loss.
    pub const FOCAL_GAMMA: Limit = Limit::number("the focal loss's gamma", 0.0, 10.0);
    /// Smoothing of the Dice loss.
    pub const DICE_SMOOTH: Limit = Limit::number("the Dice loss's smoothing", 1e-12, 1e6);
    /// Share of the target that goes to the other class.
    pub const LABEL_SMOOTHING: Limit = Limit::number("the label smoothing", 0.0, 0.5);
    /// Epochs from one kept network to the next.
    pub const KEEP_EVERY: Limit = Limit::count("the number of epochs between kept networks", 1, 10_000);
    /// Epochs without a better score.
    pub const PATIENCE: Limit = Limit::count("the patience", 1, 10_000);
    /// Share of a stage's steps in which the rate warms up.
    pub const WARM_UP: Limit = Limit::number("the warm-up", 0.0, 0.9);
    /// A rate over another.
    pub const RATE_SHARE: Limit = Limit::number("the share of the rate", 0.0, 1.0);
    /// Epochs at one rate.
    pub const EVERY: Limit = Limit::count("the number of epochs at one rate", 1, 10_000);
    /// What the rate is multiplied with.
    pub const FACTOR: Limit = Limit::number("the factor of the rate", 1e-6, 1.0);
    /// Lowest rate.
    pub const LEAST_RATE: Limit = Limit::number("the lowest rate", 0.0, 10.0);
    /// Margin around the lungs' box, as a share of its sides.
    pub const MARGIN: Limit = Limit::number("the margin around the lungs", 0.0, 1.0);
}

impl Config {
    /// Checks every value, and that they go together.
    ///
    /// # Errors
    /// Naming the first setting that cannot be, its value and what is allowed.
    pub fn check(&self) -> Result<(), Setting> {
        limits::BATCH.check_count(self.batch)?;
        limits::ACCUMULATION.check_count(self.accumulation)?;
        limits::RATE.check(self.rate)?;
        limits::BETA.check(self.beta1)?;
        limits::BETA.check(self.beta2)?;
        self.epsilon.map_or(Ok(()), |epsilon| limits::EPSILON.check(epsilon))?;
        self.clip.map_or(Ok(()), |clip| limits::CLIP.check(clip))?;
        limits::BN_MOMENTUM.check(self.bn_momentum)?;
        self.best_metric().check(self.task)?;
        self.patience
            .map_or(Ok(()), |patience| limits::PATIENCE.check_count(patience))?;
        self.check_schedule()?;
        self.check_decay()?;
        self.check_losses()?;
        self.check_augmentation()?;
        self.check_region()
    }

    fn check_schedule(&self) -> Result<(), Setting> {
        if self.schedule.is_empty() {
            return Err(Setting::new("the schedule", "empty", "at least one stage is needed"));
        }
        let side = self.encoder.smallest_side();
        for stage in &self.schedule {
            limits::EPOCHS.check_count(stage.epochs)?;
            limits::SIZE.check_count(stage.size)?;
            if stage.size < side {
                let allowed = format!("{} needs images of at least {side} pixels", self.encoder);
                return Err(Setting::new("the image size", stage.size, allowed));
            }
        }
        Ok(())
    }

    fn check_decay(&self) -> Result<(), Setting> {
        match self.decay {
            Decay::Constant => Ok(()),
            Decay::Cosine {
                warm_up,
                last,
                later_stages,
            } => {
                limits::WARM_UP.check(warm_up)?;
                limits::RATE_SHARE.check(last)?;
                limits::RATE_SHARE.check(later_stages)
            }
            Decay::Step { every, factor } => {
                limits::EVERY.check_count(every)?;
                limits::FACTOR.check(factor)
            }
            Decay::Plateau {
                patience,
                factor,
                least,
            } => {
                limits::PATIENCE.check_count(patience)?;
                limits::FACTOR.check(factor)?;
                limits::LEAST_RATE.check(least)
            }
        }
    }

    fn check_losses(&self) -> Result<(), Setting> {
        let (hybrid, entropy) = (&self.losses.hybrid, &self.losses.entropy);
        limits::WEIGHT.check(hybrid.focal_weight)?;
        limits::WEIGHT.check(hybrid.dice_weight)?;
        if hybrid.focal_weight + hybrid.dice_weight == 0.0 {
            let allowed = "one of focal and Dice loss must have a weight above 0";
            return Err(Setting::new("the weight of both losses", 0, allowed));
        }
        limits::FOCAL_ALPHA.check(hybrid.focal_alpha)?;
        limits::FOCAL_GAMMA.check(hybrid.focal_gamma)?;
        limits::DICE_SMOOTH.check(hybrid.dice_smooth)?;
        limits::LABEL_SMOOTHING.check(entropy.label_smoothing)?;
        limits::FOCAL_GAMMA.check(entropy.focal_gamma)?;
        if entropy.focal_gamma > 0.0 && entropy.label_smoothing > 0.0 {
            let allowed = "the focal loss of classifiers takes labels as they are: 0 is needed with a gamma above 0";
            return Err(Setting::new("the label smoothing", entropy.label_smoothing, allowed));
        }
        if let ClassWeights::Given { control, covid19 } = self.class_weights {
            limits::WEIGHT.check(control)?;
            limits::WEIGHT.check(covid19)?;
            if control.min(covid19) == 0.0 {
                let allowed = "both classes need a weight above 0";
                return Err(Setting::new("the weight of a class", 0, allowed));
            }
        }
        let only_classifiers = |name, value: &str| {
            let allowed = "a segmenter has no classes; leave it out";
            Err(Setting::new(name, value, allowed))
        };
        match (self.task, self.class_weights, self.sampling) {
            (Task::Segmenter, _, Sampling::ByClass | Sampling::ByClassAndSource) => {
                only_classifiers("the sampling", "balanced")
            }
            (Task::Segmenter, ClassWeights::Balanced | ClassWeights::Given { .. }, _) => {
                only_classifiers("the weighing of classes", "on")
            }
            _ => Ok(()),
        }
    }

    fn check_augmentation(&self) -> Result<(), Setting> {
        limits::SHIFT.check(self.augmentation.shift)?;
        limits::ROTATION.check(self.augmentation.rotation_deg)?;
        match &self.augmenting {
            Augmenting::Offline { targets, others } => {
                let counts = targets.values().chain(others);
                counts.copied().try_for_each(|count| limits::TARGET.check_count(count))
            }
            Augmenting::Off | Augmenting::EachEpoch => Ok(()),
        }
    }

    fn check_region(&self) -> Result<(), Setting> {
        if let Region::LungCrop { margin } = self.region {
            limits::MARGIN.check(margin)?;
        }
        if self.task == Task::Segmenter && self.region != Region::Full {
            let allowed = "a segmenter is to find the lungs: it is given the full picture";
            return Err(Setting::new("the part of the picture", self.region, allowed));
        }
        Ok(())
    }
}
