//! What a network expects at its input; travels with the weights in their card.

use std::fmt;

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::ops::cpu::Host;
use super::{BackboneKind, Error, Graph, Result};

/// Checks a network's input, `[n, 3, h, w]`: what is no batch of pictures, or of other numbers than networks compute
/// with, is refused before the first operation sees it.
pub(super) fn check_images(images: &Tensor) -> Result<()> {
    let reason = match *images.dims() {
        [0, ..] => "there is no picture in the batch; a batch holds at least one",
        [_, 3, h, w] if h > 0 && w > 0 => return check_numbers(images),
        [_, 3, _, _] => "the pictures have no pixels",
        _ => "expected [n, 3, h, w]: pictures, channels, rows, columns",
    };
    Err(Error::Input {
        found: images.dims().to_vec(),
        reason,
    })
}

/// Checks the numbers' type, and in host memory that they are finite: reading them back from a GPU would cost a wait.
fn check_numbers(images: &Tensor) -> Result<()> {
    let on_cpu = images.device().is_cpu();
    match images.dtype() {
        DType::F32 if on_cpu => check_finite(images),
        DType::F32 | DType::BF16 if !on_cpu => Ok(()),
        other => {
            let (found, wanted) = (other.as_str(), if on_cpu { "f32" } else { "f32 or bf16" });
            let fault = format!(" of {found}; convert them to {wanted}, normalised as the model card says");
            Err(unfit(images, &fault))
        }
    }
}

/// Checks that a batch in host memory has no NaN and no infinity: they would spread over a picture's whole result.
fn check_finite(images: &Tensor) -> Result<()> {
    let images = images.contiguous()?;
    let host = Host::of(&images)?;
    let (n, values) = (images.dims()[0], host.slice::<f32>()?);
    let mut pictures = values.chunks_exact(values.len() / n).zip(1_usize..);
    let Some((picture, number)) = pictures.find(|(picture, _)| !all_finite(picture)) else {
        return Ok(());
    };
    let value = if picture.iter().any(|value| value.is_nan()) {
        "a value that is not a number"
    } else {
        "an infinite value"
    };
    let fault = format!(": image {number} of {n} has {value}; look at its pixels and at what they were divided by");
    Err(unfit(&images, &fault))
}

/// Whether no value is NaN or infinite. All are looked at, because a loop that may end early is not vectorised.
fn all_finite(values: &[f32]) -> bool {
    values.iter().fold(true, |all, value| all & value.is_finite())
}

/// Pictures of the right shape that no network can be given.
fn unfit(images: &Tensor, fault: &str) -> Error {
    Error::Unsupported {
        operation: "a network",
        on: format!("pictures {:?}{fault}", images.dims()),
    }
}

/// How a picture of another shape becomes the network's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// Both sides are scaled by their own factor.
    Stretch,
    /// Scaled to fit, the rest filled with black (air), picture centred.
    Pad,
    /// Scaled to cover, the overhang cut off on both sides.
    Crop,
}

/// Which part of a picture a network is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum Region {
    /// All of it.
    #[default]
    Full,
    /// The box around the lungs that a segmenter finds.
    LungCrop {
        /// Added at every side of the box, as a share of its width or height.
        margin: f64,
    },
    /// All of it, with everything outside the lungs black.
    LungMask,
}

impl Region {
    /// Whether no segmenter is needed.
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::LungCrop { margin } => write!(f, "lung-crop with a margin of {margin}"),
            Self::LungMask => f.write_str("lung-mask"),
        }
    }
}

/// Size, aspect handling and normalisation of a network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Columns of the input.
    pub width: usize,
    /// Rows of the input.
    pub height: usize,
    /// How other shapes are brought to it.
    pub aspect: Aspect,
    /// Per-channel mean that is subtracted from grey in 0..=1 (RGB order).
    pub mean: [f32; 3],
    /// Per-channel standard deviation that is divided by.
    pub std: [f32; 3],
    /// Which part of the picture it is given.
    #[serde(default, skip_serializing_if = "Region::is_full")]
    pub region: Region,
}

impl Default for InputSpec {
    /// 224 x 224, stretched as the paper's data set is, `ImageNet` statistics.
    fn default() -> Self {
        Self {
            width: 224,
            height: 224,
            aspect: Aspect::Stretch,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            region: Region::Full,
        }
    }
}

impl InputSpec {
    /// What published weights of an encoder were trained on, so that imported ones see what they know.
    ///
    /// torchvision and keras.applications: `ImageNet` statistics for `DenseNet` and torch's `ResNet`; -1..=1 for the
    /// Inceptions (torchvision's own network brings `ImageNet`'s normalisation to that range itself); 0..=255 with the
    /// channels' means taken off, in BGR order, for Keras's `ResNet`.
    pub fn of(kind: BackboneKind, graph: Graph) -> Self {
        let (mean, std) = match (kind, graph) {
            (BackboneKind::InceptionV3 | BackboneKind::InceptionResNetV2, _) => ([0.5; 3], [0.5; 3]),
            (BackboneKind::ResNet50, Graph::Keras) => {
                let bgr: [f32; 3] = [103.939, 116.779, 123.68];
                (bgr.map(|mean| mean / 255.0), [1.0 / 255.0; 3])
            }
            _ => return Self::default(),
        };
        Self {
            mean,
            std,
            ..Self::default()
        }
    }
}
