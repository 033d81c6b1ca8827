//! The losses with their gradients; `training::loss` says what they are. The loss stays on the GPU until it is read.

use candle_core::{DType, Tensor};
use cudarc::driver::LaunchConfig;

use super::gpu::{Gpu, THREADS, address, launch};
use crate::nn::{Error, Result};

/// Blocks that gather sums.
const SPLITS: usize = 256;

fn targets_fit(logits: &Tensor, targets: &Tensor, per_target: usize) -> Result<()> {
    let count = targets.elem_count();
    if count == 0 || logits.elem_count() != per_target * count || targets.dtype() != DType::U8 {
        return Err(Error::Shape {
            tensor: "targets of the loss".into(),
            found: targets.dims().to_vec(),
            expected: logits.dims().to_vec(),
        });
    }
    Ok(())
}

fn one_block() -> LaunchConfig {
    LaunchConfig {
        grid_dim: (1, 1, 1),
        block_dim: (THREADS, 1, 1),
        shared_mem_bytes: 0,
    }
}

/// Focal plus Dice loss of logits against masks of 0 and 1 (u8): the loss, first of three f64 values, and its
/// gradient in the logits' shape and type.
///
/// # Errors
/// If there is not one target a logit, or the GPU refuses.
pub fn hybrid(logits: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor)> {
    const OPERATION: &str = "focal and Dice loss";
    targets_fit(logits, targets, 1)?;
    let gpu = Gpu::of(logits)?;
    let z = logits.to_dtype(DType::F32)?.contiguous()?;
    let count = z.elem_count();
    let partial = gpu.empty(OPERATION, (SPLITS, 3), DType::F64)?;
    let result = gpu.empty(OPERATION, 3, DType::F64)?;
    let gradient = gpu.empty(OPERATION, logits.shape(), DType::F32)?;
    let config = LaunchConfig {
        grid_dim: (SPLITS as u32, 1, 1),
        ..one_block()
    };
    launch!(
        *gpu,
        OPERATION,
        "hybrid_sums",
        config,
        address(&z)?,
        address(targets)?,
        count as i64,
        address(&partial)?,
    );
    let single = LaunchConfig {
        block_dim: (1, 1, 1),
        ..one_block()
    };
    launch!(
        *gpu,
        OPERATION,
        "hybrid_finish",
        single,
        address(&partial)?,
        SPLITS as i32,
        count as i64,
        address(&result)?,
    );
    launch!(
        *gpu,
        OPERATION,
        "hybrid_gradient",
        gpu.elements(count),
        address(&z)?,
        address(targets)?,
        count as i64,
        address(&result)?,
        address(&gradient)?,
    );
    Ok((result, gradient.to_dtype(logits.dtype())?))
}

/// Mean cross-entropy of logits `[n, 2]` against labels of 0 and 1 (u8): the loss, one f64 value, and its gradient.
///
/// # Errors
/// If there are not two logits a label, or the GPU refuses.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<(Tensor, Tensor)> {
    const OPERATION: &str = "cross-entropy";
    targets_fit(logits, labels, 2)?;
    let gpu = Gpu::of(logits)?;
    let z = logits.to_dtype(DType::F32)?.contiguous()?;
    let loss = gpu.empty(OPERATION, 1, DType::F64)?;
    let gradient = gpu.empty(OPERATION, logits.shape(), DType::F32)?;
    launch!(
        *gpu,
        OPERATION,
        "cross_entropy",
        one_block(),
        address(&z)?,
        address(labels)?,
        labels.elem_count() as i32,
        address(&loss)?,
        address(&gradient)?,
    );
    Ok((loss, gradient.to_dtype(logits.dtype())?))
}
