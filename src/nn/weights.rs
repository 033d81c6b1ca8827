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

/// No header of these networks is longer.
const MAX_HEADER_BYTES: usize = 16 << 20;
/// What to do about a file that is not whole.
const FETCH_AGAIN: &str = "its download or copy did not finish; fetch it again";

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

/// All bytes of a file, if it is not too large for weights.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let length = std::fs::metadata(path)
        .map_err(|e| fail(path, format!("cannot be read: {e}")))?
        .len();
    if length == 0 {
        return Err(fail(path, format!("is empty: {FETCH_AGAIN}")));
    }
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

/// As [`read`], but refuses a file whose SHA-256 differs from the model card's. The file is read once.
///
/// # Errors
/// As [`read`], and if the hash differs.
pub fn read_verified(path: &Path, sha: &str, device: &Device) -> Result<(State, Metadata)> {
    parse(path, &verified_bytes(path, sha)?, device)
}

/// Compares a file's SHA-256 with the model card's, and loads nothing.
///
/// # Errors
/// If the file cannot be read or the hash differs.
pub fn verify(path: &Path, sha: &str) -> Result<()> {
    verified_bytes(path, sha).map(drop)
}

fn verified_bytes(path: &Path, sha: &str) -> Result<Vec<u8>> {
    let bytes = read_bytes(path)?;
    let found = sha256(&bytes);
    if found.eq_ignore_ascii_case(sha) {
        return Ok(bytes);
    }
    let cause = cut_short(&bytes).unwrap_or_else(|| "the file is damaged or belongs to another card".to_owned());
    Err(Error::WrongHash {
        path: path.to_owned(),
        reason: format!("SHA-256 {found}, expected {sha}; {cause}"),
    })
}

/// A sentence about a file that ends before its header says, as half a download does; `None` for any other.
fn cut_short(bytes: &[u8]) -> Option<String> {
    let length = u64::from_le_bytes(*bytes.first_chunk()?);
    // What is no weights file at all begins with some other number.
    let start = usize::try_from(length)
        .ok()
        .filter(|&length| length <= MAX_HEADER_BYTES)?
        + 8;
    let Some(header) = bytes.get(8..start) else {
        return Some(format!(
            "it ends in its header, after {} bytes: {FETCH_AGAIN}",
            bytes.len()
        ));
    };
    let header: safetensors::tensor::Metadata = serde_json::from_slice(header).ok()?;
    let whole = start.checked_add(header.data_len())?;
    (bytes.len() < whole).then(|| format!("it holds {} of {whole} bytes: {FETCH_AGAIN}", bytes.len()))
}

fn parse(path: &Path, bytes: &[u8], device: &Device) -> Result<(State, Metadata)> {
    let broken = |e: &dyn std::fmt::Display| {
        let cause = cut_short(bytes).unwrap_or_else(|| e.to_string());
        fail(path, format!("not a weights file: {cause}"))
    };
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).map_err(|e| broken(&e))?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let mut state = State::new();
    for (name, tensor) in candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| broken(&e))? {
        let tensor = match tensor.dtype() {
            DType::F64 | DType::I64 => tensor,
            _ => tensor.to_dtype(DType::F32)?,
        };
        if !is_finite(&tensor)? {
            let reason = format!(
                "tensor {name} holds NaN or infinity: the file is damaged or its training diverged; use other weights"
            );
            return Err(fail(path, reason));
        }
        let tensor = if tensor.rank() == 4 {
            tensor.permute((0, 2, 3, 1))?.contiguous()?
        } else {
            tensor
        };
        state.insert(name, tensor.to_device(device)?);
    }
    Ok((state, metadata))
}

/// Whether every element is a finite number.
fn is_finite(tensor: &Tensor) -> Result<bool> {
    // NaN and infinity survive a sum, so a finite one clears all elements at once; a sum may also overflow by itself.
    match tensor.dtype() {
        DType::F32 if !tensor.sum_all()?.to_scalar::<f32>()?.is_finite() => {
            Ok(tensor.flatten_all()?.to_vec1::<f32>()?.iter().all(|v| v.is_finite()))
        }
        DType::F64 => Ok(tensor.flatten_all()?.to_vec1::<f64>()?.iter().all(|v| v.is_finite())),
        _ => Ok(true),
    }
}

/// Loads a file into a network.
///
/// # Errors
/// If the file cannot be read, or lacks a tensor or has one of another shape.
pub fn load_into(network: &mut dyn Network, path: &Path, device: &Device) -> Result<()> {
    let (state, _) = read(path, device)?;
    network.load_state(&state).map_err(|e| fail(path, e.to_string()))
}

/// As [`load_into`], but refuses a file whose SHA-256 differs from the model card's.
///
/// # Errors
/// As [`load_into`], and if the hash differs.
pub fn load_verified_into(network: &mut dyn Network, path: &Path, sha: &str, device: &Device) -> Result<()> {
    let (state, _) = read_verified(path, sha, device)?;
    network.load_state(&state).map_err(|e| fail(path, e.to_string()))
}
