//! Which networks are there and whole, without loading them: what a menu or a list shows.

use std::path::PathBuf;

use serde::Serialize;

use super::models::{self, ClassifierName, Error, WeightsFile};
use super::names::how_to_train_segmenter;
use crate::nn::weights;

/// A network by its name, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Installed {
    /// Name on the command line and of its weights.
    pub name: String,
    /// Which classifier it is; `None` for the segmenter.
    #[serde(skip)]
    pub classifier: Option<ClassifierName>,
    /// Whether it can be used.
    #[serde(flatten)]
    pub state: State,
}

/// How a network stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Weights and card are there.
    Ready {
        /// Version in its card.
        version: String,
        /// SHA-256 in its card.
        sha256: String,
        /// Threshold in its card.
        threshold: f64,
        /// Its weights.
        weights: PathBuf,
        /// The card as it stands in the file.
        card: serde_json::Value,
    },
    /// Something is there that cannot be used.
    Broken {
        /// One sentence with file and cause.
        problem: String,
    },
    /// It is not there.
    Missing {
        /// What makes one.
        how_to_train: String,
    },
}

/// Every network that the program knows, in the order of a menu: the segmenter, then the classifiers. Weights are read to
/// the end, because half a file would be offered otherwise.
pub fn installed(folders: &[PathBuf]) -> Vec<Installed> {
    let segmenter = Installed {
        name: models::SEGMENTER.to_owned(),
        classifier: None,
        state: state(models::find_segmenter(folders), how_to_train_segmenter),
    };
    let classifier = |name: ClassifierName| Installed {
        name: name.name().to_owned(),
        classifier: Some(name),
        state: state(models::find_classifier(folders, name), || name.how_to_train()),
    };
    std::iter::once(segmenter)
        .chain(ClassifierName::ALL.into_iter().map(classifier))
        .collect()
}

/// Every classifier whose weights and card are there.
pub fn ready(folders: &[PathBuf]) -> Vec<ClassifierName> {
    let is_there = |name: &ClassifierName| models::find_classifier(folders, *name).is_ok();
    ClassifierName::ALL.into_iter().filter(is_there).collect()
}

fn state(found: Result<WeightsFile, Error>, how_to_train: impl Fn() -> String) -> State {
    let whole = found.and_then(|file| {
        weights::verify(&file.path, &file.card.sha256)?;
        Ok(file)
    });
    match whole {
        Ok(WeightsFile { path, card }) => State::Ready {
            version: card.version.clone(),
            sha256: card.sha256.clone(),
            threshold: card.threshold,
            weights: path,
            card: serde_json::to_value(&card).unwrap_or_default(),
        },
        Err(Error::Missing { .. }) => State::Missing {
            how_to_train: how_to_train(),
        },
        Err(error) => State::Broken {
            problem: error.to_string(),
        },
    }
}
