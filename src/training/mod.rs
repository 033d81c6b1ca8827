//! The paper's two phases: data, augmentation, losses, metrics, the loop. Knows no window and no listener.

pub mod adam;
#[cfg(feature = "cuda")]
mod adam_gpu;
pub mod audit;
pub mod augment;
pub mod batches;
pub mod card;
pub mod check;
pub mod checkpoint;
pub mod control;
pub mod dataset;
pub mod evaluation;
pub mod event;
pub mod fingerprint;
pub mod initial;
pub mod input_cache;
mod input_pack;
mod kept;
mod lock;
pub mod loss;
pub mod lungs;
pub mod manifest;
mod mapped;
mod memory;
pub mod metrics;
mod outlet;
pub mod phase;
pub mod pool;
pub mod preview;
pub mod process;
pub mod recipe;
pub mod record;
pub mod request;
pub mod runs;
pub mod sample;
mod sets;
pub mod split;
pub mod start_weights;
pub mod step;
pub mod tensorboard;
pub mod trainer;
pub mod watch;

use std::path::PathBuf;

pub use crate::nn::card::Task;
pub use crate::nn::{BackboneKind, Region};

/// Why a training run ends without weights.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder holds no data set, or one that cannot be used.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// A labelled file cannot be used.
    #[error(transparent)]
    Data(sample::Error),
    /// The data hold nothing to learn this from.
    #[error("{folder}: {reason}")]
    TooFew {
        /// The data folder.
        folder: PathBuf,
        /// Cause.
        reason: String,
    },
    /// A network operation failed.
    #[error(transparent)]
    Network(#[from] crate::nn::Error),
    /// The initial weights do not fit this run.
    #[error("{path}: {reason}")]
    Init {
        /// The weights.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// The settings do not go together, or the initial weights are not what the task begins with.
    #[error("{0}")]
    Usage(String),
    /// The run folder cannot be used or written.
    #[error("{path}: {reason}")]
    Run {
        /// Folder or file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// The loss left the numbers.
    #[error(
        "the loss is no longer a number in epoch {epoch}, step {step}; try a smaller learning rate, and look at the \
         images of its batch: {}",
        listed(.files)
    )]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// Step in the epoch, from 1.
        step: usize,
        /// The images of its batch.
        files: Vec<String>,
    },
    /// The loss on the validation part, or its score, left the numbers.
    #[error(
        "the loss on the validation part is no longer a number after epoch {epoch}; try a smaller learning rate, or \
         more steps for the running statistics to settle"
    )]
    DivergedOnValidation {
        /// Epoch, from 1.
        epoch: usize,
    },
    /// Pictures or groups lie in more than one part of the data, or the check of that failed.
    #[error(transparent)]
    Leakage(check::gate::Error),
    /// A setting cannot be.
    #[error(transparent)]
    Setting(#[from] recipe::Setting),
    /// The caller asked to stop.
    #[error("stopped; the run can be resumed from here")]
    Cancelled,
}

/// The first few names, and how many more there are.
fn listed(files: &[String]) -> String {
    const MOST: usize = 16;
    let text = files.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(MOST) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

impl From<check::gate::Error> for Error {
    fn from(error: check::gate::Error) -> Self {
        match error {
            check::gate::Error::Check(check::Error::Cancelled) => Self::Cancelled,
            other => Self::Leakage(other),
        }
    }
}

impl From<sample::Error> for Error {
    fn from(error: sample::Error) -> Self {
        match error {
            sample::Error::Cancelled => Self::Cancelled,
            other => Self::Data(other),
        }
    }
}
