//! Operations on [`Value`]s with exact gradients: each computes, and records how to go back. They choose the
//! kernels by element type; networks never see that. Activations are `[n, h, w, c]`.

mod adam;
mod conv;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod join;
mod linear;
mod norm;
mod pool;
mod resize;
mod source;

pub use adam::AdamStep;
pub use conv::conv2d;
pub use join::{concat, residual};
pub use linear::linear;
pub(super) use norm::write_normalised;
pub use norm::{Norm, batch_norm};
pub use pool::{average_pool, global_average_pool, max_pool};
pub use resize::{resize_bilinear, upsample_x2};

use self::cpu::conv::Geometry;
use super::tape::Value;
use super::{Error, Result};

/// Calls a generic function with the element type of a tensor; an operation without one for it is named.
macro_rules! by_type {
    ($operation:literal, $tensor:expr, $function:ident ( $($argument:expr),* $(,)? )) => {
        match $tensor.dtype() {
            candle_core::DType::F32 => $function::<f32>($($argument),*),
            candle_core::DType::F64 => $function::<f64>($($argument),*),
            other => Err($crate::nn::Error::Unsupported {
                operation: $operation,
                on: format!("{} in host memory; convert it to f32", other.as_str()),
            }),
        }
    };
}
use by_type;

/// `[n, h, w, c]` of a value.
fn dims_of(x: &Value, operation: &str) -> Result<(usize, usize, usize, usize)> {
    match *x.dims() {
        [n, h, w, c] => Ok((n, h, w, c)),
        _ => Err(Error::Shape {
            tensor: operation.to_owned(),
            found: x.dims().to_vec(),
            expected: vec![0, 0, 0, 0],
        }),
    }
}

/// `[n, h, w, c]` of a tensor.
#[cfg(feature = "cuda")]
fn dims(x: &candle_core::Tensor, operation: &str) -> Result<(usize, usize, usize, usize)> {
    x.dims4().map_err(|_| Error::Shape {
        tensor: operation.to_owned(),
        found: x.dims().to_vec(),
        expected: vec![0, 0, 0, 0],
    })
}

/// Output length of a window along one axis.
fn output_len(size: usize, kernel: usize, stride: usize, padding: usize) -> Result<usize> {
    let padded = size + 2 * padding;
    if padded < kernel {
        return Err(Error::Shape {
            tensor: "input".into(),
            found: vec![size],
            expected: vec![kernel - 2 * padding],
        });
    }
    Ok((padded - kernel) / stride + 1)
}

/// A window that slides over an activation: rows and columns of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Size of the window.
    pub kernel: (usize, usize),
    /// Step.
    pub stride: (usize, usize),
    /// Padding on both sides of each axis.
    pub padding: (usize, usize),
}

impl Window {
    /// The same along both axes.
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: (kernel, kernel),
            stride: (stride, stride),
            padding: (padding, padding),
        }
    }

    fn geometry(self, x: &Value, out_channels: Option<usize>) -> Result<Geometry> {
        let (n, h, w, c) = dims_of(x, "window")?;
        let oh = output_len(h, self.kernel.0, self.stride.0, self.padding.0)?;
        let ow = output_len(w, self.kernel.1, self.stride.1, self.padding.1)?;
        Ok(Geometry {
            n,
            input: (h, w, c),
            output: (oh, ow, out_channels.unwrap_or(c)),
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
        })
    }
}
