//! Max, average and global average pooling.

use super::cpu::conv::Geometry;
use super::cpu::{Element, Host, pool, tensor};
use super::source::Source;
use super::{Window, by_type, dims_of};
use crate::nn::Result;
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Tape, Value};

/// Max pooling; padding never wins.
///
/// # Errors
/// If the window does not fit or the element type has no kernel.
pub fn max_pool(tape: &mut Tape, x: &Value, window: Window) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.is_on_gpu() {
        return super::cuda::max_pool(tape, x, window);
    }
    let geometry = window.geometry(x, None)?;
    if let Some(graph) = tape.graph() {
        let operation = Operation::MaxPool {
            x: graph::id(x)?,
            window,
        };
        return graph.record(operation, &geometry.output_shape());
    }
    by_type!("max pooling", x, max_pool_typed(tape, x, geometry))
}

fn max_pool_typed<T: Element>(tape: &mut Tape, x: &Value, g: Geometry) -> Result<Value> {
    let mut y = tape.workspace().buffer::<T>(g.rows() * g.output.2);
    let from = {
        let source = Source::of(x)?;
        pool::max(&g, &source.input(&source.parts()?), &mut y)
    };
    let (node, shape) = (x.node, x.shape().clone());
    let y = tensor(y, (g.n, g.output.0, g.output.1, g.output.2))?;
    Ok(tape.operation(y, &[node], move |gradient, sink| {
        let mut dx = sink.workspace().buffer(shape.elem_count());
        pool::max_backward(&g, &from, Host::of(&gradient)?.slice::<T>()?, &mut dx);
        sink.put(node, tensor(dx, shape)?)
    }))
}

/// Average pooling; `include_padding` tells whether padding counts as zeros.
///
/// # Errors
/// If the window does not fit or the element type has no kernel.
pub fn average_pool(tape: &mut Tape, x: &Value, window: Window, include_padding: bool) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.is_on_gpu() {
        return super::cuda::average_pool(tape, x, window, include_padding);
    }
    let geometry = window.geometry(x, None)?;
    if let Some(graph) = tape.graph() {
        let operation = Operation::AveragePool {
            x: graph::id(x)?,
            window,
            include_padding,
        };
        return graph.record(operation, &geometry.output_shape());
    }
    by_type!(
        "average pooling",
        x,
        average_pool_typed(tape, x, geometry, include_padding)
    )
}

fn average_pool_typed<T: Element>(tape: &mut Tape, x: &Value, g: Geometry, include_padding: bool) -> Result<Value> {
    let mut y = tape.workspace().buffer::<T>(g.rows() * g.output.2);
    pool::average(&g, include_padding, Host::of(x.read())?.slice()?, &mut y);
    let (node, shape) = (x.node, x.shape().clone());
    let y = tensor(y, (g.n, g.output.0, g.output.1, g.output.2))?;
    Ok(tape.operation(y, &[node], move |gradient, sink| {
        let mut dx = sink.workspace().buffer(shape.elem_count());
        pool::average_backward(&g, include_padding, Host::of(&gradient)?.slice::<T>()?, &mut dx);
        sink.put(node, tensor(dx, shape)?)
    }))
}

/// Mean over rows and columns: `[n, h, w, c]` to `[n, c]`.
///
/// # Errors
/// If the element type has no kernel.
pub fn global_average_pool(tape: &mut Tape, x: &Value) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.is_on_gpu() {
        return super::cuda::global_average_pool(tape, x);
    }
    if let Some(graph) = tape.graph() {
        let (n, _, _, c) = dims_of(x, "global average pooling")?;
        return graph.record(Operation::GlobalAverage { x: graph::id(x)? }, &[n, c]);
    }
    by_type!("global average pooling", x, global_average_pool_typed(tape, x))
}

fn global_average_pool_typed<T: Element>(tape: &mut Tape, x: &Value) -> Result<Value> {
    let (n, h, w, c) = dims_of(x, "global average pooling")?;
    let y = pool::global_average(Host::of(x.read())?.slice::<T>()?, n, c);
    let node = x.node;
    Ok(tape.operation(tensor(y, (n, c))?, &[node], move |gradient, sink| {
        let mut dx = sink.workspace().buffer(n * h * w * c);
        pool::global_average_backward(Host::of(&gradient)?.slice::<T>()?, h * w, c, &mut dx);
        sink.put(node, tensor(dx, (n, h, w, c))?)
    }))
}
