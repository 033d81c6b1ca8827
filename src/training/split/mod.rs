//! Training, validation and test part of an image. By default a hash of its group and nothing else, so that anybody
//! can recompute it and no weights have seen another's test images; other rules have a name and a file.

mod choose;
pub mod file;
mod rule;
mod together;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use rule::{Leakage, Split, SplitRule};
pub use together::keep_together;

/// Why data cannot be parted as they should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A predefined split that is none.
    #[error(
        "{file}: this image and {} more have no predefined part; part the data by another rule (--split-rule paper or \
         hash)",
        .count - 1
    )]
    NotPredefined {
        /// The first such image.
        file: PathBuf,
        /// Number of such images.
        count: usize,
    },
    /// A split that only a check of the data makes.
    #[error(
        "the rule together needs the copies that a check of the data finds: write such a split with \
         'recovnet check-data --together FILE' and name the file (--split-file)"
    )]
    Together,
    /// Every group of a part shares a picture with one of another part.
    #[error(
        "with groups that share a picture in one part, no image is left in the part {0}; add groups with other pictures, \
         or take copies out of the data"
    )]
    Emptied(Part),
    /// A split file cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
}

/// Seed of the splits of this product. It has nothing to do with a training run's seed.
pub const SPLIT_SEED: u64 = 20_210_128;

/// Name of the default rule and its constants; weights carry the name of their split, and only weights of the same
/// split, or of images from elsewhere, are trained further.
pub const SPLIT_VERSION: &str = "sha256-group-70-10-20-seed-20210128";

/// Name of the metadata entry in weights files and cards that holds [`SPLIT_VERSION`].
pub const SPLIT_KEY: &str = "split";

/// Share of groups in the training part.
const TRAIN_SHARE: f64 = 0.7;
/// Share of groups in the validation part; the rest is the test part.
const VALIDATION_SHARE: f64 = 0.1;

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Weights are fitted to it.
    Train,
    /// Checkpoint and threshold are chosen on it.
    #[serde(rename = "val")]
    Validation,
    /// Looked at once, for the reported metrics.
    Test,
}

impl Part {
    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "val",
            Self::Test => "test",
        }
    }

    /// The part of that name; `validation` is understood as well.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "train" => Some(Self::Train),
            "val" | "validation" => Some(Self::Validation),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    /// The part of a group: SHA-256 of `SEED:GROUP`, its first eight bytes (big-endian) over 2^64, against 0.7 and
    /// 0.8.
    pub fn of(group: &str) -> Self {
        let digest = Sha256::digest(format!("{SPLIT_SEED}:{group}"));
        let first = digest
            .iter()
            .take(8)
            .fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        let share = first as f64 / 2_f64.powi(64);
        if share < TRAIN_SHARE {
            Self::Train
        } else if share < TRAIN_SHARE + VALIDATION_SHARE {
            Self::Validation
        } else {
            Self::Test
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
