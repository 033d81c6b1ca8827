//! What numbers a network computes with.

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// What numbers a network computes with; its input's type decides for every operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout; on a GPU without TF32.
    #[default]
    F32,
    /// Activations and products in bf16, sums in f32; parameters, statistics and the head stay in f32. GPUs only.
    Bf16,
}

impl Precision {
    /// Type of the activations.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }

    /// Whether a device computes so.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(self, device: &Device) -> Result<()> {
        if self == Self::F32 || device.is_cuda() {
            return Ok(());
        }
        Err(Error::Unsupported {
            operation: "bf16",
            on: "the CPU; choose f32, or a CUDA device".to_owned(),
        })
    }

    /// Pictures as a network is to be given them.
    ///
    /// # Errors
    /// If their device does not compute so.
    pub fn of_input(self, images: &Tensor) -> Result<Tensor> {
        self.check(images.device())?;
        Ok(images.to_dtype(self.dtype())?)
    }
}
