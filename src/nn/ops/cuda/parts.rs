//! Several feature maps that one operation reads or writes, and sums over all rows of a channel.

use candle_core::{DType, Tensor};
use cudarc::driver::DeviceRepr;

use super::gpu::{Gpu, address, launch, suffix_and_width};
use crate::nn::ops::dims;
use crate::nn::tape::{Sink, Value};
use crate::nn::{Error, Result};

/// As in kernels/common.cuh.
pub(super) const MOST_PARTS: usize = 32;

/// The kernels' `Parts`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub x: [u64; MOST_PARTS],
    pub mean: [u64; MOST_PARTS],
    pub variance: [u64; MOST_PARTS],
    first: [i32; MOST_PARTS + 1],
    count: i32,
}

// SAFETY: the same fields in the same order as the kernels' structure, all of plain numbers.
unsafe impl DeviceRepr for Parts {}

/// The kernels' `Targets`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Targets {
    dx: [u64; MOST_PARTS],
    add: [i32; MOST_PARTS],
}

// SAFETY: as above.
unsafe impl DeviceRepr for Targets {}

impl Parts {
    /// Feature maps of these widths; addresses are left out.
    pub(super) fn of_widths(widths: &[usize]) -> Result<Self> {
        if widths.len() > MOST_PARTS {
            return Err(Error::Unsupported {
                operation: "an operation over feature maps",
                on: format!("{} of them; the kernels take {MOST_PARTS}", widths.len()),
            });
        }
        let mut parts = Self {
            x: [0; MOST_PARTS],
            mean: [0; MOST_PARTS],
            variance: [0; MOST_PARTS],
            first: [0; MOST_PARTS + 1],
            count: widths.len() as i32,
        };
        for (i, width) in widths.iter().enumerate() {
            parts.first[i + 1] = parts.first[i] + *width as i32;
        }
        Ok(parts)
    }

    /// Feature maps and their addresses.
    pub(super) fn of(tensors: &[Tensor]) -> Result<Self> {
        let mut parts = Self::of_widths(&widths(tensors)?)?;
        for (address_of, tensor) in parts.x.iter_mut().zip(tensors) {
            *address_of = address(tensor)?;
        }
        Ok(parts)
    }
}

/// Channels of each feature map.
pub(super) fn widths(tensors: &[Tensor]) -> Result<Vec<usize>> {
    tensors.iter().map(|t| dims(t, "feature map").map(|d| d.3)).collect()
}

/// The tensors of values, contiguous, of one type and size but for their channels.
pub(super) fn tensors(operation: &str, parts: &[Value]) -> Result<Vec<Tensor>> {
    let first = parts
        .first()
        .ok_or_else(|| Error::Shape {
            tensor: operation.to_owned(),
            found: vec![0],
            expected: vec![1],
        })?
        .read();
    let (n, h, w, _) = dims(first, operation)?;
    parts
        .iter()
        .map(|part| {
            let (pn, ph, pw, c) = dims(part.read(), operation)?;
            if (pn, ph, pw) != (n, h, w) || part.read().dtype() != first.dtype() {
                return Err(Error::Shape {
                    tensor: operation.to_owned(),
                    found: vec![pn, ph, pw, c],
                    expected: vec![n, h, w, c],
                });
            }
            Ok(part.read().contiguous()?)
        })
        .collect()
}

/// Gradients of feature maps that a kernel is about to write: into a sum that the tape has already begun where there
/// is one, else into a fresh tensor; nowhere for constants.
pub(super) struct Gathered {
    pub targets: Targets,
    gradients: Vec<(Option<usize>, Tensor)>,
}

impl Gathered {
    pub(super) fn new(
        gpu: &Gpu,
        operation: &'static str,
        sink: &mut Sink,
        nodes: &[Option<usize>],
        like: &[Tensor],
    ) -> Result<Self> {
        let mut targets = Targets::default();
        let mut gradients = Vec::with_capacity(nodes.len());
        for (i, (node, tensor)) in nodes.iter().zip(like).enumerate() {
            if node.is_none() {
                continue;
            }
            let begun = sink.claim(*node);
            targets.add[i] = i32::from(begun.is_some());
            let gradient = match begun {
                Some(sum) => sum,
                None => gpu.empty(operation, tensor.shape(), tensor.dtype())?,
            };
            targets.dx[i] = address(&gradient)?;
            gradients.push((*node, gradient));
        }
        Ok(Self { targets, gradients })
    }

    /// Hands the gradients to the tape.
    pub(super) fn put(self, sink: &mut Sink) -> Result<()> {
        self.gradients
            .into_iter()
            .try_for_each(|(node, gradient)| sink.put(node, gradient))
    }
}

/// Sums over images and pixels of each channel: `[n, h, w, c]` to f32 `[c]`.
pub(super) fn sum_channels(gpu: &Gpu, operation: &'static str, x: &Tensor) -> Result<Tensor> {
    let (n, h, w, c) = dims(x, operation)?;
    let rows = n * h * w;
    let (suffix, width) = suffix_and_width(x.dtype(), &[c])?;
    let config = gpu.rows(rows, c, width);
    let splits = config.grid_dim.1;
    let partial = gpu.empty(operation, (splits as usize, 2, c), DType::F32)?;
    let sums = gpu.empty(operation, c, DType::F32)?;
    launch!(
        *gpu,
        operation,
        &format!("channel_sums_{suffix}"),
        config,
        address(x)?,
        rows as i64,
        c as i32,
        address(&partial)?,
    );
    launch!(
        *gpu,
        operation,
        "finish_sums",
        gpu.elements(c),
        address(&partial)?,
        splits as i32,
        c as i32,
        address(&sums)?,
    );
    Ok(sums)
}
