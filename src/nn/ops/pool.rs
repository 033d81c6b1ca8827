//! Max, average and global average pooling.

use super::cpu::conv::Geometry;
use super::cpu::{Element, Host, pool, tensor};
use super::{Window, by_type, dims};
use crate::nn::Result;
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Tape, Value};

/// Max pooling; padding never wins.
///
/// # Errors
/// If the window does not fit or the element type has no kernel.
pub fn max_pool(tape: &mut Tape, x: &Value, window: Window) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.tensor.device().is_cuda() {
        return super::cuda::max_pool(tape, x, window);
    }
    let geometry = window.geometry(&x.tensor, None)?;
    if let Some(graph) = tape.graph() {
        let operation = Operation::MaxPool {
            x: graph::id(x)?,
            window,
        };
        return graph.record(operation, &geometry.output_shape());
    }
    by_type!(x.tensor, max_pool_typed(tape, x, geometry))
}

fn max_pool_typed<T: Element>(tape: &mut Tape, x: &Value, g: Geometry) -> Result<Value> {
    let (y, from) = pool::max(&g, Host::of(&x.tensor)?.slice::<T>()?);
    let (node, shape) = (x.node, x.tensor.shape().clone());
    let y = tensor(y, (g.n, g.output.0, g.output.1, g.output.2))?;
    Ok(tape.operation(y, &[node], move |dy, sink| {
        let dx = pool::max_backward(&g, &from, Host::of(dy)?.slice::<T>()?);
        sink.add(node, tensor(dx, shape)?)
    }))
}

/// Average pooling; `include_padding` tells whether padding counts as zeros.
///
/// # Errors
/// If the window does not fit or the element type has no kernel.
pub fn average_pool(tape: &mut Tape, x: &Value, window: Window, include_padding: bool) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.tensor.device().is_cuda() {
        return super::cuda::average_pool(tape, x, window, include_padding);
    }
    let geometry = window.geometry(&x.tensor, None)?;
    if let Some(graph) = tape.graph() {
        let operation = Operation::AveragePool {
            x: graph::id(x)?,
            window,
            include_padding,
        };
        return graph.record(operation, &geometry.output_shape());
    }
    by_type!(x.tensor, average_pool_typed(tape, x, geometry, include_padding))
}

fn average_pool_typed<T: Element>(tape: &mut Tape, x: &Value, g: Geometry, include_padding: bool) -> Result<Value> {
    let y = pool::average(&g, include_padding, Host::of(&x.tensor)?.slice::<T>()?);
    let (node, shape) = (x.node, x.tensor.shape().clone());
    let y = tensor(y, (g.n, g.output.0, g.output.1, g.output.2))?;
    Ok(tape.operation(y, &[node], move |dy, sink| {
        let dx = pool::average_backward(&g, include_padding, Host::of(dy)?.slice::<T>()?);
        sink.add(node, tensor(dx, shape)?)
    }))
}

/// Mean over rows and columns: `[n, h, w, c]` to `[n, c]`.
///
/// # Errors
/// If the element type has no kernel.
pub fn global_average_pool(tape: &mut Tape, x: &Value) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.tensor.device().is_cuda() {
        return super::cuda::global_average_pool(tape, x);
    }
    if let Some(graph) = tape.graph() {
        let (n, _, _, c) = dims(&x.tensor, "global average pooling")?;
        return graph.record(Operation::GlobalAverage { x: graph::id(x)? }, &[n, c]);
    }
    by_type!(x.tensor, global_average_pool_typed(tape, x))
}

fn global_average_pool_typed<T: Element>(tape: &mut Tape, x: &Value) -> Result<Value> {
    let (n, h, w, c) = dims(&x.tensor, "global average pooling")?;
    let y = pool::global_average(Host::of(&x.tensor)?.slice::<T>()?, n, c);
    let node = x.node;
    Ok(tape.operation(tensor(y, (n, c))?, &[node], move |dy, sink| {
        let dx = pool::global_average_backward(Host::of(dy)?.slice::<T>()?, h * w, c);
        sink.add(node, tensor(dx, (n, h, w, c))?)
    }))
}
