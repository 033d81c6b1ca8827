//! Networks of single epochs that a run folder keeps for themselves, beside the best and the last, each with its card.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::nn::weights::{self, Precision};
use crate::nn::{ModelCard, Network};

use super::Error;
use super::checkpoint::{RunFolder, write_json};

/// Beginning and end of the names of networks that are kept for themselves: `epoch-0005.safetensors`.
const KEPT: (&str, &str) = ("epoch-", ".safetensors");

/// Where the network of an epoch is kept in a run folder, if it is kept for itself.
pub fn kept_weights(run: &Path, epoch: usize) -> PathBuf {
    run.join(format!("{}{epoch:04}{}", KEPT.0, KEPT.1))
}

/// The epoch of a network that is kept for itself, by its file's name.
pub fn kept_epoch(name: &str) -> Option<usize> {
    let digits = name.strip_prefix(KEPT.0)?.strip_suffix(KEPT.1)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

impl RunFolder {
    /// Saves the network of an epoch for itself, as [`Self::save_best`] does. Its card is next: see
    /// [`Self::save_kept_card`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_kept(
        &self,
        epoch: usize,
        network: &impl Network,
        metadata: &BTreeMap<String, String>,
    ) -> Result<String, Error> {
        let file = kept_weights(self.path(), epoch);
        Ok(weights::save(&file, &network.state(), metadata, Precision::F16Kernels)?)
    }

    /// Writes the card beside the network of an epoch.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_kept_card(&self, epoch: usize, card: &ModelCard) -> Result<(), Error> {
        write_json(&kept_weights(self.path(), epoch).with_extension("json"), card)
    }

    /// Whether the network of an epoch is kept for itself; its card is written last.
    pub fn has_kept(&self, epoch: usize) -> bool {
        kept_weights(self.path(), epoch).with_extension("json").is_file()
    }
}
