//! The model card beside each weights file: what it is, what it was trained on, how well it does.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{BackboneKind, Error, Graph, InputSpec, Result};

/// What a network computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Phase I: lung mask.
    Segmenter,
    /// Phase II: COVID-19 against control, encoder from a trained segmenter.
    Recovnet,
    /// COVID-19 against control, encoder not from a segmenter.
    Baseline,
}

/// The JSON file beside a weights file; `W.safetensors` has `W.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Such as `recovnet-v1`.
    pub name: String,
    /// Such as `2026.11.1`; a threshold belongs to one version.
    pub version: String,
    /// What it computes.
    pub task: Task,
    /// Its encoder.
    pub backbone: BackboneKind,
    /// Which graph of the encoder.
    pub graph: Graph,
    /// What it expects at its input.
    pub input: InputSpec,
    /// Threshold chosen on the validation part: probability of COVID-19, or of lung for a segmenter.
    pub threshold: f64,
    /// SHA-256 of the weights file, lower-case hexadecimal.
    pub sha256: String,
    /// Everything else: data and counts, licences, seed, code version, metrics with intervals, known limits.
    #[serde(flatten)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl ModelCard {
    /// Reads the card that lies beside a weights file.
    ///
    /// # Errors
    /// If there is none, or it is not a card.
    pub fn beside(weights: &Path) -> Result<Self> {
        let path = weights.with_extension("json");
        let fail = |reason: String| Error::Weights {
            path: path.clone(),
            reason,
        };
        let text = std::fs::read_to_string(&path).map_err(|e| fail(format!("model card cannot be read: {e}")))?;
        serde_json::from_str(&text).map_err(|e| fail(format!("not a model card: {e}")))
    }
}
