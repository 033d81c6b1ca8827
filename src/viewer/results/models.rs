//! The models that the viewer offers, with their versions, as they lie on the disk. Runs on a thread; nothing is loaded.

use std::path::Path;

use crate::inference::installed::{Installed, State, installed};
use crate::inference::models::weights_folders;
use crate::training::audit::Light;
use crate::training::runs::promotion;
use crate::training::runs::registry::{Registry, Version};
use crate::viewer::wording::{not_installed, short_hash};

/// A model and its versions.
#[derive(Debug, Clone)]
pub struct Model {
    /// How it stands.
    pub installed: Installed,
    /// Versions in the user's own list, oldest first.
    pub versions: Vec<Version>,
}

impl Model {
    /// The version that the user's own list offers.
    pub fn listed(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.active)
    }

    /// What is found before the user's own list, so that the version there is not used; `None` where it is.
    pub fn hides_list(&self) -> Option<&Path> {
        let listed = self.listed()?;
        match &self.installed.state {
            State::Ready { weights, sha256, .. } if *sha256 != listed.sha256 => Some(weights),
            _ => None,
        }
    }

    /// What its card says of a shortcut audit, and why it was installed all the same; `None` where there is no card of
    /// a classifier.
    pub fn audit_words(&self) -> Option<(String, Option<Light>)> {
        let State::Ready { card, .. } = &self.installed.state else {
            return None;
        };
        self.installed.classifier?;
        let light = Light::of_card(card);
        let reason = card.pointer(&format!("/{}/reason", promotion::CARD_KEY));
        let words = match (light, reason.and_then(serde_json::Value::as_str)) {
            (None, _) => "Its card has no shortcut audit.".to_owned(),
            (Some(light), None) => format!("Shortcut audit: {}.", light.name()),
            (Some(light), Some(reason)) => {
                format!(
                    "Shortcut audit: {}. Installed with the reason: '{reason}'.",
                    light.name()
                )
            }
        };
        Some((words, light))
    }

    /// Version, weights and threshold of what is found first, or what is wrong with it.
    pub fn words(&self) -> String {
        match &self.installed.state {
            State::Ready {
                version,
                sha256,
                threshold,
                ..
            } => format!("version {version} ({}), threshold {threshold:.3}", short_hash(sha256)),
            State::Broken { problem } => problem.clone(),
            State::Missing { .. } => not_installed(self.installed.classifier),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::models::ClassifierName;

    fn version(sha256: &str, active: bool) -> Version {
        Version {
            version: "2026.11.2".to_owned(),
            sha256: sha256.repeat(32),
            threshold: 0.5,
            weights: "list/recovnet-v1.safetensors".into(),
            active,
        }
    }

    fn model(found: &str, versions: Vec<Version>) -> Model {
        let state = State::Ready {
            version: "2026.11.1".to_owned(),
            sha256: found.repeat(32),
            threshold: 0.4,
            weights: "beside/recovnet-v1.safetensors".into(),
            card: serde_json::Value::Null,
        };
        Model {
            installed: Installed {
                name: "recovnet-v1".to_owned(),
                classifier: None,
                state,
            },
            versions,
        }
    }

    #[test]
    fn what_hides_the_version_of_the_list_is_named() {
        let hidden = model("ab", vec![version("cd", false), version("ef", true)]);
        assert_eq!(hidden.hides_list(), Some(Path::new("beside/recovnet-v1.safetensors")));
        assert_eq!(hidden.words(), "version 2026.11.1 (abababab), threshold 0.400");
        assert_eq!(model("ef", vec![version("ef", true)]).hides_list(), None);
        assert_eq!(
            model("ef", vec![version("ab", false)]).hides_list(),
            None,
            "nothing is chosen"
        );
    }

    #[test]
    fn a_red_light_is_said_with_the_reason() {
        let mut model = model("ab", Vec::new());
        assert_eq!(model.audit_words(), None, "a segmenter has no audit");
        model.installed.classifier = Some(ClassifierName::RecovnetV1);
        let words = model.audit_words().map(|(words, _)| words);
        assert_eq!(words.as_deref(), Some("Its card has no shortcut audit."));
        if let State::Ready { card, .. } = &mut model.installed.state {
            *card = serde_json::json!({
                "shortcut_audit": { "light": "red" }, "promotion": { "reason": "to compare programs" },
            });
        }
        let words = "Shortcut audit: red. Installed with the reason: 'to compare programs'.";
        assert_eq!(model.audit_words(), Some((words.to_owned(), Some(Light::Red))));
    }
}
