//! Upsampling and resizing.

use super::cpu::{Element, Host, resize, tensor};
use super::source::Source;
use super::{by_type, dims_of};
use crate::nn::Result;
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Tape, Value};

/// Nearest upsampling by 2: `[n, h, w, c]` to `[n, 2h, 2w, c]`.
///
/// # Errors
/// If the element type has no kernel.
pub fn upsample_x2(tape: &mut Tape, x: &Value) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.is_on_gpu() {
        return super::cuda::upsample_x2(tape, x);
    }
    if let Some(graph) = tape.graph() {
        let (n, h, w, c) = dims_of(x, "upsampling")?;
        return graph.record(Operation::Upsample { x: graph::id(x)? }, &[n, 2 * h, 2 * w, c]);
    }
    by_type!("upsampling", x, upsample_x2_typed(tape, x))
}

fn upsample_x2_typed<T: Element>(tape: &mut Tape, x: &Value) -> Result<Value> {
    let (n, h, w, c) = dims_of(x, "upsampling")?;
    let mut y = tape.workspace().buffer::<T>(4 * n * h * w * c);
    {
        let source = Source::of(x)?;
        resize::nearest_x2(&source.input(&source.parts()?), w, c, &mut y);
    }
    let node = x.node;
    Ok(
        tape.operation(tensor(y, (n, 2 * h, 2 * w, c))?, &[node], move |gradient, sink| {
            let mut dx = sink.workspace().buffer(n * h * w * c);
            resize::nearest_x2_backward(Host::of(&gradient)?.slice::<T>()?, w, c, &mut dx);
            sink.put(node, tensor(dx, (n, h, w, c))?)
        }),
    )
}

/// Bilinear resize with half-pixel centres, no anti-aliasing: `[n, h, w, c]` to `[n, rows, columns, c]`.
///
/// # Errors
/// If the element type has no kernel.
pub fn resize_bilinear(tape: &mut Tape, x: &Value, rows: usize, columns: usize) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.is_on_gpu() {
        return super::cuda::resize_bilinear(tape, x, rows, columns);
    }
    if let Some(graph) = tape.graph() {
        let (n, _, _, c) = dims_of(x, "bilinear resize")?;
        return graph.record(Operation::Resize { x: graph::id(x)? }, &[n, rows, columns, c]);
    }
    by_type!("bilinear resize", x, resize_bilinear_typed(tape, x, (rows, columns)))
}

fn resize_bilinear_typed<T: Element>(tape: &mut Tape, x: &Value, to: (usize, usize)) -> Result<Value> {
    let (n, h, w, c) = dims_of(x, "bilinear resize")?;
    let mut y = tape.workspace().buffer::<T>(n * to.0 * to.1 * c);
    resize::bilinear(Host::of(x.read())?.slice()?, (h, w), to, c, &mut y);
    let node = x.node;
    Ok(
        tape.operation(tensor(y, (n, to.0, to.1, c))?, &[node], move |gradient, sink| {
            let mut dx = sink.workspace().buffer(n * h * w * c);
            resize::bilinear_backward(Host::of(&gradient)?.slice::<T>()?, (h, w), to, c, &mut dx);
            sink.put(node, tensor(dx, (n, h, w, c))?)
        }),
    )
}
