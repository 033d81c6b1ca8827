//! Tensors to tensors: operations with exact gradients, layers, backbones, the segmenter, `ReCovNet`, Grad-CAM and
//! the weights format. Knows no DICOM and no window; only [`weights`] and [`import`] read files.

pub mod backbone;
pub mod both;
pub mod card;
#[cfg(feature = "cuda")]
pub mod cuda_runtime;
pub mod gradcam;
pub mod import;
mod init;
pub mod input_spec;
pub mod kind;
pub mod layers;
pub mod network;
pub mod ops;
mod plan;
mod precision;
pub mod probe;
pub mod recovnet;
pub mod segmenter;
pub mod tape;
pub mod weights;
pub mod workspace;

pub use both::{Both, predict_both};
pub use candle_core::{DType, Device, Tensor};
pub use card::ModelCard;
pub use gradcam::CamTarget;
pub use input_spec::{Aspect, InputSpec, Region};
pub use kind::{BackboneKind, Graph};
pub use network::{Network, Role, RunningVariance};
pub use plan::StepTime;
pub use precision::Precision;
pub use recovnet::{Classification, Classifier};
pub use segmenter::Segmenter;
pub use tape::{Backward, BatchStatistics, Gradients, Tape, Value};
pub use workspace::Workspace;

use std::path::PathBuf;

/// Why a network operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// candle refused.
    #[error(transparent)]
    Candle(candle_core::Error),
    /// A GPU refused, is full or was lost.
    #[error("{operation} ({sizes}): {reason}")]
    Gpu {
        /// Operation.
        operation: &'static str,
        /// Sizes of what it works on, in words.
        sizes: String,
        /// One sentence with the cause and what to do.
        reason: String,
        /// Whether the cause is that its memory is full.
        full: bool,
    },
    /// A tensor does not have the shape that the network needs.
    #[error("{tensor}: shape {found:?}, expected {expected:?}")]
    Shape {
        /// Tensor or operation.
        tensor: String,
        /// What it has.
        found: Vec<usize>,
        /// What is needed.
        expected: Vec<usize>,
    },
    /// What was given to a network is no batch of pictures.
    #[error("network input {found:?}: {reason}")]
    Input {
        /// Its shape.
        found: Vec<usize>,
        /// What is wrong with it, and what to give instead.
        reason: &'static str,
    },
    /// There is no such path on this device or for this type of number.
    #[error("{operation} does not run on {on}")]
    Unsupported {
        /// Operation.
        operation: &'static str,
        /// Device or element type.
        on: String,
    },
    /// The bytes of a weights file are not those that its model card was written for.
    #[error("{path}: the weights do not match their model card: {reason}")]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// Both hashes, what is likely wrong, and what to do.
        reason: String,
    },
    /// A weights file or model card cannot be used.
    #[error("{path}: {reason}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// One sentence with the cause.
        reason: String,
    },
}

impl Error {
    /// Whether a GPU's memory is full: fewer pictures at once may do.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Gpu { full: true, .. })
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        #[cfg(feature = "cuda")]
        {
            let text = error.to_string();
            let cause = text.lines().next().unwrap_or_default();
            if ["CUDA_ERROR_", "CUBLAS_", "CURAND_"]
                .iter()
                .any(|word| cause.contains(word))
            {
                return ops::cuda::refused("a tensor operation", "on the GPU".to_owned(), cause);
            }
        }
        Self::Candle(error)
    }
}

/// Result of a network operation.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_full_if_its_error_says_so_whatever_the_words() {
        let gpu = |full, reason: &str| Error::Gpu {
            operation: "convolution",
            sizes: "1 picture".to_owned(),
            reason: reason.to_owned(),
            full,
        };
        assert!(gpu(true, "cuDNN has no algorithm for what is free").is_out_of_memory());
        assert!(!gpu(false, "the GPU's memory is full").is_out_of_memory());
        let other = Error::Unsupported {
            operation: "convolution",
            on: "the GPU's memory is full".to_owned(),
        };
        assert!(!other.is_out_of_memory());
    }
}
