//! The metric of the validation part that says which epoch is the best.

use serde::{Deserialize, Serialize};

use super::check::Setting;
use crate::nn::card::Task;
use crate::training::event::Metric;

/// A metric of the validation part: a classifier's at probability 0.5 but for the ROC AUC, a segmenter's on the network
/// input at probability 0.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// Area under the ROC curve: a classifier's own.
    RocAuc,
    /// Mean Dice coefficient of the images: a segmenter's own.
    Dice,
    /// Intersection over union of all pixels.
    Iou,
    /// Share of positives found, of images or of lung pixels.
    Sensitivity,
    /// Share of negatives left alone, of images or of pixels outside the lungs.
    Specificity,
    /// Share of positive decisions that are right.
    Precision,
    /// Harmonic mean of precision and sensitivity.
    F1,
    /// The same with sensitivity counting twice.
    F2,
    /// Share of right decisions.
    Accuracy,
    /// Mean loss of the images: the only one of which less is better.
    Loss,
}

impl BestBy {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::RocAuc,
        Self::Dice,
        Self::Iou,
        Self::Sensitivity,
        Self::Specificity,
        Self::Precision,
        Self::F1,
        Self::F2,
        Self::Accuracy,
        Self::Loss,
    ];

    /// What decides unless another is asked for.
    pub fn own(task: Task) -> Self {
        match task {
            Task::Segmenter => Self::Dice,
            Task::Recovnet | Task::Baseline => Self::RocAuc,
        }
    }

    /// Those that are measured for a task, its own first.
    pub fn of(task: Task) -> Vec<Self> {
        let is_measured = |metric: &Self| metric.is_of(task);
        Self::ALL.into_iter().filter(is_measured).collect()
    }

    /// Whether it is measured for a task.
    pub fn is_of(self, task: Task) -> bool {
        match self {
            Self::Sensitivity | Self::Specificity | Self::Loss => true,
            Self::Dice | Self::Iou => task == Task::Segmenter,
            Self::RocAuc | Self::Precision | Self::F1 | Self::F2 | Self::Accuracy => task != Task::Segmenter,
        }
    }

    /// Its name, as metrics and settings have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RocAuc => "roc_auc",
            Self::Dice => "dice",
            Self::Iou => "iou",
            Self::Sensitivity => "sensitivity",
            Self::Specificity => "specificity",
            Self::Precision => "precision",
            Self::F1 => "f1",
            Self::F2 => "f2",
            Self::Accuracy => "accuracy",
            Self::Loss => "loss",
        }
    }

    /// The metric of a name; `None` if none of them has it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The score so that more is better, whichever way the metric goes.
    pub fn rank(self, score: f64) -> f64 {
        if self == Self::Loss { -score } else { score }
    }

    /// Whether a score is better than another of the same metric; one that is as good is not.
    pub fn is_better(self, score: f64, than: f64) -> bool {
        self.rank(score) > self.rank(than)
    }

    /// Takes the score out of an epoch's metrics. An epoch without a positive decision has no precision and counts
    /// as 0 here: no other epoch may stand behind it.
    pub(in crate::training) fn take(self, metrics: &mut Vec<Metric>, loss: f64) -> f64 {
        if self == Self::Loss {
            return loss;
        }
        let place = metrics.iter().position(|metric| metric.name == self.name());
        place.map_or(0.0, |place| metrics.remove(place).value)
    }

    /// Refuses what is not measured for a task.
    pub(super) fn check(self, task: Task) -> Result<(), Setting> {
        if self.is_of(task) {
            return Ok(());
        }
        let names: Vec<&str> = Self::of(task).into_iter().map(Self::name).collect();
        let network = match task {
            Task::Segmenter => "a segmenter",
            Task::Recovnet | Task::Baseline => "a classifier",
        };
        let allowed = format!("of {network} there are {}", names.join(", "));
        Err(Setting::new("the metric of the best epoch", self.name(), allowed))
    }
}
