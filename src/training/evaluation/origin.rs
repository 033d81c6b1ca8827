//! How the images of an evaluation were parted, and what the run of the weights recorded of its own data: who reads
//! figures must know whether the network could have seen the images.

use serde::{Deserialize, Serialize};

use crate::nn::ModelCard;
use crate::training::check::gate::OnLeakage;
use crate::training::check::report::Leakage;
use crate::training::split::SPLIT_KEY;

/// Splits and leakage, for `evaluation.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Name of the split that says which images are of which part.
    #[serde(default)]
    pub split_id: String,
    /// Name of the split that the weights were trained on; `None` where their card does not say.
    #[serde(default)]
    pub trained_split_id: Option<String>,
    /// What their run found in more than one part; `None` where it did not look, or the card does not say.
    #[serde(default)]
    pub recorded_leakage: Option<RecordedLeakage>,
}

/// What a run recorded of the check before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedLeakage {
    /// What was in more than one part.
    pub leakage: Leakage,
    /// What the run was told to do about it.
    pub on_leakage: OnLeakage,
    /// Images that were left out.
    pub left_out: usize,
}

impl Origin {
    /// That of an evaluation of the card's weights on images of a split.
    pub fn of(split_id: &str, card: &ModelCard) -> Self {
        let text = |name: &str| card.details.get(name)?.as_str().map(str::to_owned);
        let check = card.details.get("data").and_then(|data| data.get("check"));
        Self {
            split_id: split_id.to_owned(),
            trained_split_id: text(SPLIT_KEY),
            recorded_leakage: check.and_then(|check| serde_json::from_value(check.clone()).ok()),
        }
    }
}
