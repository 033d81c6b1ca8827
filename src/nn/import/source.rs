//! An opened file of weights, whatever its format: what tensors it claims to hold, and their values on demand, so
//! that nothing is decoded whose shape is not wanted.

use candle_core::{DType, Device, Tensor};
use serde::Serialize;

/// Format of a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Format {
    /// safetensors, as timm publishes them.
    #[serde(rename = "safetensors")]
    SafeTensors,
    /// `torch.save` since 1.6: a zip archive around a pickle.
    #[serde(rename = "torch zip")]
    TorchZip,
    /// `torch.save` before 1.6: pickles, then the numbers.
    #[serde(rename = "torch legacy")]
    TorchLegacy,
    /// HDF5 by layer names: Keras 2, and `.h5` of Keras 3.
    #[serde(rename = "keras h5")]
    KerasNamed,
    /// HDF5 by counters: `.weights.h5` of Keras 3.
    #[serde(rename = "keras weights.h5")]
    KerasCounted,
}

impl Format {
    /// Its name as in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::SafeTensors => "safetensors",
            Self::TorchZip => "torch zip",
            Self::TorchLegacy => "torch legacy",
            Self::KerasNamed => "keras h5",
            Self::KerasCounted => "keras weights.h5",
        }
    }

    /// Whether Keras wrote it, with kernels as HWIO.
    pub fn is_keras(self) -> bool {
        matches!(self, Self::KerasNamed | Self::KerasCounted)
    }
}

/// A tensor that a file claims to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name in the file.
    pub name: String,
    /// Its shape in the file's own layout.
    pub shape: Vec<usize>,
    /// Type of its numbers, such as `f32`.
    pub stored: &'static str,
    /// Whether its numbers lie in another order than the shape says and have to be gathered.
    pub strided: bool,
}

/// An opened file.
pub trait Source {
    /// What it is.
    fn format(&self) -> Format;

    /// Its tensors.
    fn found(&self) -> &[Found];

    /// Values of one of them as f32, in the file's own layout.
    ///
    /// # Errors
    /// A sentence about this tensor, if its numbers are of a type that weights do not have, or cannot be read.
    fn read(&self, index: usize) -> Result<Tensor, String>;
}

/// The number type of weights by its name; whole numbers are none.
pub(super) fn float(stored: &str) -> Option<DType> {
    Some(match stored {
        "f32" => DType::F32,
        "f64" => DType::F64,
        "f16" => DType::F16,
        "bf16" => DType::BF16,
        _ => return None,
    })
}

/// Elements of a shape, if that many can be counted.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |count, &side| count.checked_mul(side))
}

/// Little-endian numbers as a tensor of f32.
///
/// # Errors
/// If they are of no type of weights, or not as many as the shape says.
pub(super) fn decode(bytes: &[u8], stored: &str, shape: &[usize]) -> Result<Tensor, String> {
    let dtype = float(stored).ok_or_else(|| format!("holds {stored} numbers, which weights are not"))?;
    let wanted = elements(shape).and_then(|count| count.checked_mul(dtype.size_in_bytes()));
    if wanted != Some(bytes.len()) {
        return Err("has not as many numbers as its shape says".to_owned());
    }
    Tensor::from_raw_buffer(bytes, dtype, shape, &Device::Cpu)
        .and_then(|tensor| tensor.to_dtype(DType::F32))
        .map_err(|e| e.to_string())
}
