//! The operations on CUDA: cuDNN for convolutions, kernels of our own for the rest, on candle's tensors. Same
//! signatures and layouts as on the CPU. Activations are f32, or bf16 for mixed precision; parameters, statistics
//! and the head stay in f32. Nothing here waits for the GPU but `Reading::wait`.
#![allow(unsafe_code, reason = "the driver's and cuDNN's interfaces are raw pointers")]

mod conv;
mod convolution;
mod gpu;
mod input;
mod join;
mod linear;
mod loss;
mod norm;
mod optimiser;
mod parts;
mod window;

pub use conv::conv2d;
pub use gpu::{Reading, describe, name, open, taken_mib};
pub use input::{GreyPlanes, network_input, upload_bytes, upload_images};
pub use join::{accumulate, concat, residual};
pub use linear::linear;
pub use loss::{cross_entropy, hybrid};
pub use norm::batch_norm;
pub use optimiser::{AdamState, RunningUpdate, blend_running};
pub use window::{average_pool, global_average_pool, max_pool, resize_bilinear, upsample_x2};

pub(in crate::nn) use gpu::refused;

use candle_core::Tensor;
use cudarc::driver::result;

use self::gpu::{Gpu, address};
use crate::nn::{Error, Result};

/// Copies a tensor over another of the same size and type.
fn copy_into(gpu: &Gpu, from: &Tensor, to: &Tensor) -> Result<()> {
    let bytes = from.elem_count() * from.dtype().size_in_bytes();
    if bytes != to.elem_count() * to.dtype().size_in_bytes() {
        return Err(Error::Shape {
            tensor: "copy".to_owned(),
            found: from.dims().to_vec(),
            expected: to.dims().to_vec(),
        });
    }
    let (source, target) = (address(from)?, address(to)?);
    // SAFETY: both are of `bytes` bytes (checked above) and live until the call returns; the stream keeps the order.
    unsafe { result::memcpy_dtod_async(target, source, bytes, gpu.stream.cu_stream()) }
        .map_err(|e| refused("copy", format!("{bytes} bytes"), e))
}
