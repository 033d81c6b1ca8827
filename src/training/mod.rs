//! The paper's two phases: data, augmentation, losses, metrics, the loop. Knows no window and no listener.

pub mod adam;
#[cfg(feature = "cuda")]
mod adam_gpu;
pub mod augment;
pub mod batches;
pub mod card;
pub mod check;
pub mod checkpoint;
pub mod dataset;
pub mod event;
pub mod initial;
pub mod input_cache;
mod input_pack;
pub mod loss;
pub mod manifest;
mod mapped;
pub mod metrics;
pub mod phase;
pub mod recipe;
pub mod split;
pub mod step;
pub mod trainer;

use std::path::PathBuf;

/// Why a training run ends without weights.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// A labelled file cannot be used.
    #[error(transparent)]
    Data(dataset::Error),
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
    #[error("the loss is no longer a number in epoch {epoch}, step {step}; try a smaller learning rate")]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// Step in the epoch, from 1.
        step: usize,
    },
    /// The caller asked to stop; the last finished epoch is kept.
    #[error("cancelled; the run can be resumed after its last finished epoch")]
    Cancelled,
}

impl From<dataset::Error> for Error {
    fn from(error: dataset::Error) -> Self {
        match error {
            dataset::Error::Cancelled => Self::Cancelled,
            other => Self::Data(other),
        }
    }
}
