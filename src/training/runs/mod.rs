//! Runs as they lie on the disk: what was set, how it went, what came out. Reads run folders of every version that
//! ever wrote one: what is not there is `None`.

pub mod compare;
mod folder;
mod own_split;
pub mod promotion;
pub mod registry;
mod trash;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use compare::{Comparison, compare};
pub use folder::{audit_folder, best_weights, card, evaluation_folder, list, open, read_notes, write_notes};
pub use own_split::{own_options, split_warning};
pub use trash::delete;

pub use super::kept::kept_weights;

use super::Task;
use super::audit::Light;
use super::recipe::BestBy;

/// A curve: epoch and value.
pub type Curve = Vec<[f64; 2]>;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// A process is at it.
    Running,
    /// Stopped or killed before its last epoch; it can be resumed.
    Interrupted,
    /// All epochs are done.
    Finished,
    /// It ended with an error.
    Failed,
}

impl RunState {
    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// The best epoch of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BestEpoch {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Its score on the validation part.
    pub score: f64,
    /// What the score is, such as `roc_auc` or `dice`.
    pub metric: String,
}

impl BestEpoch {
    /// The score so that more is better; a loss stands below all other metrics.
    pub fn rank(&self) -> f64 {
        BestBy::named(&self.metric).map_or(self.score, |metric| metric.rank(self.score))
    }
}

/// One run folder: a row of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Where it lies.
    pub folder: PathBuf,
    /// The folder's name.
    pub name: String,
    /// How it stands.
    pub state: RunState,
    /// Why it failed, or what of the folder cannot be read.
    pub problem: Option<String>,
    /// What it trains, such as `recovnet-v1`.
    pub model: Option<String>,
    /// First data folder, where the run says which.
    pub data: Option<PathBuf>,
    /// Settings, as `config.json` has them.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Epochs done.
    pub epochs_done: usize,
    /// Epochs that were asked for.
    pub epochs: Option<usize>,
    /// Every number of `metrics.jsonl` over its epoch, by name.
    pub curves: BTreeMap<String, Curve>,
    /// Best epoch.
    pub best: Option<BestEpoch>,
    /// Epochs whose networks are kept for themselves, in their order; see [`kept_weights`].
    pub kept: Vec<usize>,
    /// Version and SHA-256 in the card of the best weights.
    pub version: Option<(String, String)>,
    /// Bytes of everything in the folder.
    pub bytes: u64,
    /// When it was last written, in seconds since 1970.
    pub modified: u64,
    /// What the user wrote about it.
    pub notes: String,
    /// Splits that it was evaluated on, in its own folder.
    pub evaluations: Vec<String>,
    /// What its audit says, if it was made for the best weights.
    pub audit: Option<Light>,
}

impl Run {
    /// What it trains; `None` where its settings do not say.
    pub fn task(&self) -> Option<Task> {
        serde_json::from_value(self.settings.get("task")?.clone()).ok()
    }
}

/// Why a run or a model list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no run in the folder.
    #[error("{}: no run lies here: {reason}", .path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// The run cannot be promoted as it is: why, and what to do.
    #[error("{}: not promoted: {reason}", .path.display())]
    NotPromoted {
        /// The run's folder.
        path: PathBuf,
        /// Cause and way out.
        reason: String,
    },
    /// The weights cannot be used.
    #[error(transparent)]
    Weights(#[from] crate::nn::Error),
    /// The model list holds no such model or version.
    #[error("{0}")]
    NoVersion(String),
}
