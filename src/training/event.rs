//! What a run tells its listener, whoever that is.

use serde::{Deserialize, Serialize};

/// One line of `metrics.jsonl`: an epoch that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Side of the images, in pixels.
    pub size: usize,
    /// Mean training loss over the epoch's batches.
    pub train_loss: f64,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Mean loss on the validation part.
    pub validation_loss: f64,
    /// What `validation_score` is: `dice` (mean over images, on the network input) or `roc_auc`.
    pub metric: String,
    /// Score on the validation part; larger is better.
    pub validation_score: f64,
    /// Whether this is the best epoch at this size so far.
    pub best: bool,
    /// Images the network was trained on.
    pub images: usize,
    /// Seconds the epoch took, validation included.
    pub seconds: f64,
    /// Images per second of the training part of it.
    pub images_per_second: f64,
}

impl EpochRecord {
    /// The record with seven significant digits in every number: enough for a reader, and few enough to come back
    /// from JSON exactly, so that a resumed run compares scores as the first one did.
    #[must_use]
    pub fn rounded(self) -> Self {
        let rounded = |value: f64| format!("{value:.6e}").parse().unwrap_or(value);
        Self {
            train_loss: rounded(self.train_loss),
            rate: rounded(self.rate),
            validation_loss: rounded(self.validation_loss),
            validation_score: rounded(self.validation_score),
            seconds: rounded(self.seconds),
            images_per_second: rounded(self.images_per_second),
            ..self
        }
    }
}

/// Something happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainingEvent {
    /// The run begins with an imported encoder; its decoder or head begins with random weights.
    EncoderOnly,
    /// Images are being decoded and resized for the next epochs.
    Loading {
        /// Images done.
        done: usize,
        /// Images in all.
        total: usize,
        /// Side they are brought to, in pixels.
        size: usize,
    },
    /// A training step is done.
    Step {
        /// Steps done since the run's first epoch, earlier sessions included.
        done: usize,
        /// Steps of the whole run.
        total: usize,
        /// Epoch, from 1.
        epoch: usize,
        /// Loss of its batch.
        loss: f64,
        /// Images per second since the epoch began.
        images_per_second: f64,
    },
    /// The validation part is being evaluated.
    Validating {
        /// Epoch, from 1.
        epoch: usize,
    },
    /// An epoch is done and its checkpoints are on disk.
    Epoch(EpochRecord),
}
