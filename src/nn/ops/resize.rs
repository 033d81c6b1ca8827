//! Upsampling and resizing.

use super::cpu::{Element, Host, resize, tensor};
use super::{by_type, dims};
use crate::nn::Result;
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Tape, Value};

/// Nearest upsampling by 2: `[n, h, w, c]` to `[n, 2h, 2w, c]`.
///
/// # Errors
/// If the element type has no kernel.
pub fn upsample_x2(tape: &mut Tape, x: &Value) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.tensor.device().is_cuda() {
        return super::cuda::upsample_x2(tape, x);
    }
    if let Some(graph) = tape.graph() {
        let (n, h, w, c) = dims(&x.tensor, "upsampling")?;
        return graph.record(Operation::Upsample { x: graph::id(x)? }, &[n, 2 * h, 2 * w, c]);
    }
    by_type!(x.tensor, upsample_x2_typed(tape, x))
}

fn upsample_x2_typed<T: Element>(tape: &mut Tape, x: &Value) -> Result<Value> {
    let (n, h, w, c) = dims(&x.tensor, "upsampling")?;
    let y = resize::nearest_x2(Host::of(&x.tensor)?.slice::<T>()?, w, c);
    let node = x.node;
    Ok(
        tape.operation(tensor(y, (n, 2 * h, 2 * w, c))?, &[node], move |dy, sink| {
            let dx = resize::nearest_x2_backward(Host::of(dy)?.slice::<T>()?, w, c);
            sink.add(node, tensor(dx, (n, h, w, c))?)
        }),
    )
}

/// Bilinear resize with half-pixel centres, no anti-aliasing: `[n, h, w, c]` to `[n, rows, columns, c]`.
///
/// # Errors
/// If the element type has no kernel.
pub fn resize_bilinear(tape: &mut Tape, x: &Value, rows: usize, columns: usize) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.tensor.device().is_cuda() {
        return super::cuda::resize_bilinear(tape, x, rows, columns);
    }
    if let Some(graph) = tape.graph() {
        let (n, _, _, c) = dims(&x.tensor, "bilinear resize")?;
        return graph.record(Operation::Resize { x: graph::id(x)? }, &[n, rows, columns, c]);
    }
    by_type!(x.tensor, resize_bilinear_typed(tape, x, (rows, columns)))
}

fn resize_bilinear_typed<T: Element>(tape: &mut Tape, x: &Value, to: (usize, usize)) -> Result<Value> {
    let (n, h, w, c) = dims(&x.tensor, "bilinear resize")?;
    let y = resize::bilinear(Host::of(&x.tensor)?.slice::<T>()?, (h, w), to, c);
    let node = x.node;
    Ok(
        tape.operation(tensor(y, (n, to.0, to.1, c))?, &[node], move |dy, sink| {
            let dx = resize::bilinear_backward(Host::of(dy)?.slice::<T>()?, (h, w), to, c);
            sink.add(node, tensor(dx, (n, h, w, c))?)
        }),
    )
}
