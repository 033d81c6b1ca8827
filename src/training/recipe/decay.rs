//! How the learning rate changes in a run.

use serde::{Deserialize, Serialize};

use super::Config;
use crate::training::event::EpochRecord;

/// How the learning rate changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum Decay {
    /// The highest rate throughout: the paper's.
    Constant,
    /// Every stage warms up along a line and then falls along half a cosine by itself, so that the network can settle
    /// at the new image size.
    Cosine {
        /// Share of a stage's steps in which the rate warms up.
        warm_up: f64,
        /// Last rate of a stage over its highest.
        last: f64,
        /// Highest rate of the stages after the first, over that of the first.
        later_stages: f64,
    },
    /// Multiplied by a factor after every few epochs.
    Step {
        /// Epochs at one rate.
        every: usize,
        /// What the rate is multiplied with then.
        factor: f64,
    },
    /// Multiplied by a factor when the validation score has not become better for some epochs.
    Plateau {
        /// Epochs without a better score after which the rate falls.
        patience: usize,
        /// What the rate is multiplied with then.
        factor: f64,
        /// The rate does not fall below this.
        least: f64,
    },
}

impl Decay {
    /// That of the scratch recipe.
    pub const COSINE: Self = Self::Cosine {
        warm_up: 0.05,
        last: 0.01,
        later_stages: 0.5,
    };
    /// A tenth after every third of the paper's epochs.
    pub const STEP: Self = Self::Step { every: 5, factor: 0.1 };
    /// A half after three epochs without a better score.
    pub const PLATEAU: Self = Self::Plateau {
        patience: 3,
        factor: 0.5,
        least: 1e-8,
    };
}

/// Rate over highest rate in a stage of `steps` steps: a line up, then half a cosine down.
fn share_of_rate(step: usize, steps: usize, warm_up: f64, last: f64) -> f64 {
    let warm = (steps as f64 * warm_up).ceil().max(1.0);
    let step = step as f64;
    if step < warm {
        return (step + 1.0) / warm;
    }
    let done = ((step - warm) / (steps as f64 - warm).max(1.0)).min(1.0);
    let cosine = f64::midpoint(1.0, (std::f64::consts::PI * done).cos());
    last + (1.0 - last) * cosine
}

/// The learning rates of a run.
#[derive(Debug, Clone, Copy)]
pub struct Rates<'a> {
    pub(super) config: &'a Config,
    pub(super) per_epoch: usize,
    pub(super) records: &'a [EpochRecord],
}

impl Rates<'_> {
    /// Rate of a step, counted from 0 over the whole run. Where it falls on plateaus, the records must be those of all
    /// epochs before.
    pub fn at(&self, step: usize) -> f64 {
        let highest = self.config.rate;
        match self.config.decay {
            Decay::Constant => highest,
            Decay::Cosine {
                warm_up,
                last,
                later_stages,
            } => self.cosine(step, warm_up, last, later_stages),
            Decay::Step { every, factor } => {
                let falls = step / self.per_epoch.max(1) / every.max(1);
                highest * factor.powi(i32::try_from(falls).unwrap_or(i32::MAX))
            }
            Decay::Plateau {
                patience,
                factor,
                least,
            } => {
                let falls = falls(self.records, patience);
                let rate = highest * factor.powi(i32::try_from(falls).unwrap_or(i32::MAX));
                rate.max(least.min(highest))
            }
        }
    }

    fn cosine(&self, step: usize, warm_up: f64, last: f64, later_stages: f64) -> f64 {
        let (mut first, mut highest) = (0, self.config.rate);
        for stage in &self.config.schedule {
            let steps = stage.epochs * self.per_epoch;
            if step < first + steps {
                return highest * share_of_rate(step - first, steps, warm_up, last);
            }
            first += steps;
            highest = self.config.rate * later_stages;
        }
        highest * last
    }
}

/// How often `patience` epochs in a row brought no better score at their image size.
fn falls(records: &[EpochRecord], patience: usize) -> usize {
    let (mut falls, mut waited) = (0, 0);
    for record in records {
        waited = if record.best { 0 } else { waited + 1 };
        if waited >= patience.max(1) {
            falls += 1;
            waited = 0;
        }
    }
    falls
}

/// Epochs at the end of `records` that brought no better score.
pub(in crate::training) fn idle_epochs(records: &[EpochRecord]) -> usize {
    records.iter().rev().take_while(|record| !record.best).count()
}
