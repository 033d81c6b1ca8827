//! The models that the viewer offers, with their versions, as they lie on the disk. Runs on a thread; nothing is loaded.

use std::path::Path;

use crate::inference::installed::{Installed, State, installed};
use crate::inference::models::weights_folders;
use crate::training::runs::registry::{Registry, Version};

/// A model and its versions.
#[derive(Debug, Clone)]
pub struct Model {
    /// How it stands.
    pub installed: Installed,
    /// Versions in the user's own list, oldest first.
    pub versions: Vec<Version>,
}

impl Model {
    /// Whether another version can be gone back to.
    pub fn has_former(&self) -> bool {
        self.versions.iter().any(|version| !version.active)
    }

    /// Version and threshold in words, or what is wrong with it.
    pub fn words(&self) -> String {
        match &self.installed.state {
            State::Ready { version, threshold, .. } => format!("version {version}, threshold {threshold:.3}"),
            State::Broken { problem } => problem.clone(),
            State::Missing { how_to_train } => format!("not installed; {how_to_train}"),
        }
    }
}

/// Every model that the program knows.
#[derive(Debug, Clone)]
pub struct ModelList {
    /// The segmenter, then the classifiers.
    pub models: Vec<Model>,
}

/// Looks at the model list; `weights` is searched first.
pub fn read(weights: Option<&Path>) -> ModelList {
    let registry = Registry::of_user();
    let model = |installed: Installed| Model {
        versions: registry
            .as_ref()
            .map_or_else(Vec::new, |registry| registry.versions(&installed.name)),
        installed,
    };
    ModelList {
        models: installed(&weights_folders(weights)).into_iter().map(model).collect(),
    }
}
