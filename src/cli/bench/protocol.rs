//! What a process that holds one case says, a line of JSON each: that it is ready, then a round for every line that
//! it is sent, or why it ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The first line: the case is built and waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// What computes, in words.
    pub device: String,
    /// Resident memory before the first round, in MiB; null where the system does not say.
    pub loaded_mib: Option<f64>,
}

/// One round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// How long it took.
    pub ms: f64,
    /// Most memory that the process ever had resident, in MiB.
    pub peak_mib: Option<f64>,
    /// What the parts of the pipeline took, in milliseconds; empty for other work.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<String, f64>,
    /// The epochs of training from files; empty for other work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<Epoch>,
}

/// An epoch of training from files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Where its inputs come from: `decoded` from files, `ready` from the epoch before, or `cached` on disk.
    pub inputs: String,
    /// Images that were trained on.
    pub images: usize,
    /// How long it took, with the loading before its first step.
    pub seconds: f64,
    /// How long loading took.
    pub loading: f64,
    /// How long nothing was computed because inputs were not there: loading, and waiting for batches between steps.
    pub waited: f64,
}

/// The last line of a case that cannot go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Broken {
    /// Why.
    pub error: String,
}
