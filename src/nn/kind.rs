//! The backbones and graphs that are built.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BackboneKind {
    /// DenseNet-121 (Huang et al. 2017): 1024 feature channels at 1/32 of the input.
    #[serde(rename = "densenet121")]
    DenseNet121,
    /// ResNet-50 (He et al. 2016): 2048 feature channels at 1/32 of the input.
    #[serde(rename = "resnet50")]
    ResNet50,
    /// Inception-v3 (Szegedy et al. 2016): 2048 feature channels, 5x5 of them for an input of 224x224.
    #[serde(rename = "inception_v3")]
    InceptionV3,
    /// Inception-ResNet-v2 (Szegedy et al. 2017): 1536 feature channels, 5x5 of them for an input of 224x224.
    #[serde(rename = "inception_resnet_v2")]
    InceptionResNetV2,
}

/// Which published graph of a backbone; they differ in stride placement, biases, epsilon, gammas and
/// the counting of padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Graph {
    /// torchvision: the default, and the one that is trained.
    Torch,
    /// keras.applications: what the paper used.
    Keras,
}

impl Graph {
    /// Name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::Keras => "keras",
        }
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Graph {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Torch, Self::Keras]
            .into_iter()
            .find(|graph| graph.name() == name)
            .ok_or_else(|| format!("no graph is called '{name}'; there are torch and keras"))
    }
}

impl BackboneKind {
    /// Every backbone that is built.
    pub const ALL: [Self; 4] = [
        Self::DenseNet121,
        Self::ResNet50,
        Self::InceptionV3,
        Self::InceptionResNetV2,
    ];

    /// Name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::DenseNet121 => "densenet121",
            Self::ResNet50 => "resnet50",
            Self::InceptionV3 => "inception_v3",
            Self::InceptionResNetV2 => "inception_resnet_v2",
        }
    }

    /// Channels of the last feature map.
    pub fn feature_channels(self) -> usize {
        match self {
            Self::DenseNet121 => 1024,
            Self::ResNet50 | Self::InceptionV3 => 2048,
            Self::InceptionResNetV2 => 1536,
        }
    }

    /// Smallest rows and columns of a picture that it makes sense of: one pixel of the last feature map.
    pub fn smallest_side(self) -> usize {
        match self {
            Self::DenseNet121 | Self::ResNet50 => 32,
            Self::InceptionV3 | Self::InceptionResNetV2 => 75,
        }
    }

    /// All names, for a message.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for BackboneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BackboneKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no backbone is called '{name}'; there are {}", Self::names()))
    }
}
