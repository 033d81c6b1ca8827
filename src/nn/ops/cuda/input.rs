//! What a step is fed with: pictures and targets, brought to the GPU without waiting for it, and the network's input
//! made there of grey planes under random transforms.

use candle_core::cuda_backend::{CudaDType, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Shape, Storage, Tensor};
use cudarc::driver::{CudaSlice, DeviceRepr};

use super::gpu::{Gpu, address, launch, slice_address, suffix};
use crate::nn::{Error, Result};

/// The kernels' `Normalisation`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Normalisation {
    mean: [f32; 3],
    std: [f32; 3],
}

// SAFETY: the same fields in the same order as the kernels' structure.
unsafe impl DeviceRepr for Normalisation {}

/// Grey planes of a batch in host memory and what is to be made of them.
pub struct GreyPlanes<'a> {
    /// `[n, height, width]`, 16-bit levels from black to white.
    pub levels: &'a [u16],
    /// `[n, height, width]` of 0 and 1; empty where there are no masks.
    pub masks: &'a [u8],
    /// Takes an output pixel's `(row, column, 1)` to the input's row and column, one matrix an image.
    pub matrices: &'a [[f64; 6]],
    /// Rows and columns.
    pub size: (usize, usize),
    /// Subtracted from each channel.
    pub mean: [f32; 3],
    /// Each channel is divided by it.
    pub std: [f32; 3],
}

fn wrap<T: CudaDType>(slice: CudaSlice<T>, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let storage = CudaStorage::wrap_cuda_slice(slice, device.as_cuda_device()?.clone());
    Ok(Tensor::from_storage(
        Storage::Cuda(storage),
        shape,
        BackpropOp::none(),
        false,
    ))
}

fn check(name: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected && expected > 0 {
        return Ok(());
    }
    Err(Error::Shape {
        tensor: name.to_owned(),
        found: vec![found],
        expected: vec![expected],
    })
}

/// Brings pictures `[n, 3, h, w]` to the GPU.
///
/// # Errors
/// If the shape does not fit, or the GPU refuses.
pub fn upload_images(values: &[f32], shape: (usize, usize, usize, usize), device: &Device) -> Result<Tensor> {
    check("pictures", values.len(), shape.0 * shape.1 * shape.2 * shape.3)?;
    let slice = Gpu::at(device)?.upload("upload of pictures", values)?;
    wrap(slice, shape, device)
}

/// Brings labels or masks to the GPU.
///
/// # Errors
/// If there are none, or the GPU refuses.
pub fn upload_bytes(values: &[u8], device: &Device) -> Result<Tensor> {
    check("targets", values.len(), values.len())?;
    let slice = Gpu::at(device)?.upload("upload of targets", values)?;
    wrap(slice, values.len(), device)
}

/// Warps and normalises a batch on the GPU: the network's input `[n, 3, height, width]` (channels last in memory) of
/// `dtype`, and the masks `[n * height * width]` under the same transforms, if there are any.
///
/// # Errors
/// If the lengths do not fit, or the GPU refuses.
pub fn network_input(planes: &GreyPlanes<'_>, dtype: DType, device: &Device) -> Result<(Tensor, Option<Tensor>)> {
    const OPERATION: &str = "augmentation";
    let gpu = Gpu::at(device)?;
    let (n, (h, w)) = (planes.matrices.len(), planes.size);
    check("grey planes", planes.levels.len(), n * h * w)?;
    let matrices = gpu.upload(OPERATION, bytemuck::cast_slice::<[f64; 6], f64>(planes.matrices))?;
    let levels = gpu.upload(OPERATION, planes.levels)?;
    let images = gpu.empty(OPERATION, (n, h, w, 3), dtype)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("network_input_{}", suffix(dtype)?),
        gpu.elements(n * h * w),
        slice_address(&levels),
        slice_address(&matrices),
        n as i32,
        h as i32,
        w as i32,
        Normalisation {
            mean: planes.mean,
            std: planes.std,
        },
        address(&images)?,
    );
    let images = images.permute((0, 3, 1, 2))?;
    if planes.masks.is_empty() {
        return Ok((images, None));
    }
    check("masks", planes.masks.len(), n * h * w)?;
    let masks = gpu.upload(OPERATION, planes.masks)?;
    let warped = gpu.empty(OPERATION, n * h * w, DType::U8)?;
    launch!(
        *gpu,
        OPERATION,
        "warp_masks",
        gpu.elements(n * h * w),
        slice_address(&masks),
        slice_address(&matrices),
        n as i32,
        h as i32,
        w as i32,
        address(&warped)?,
    );
    Ok((images, Some(warped)))
}
