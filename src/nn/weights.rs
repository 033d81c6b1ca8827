//! Weights files: safetensors with torch names and OIHW kernels. In memory kernels are `[o, kh, kw, c]`; the
//! turn is made here and nowhere else. The only file of `nn`, beside the model card, that touches the disk.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use sha2::{Digest, Sha256};

use super::network::Network;
use super::{Error, Result};
use crate::atomic_file;

/// Tensors by name, in memory layout.
pub type State = BTreeMap<String, Tensor>;
/// Text beside the tensors in a file.
pub type Metadata = BTreeMap<String, String>;

/// No weights of these networks are larger; a larger file is not read.
const MAX_BYTES: u64 = 2 << 30;

/// How numbers are kept in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Everything as it is.
    Full,
    /// Convolution kernels as f16, the rest (normalisation, biases, head) as it is: half the size.
    F16Kernels,
}

fn fail(path: &Path, reason: impl Into<String>) -> Error {
    Error::Weights {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// SHA-256 of bytes, lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// SHA-256 of a file, lower-case hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256_of(path: &Path) -> Result<String> {
    Ok(sha256(&read_bytes(path)?))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let length = std::fs::metadata(path)
        .map_err(|e| fail(path, format!("cannot be read: {e}")))?
        .len();
    if length > MAX_BYTES {
        return Err(fail(path, "is too large to be a weights file"));
    }
    std::fs::read(path).map_err(|e| fail(path, format!("cannot be read: {e}")))
}

/// Writes a file under a temporary name and renames it; returns its SHA-256.
///
/// # Errors
/// If the file cannot be written; nothing is left under `path` then that was not there before.
pub fn save(path: &Path, state: &State, metadata: &Metadata, precision: Precision) -> Result<String> {
    let mut tensors = HashMap::new();
    for (name, tensor) in state {
        let mut tensor = tensor.to_device(&Device::Cpu)?;
        if tensor.rank() == 4 {
            tensor = tensor.permute((0, 3, 1, 2))?.contiguous()?;
            if precision == Precision::F16Kernels {
                tensor = tensor.to_dtype(DType::F16)?;
            }
        }
        tensors.insert(name.clone(), tensor);
    }
    let metadata: HashMap<String, String> = metadata.clone().into_iter().collect();
    let bytes = safetensors::serialize(&tensors, Some(metadata)).map_err(|e| fail(path, e.to_string()))?;
    atomic_file::write(path, &bytes).map_err(|e| fail(path, format!("cannot be written: {e}")))?;
    Ok(sha256(&bytes))
}

/// Reads a file: tensors as f32 in memory layout (64-bit ones stay so), and its metadata.
///
/// # Errors
/// If it cannot be read or is no safetensors file.
pub fn read(path: &Path, device: &Device) -> Result<(State, Metadata)> {
    parse(path, &read_bytes(path)?, device)
}

/// As [`read`], but refuses a file whose SHA-256 differs from the model card's.
///
/// # Errors
/// As [`read`], and if the hash differs.
pub fn read_verified(path: &Path, sha: &str, device: &Device) -> Result<(State, Metadata)> {
    let bytes = read_bytes(path)?;
    let found = sha256(&bytes);
    if !found.eq_ignore_ascii_case(sha) {
        return Err(fail(
            path,
            format!("its SHA-256 is {found}, the model card says {sha}: the file is damaged or not the card's"),
        ));
    }
    parse(path, &bytes, device)
}

fn parse(path: &Path, bytes: &[u8], device: &Device) -> Result<(State, Metadata)> {
    let broken = |e: &dyn std::fmt::Display| fail(path, format!("not a weights file: {e}"));
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).map_err(|e| broken(&e))?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let mut state = State::new();
    for (name, tensor) in candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| broken(&e))? {
        let tensor = match tensor.dtype() {
            DType::F64 | DType::I64 => tensor,
            _ => tensor.to_dtype(DType::F32)?,
        };
        let tensor = if tensor.rank() == 4 {
            tensor.permute((0, 2, 3, 1))?.contiguous()?
        } else {
            tensor
        };
        state.insert(name, tensor.to_device(device)?);
    }
    Ok((state, metadata))
}

/// Loads a file into a network.
///
/// # Errors
/// If the file cannot be read, or lacks a tensor or has one of another shape.
pub fn load_into(network: &mut dyn Network, path: &Path, device: &Device) -> Result<()> {
    let (state, _) = read(path, device)?;
    network.load_state(&state).map_err(|e| fail(path, e.to_string()))
}
