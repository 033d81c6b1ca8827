//! Finds, verifies and loads weights with their model cards.

use std::path::{Path, PathBuf};

use crate::nn;

/// Name of a classifier on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClassifierName {
    /// `recovnet-v1`: the DenseNet-121 encoder of a trained segmenter.
    RecovnetV1,
    /// `recovnet-v2`: the ResNet-50 encoder of a trained segmenter.
    RecovnetV2,
    /// `densenet121`: plain baseline.
    Densenet121,
    /// `resnet50`: plain baseline.
    Resnet50,
    /// `inception_v3`: plain baseline.
    InceptionV3,
    /// `inception_resnet_v2`: plain baseline.
    InceptionResnetV2,
}

/// A segmenter and a classifier on one device, verified and ready.
pub struct Models {
    /// Phase I network and its card.
    pub segmenter: (nn::Segmenter, nn::ModelCard),
    /// Phase II network and its card.
    pub classifier: (nn::Classifier, nn::ModelCard),
    /// Where both run.
    pub device: nn::Device,
    /// What that is, in words for the window: `CPU, 2 threads`.
    pub device_label: String,
}

/// Folders searched for weights, in order: `given`, `RECOVNET_WEIGHTS`, beside the program, the user's data
/// folder, `./weights`.
pub fn weights_folders(given: Option<&Path>) -> Vec<PathBuf> {
    given.map(Path::to_owned).into_iter().collect()
}
