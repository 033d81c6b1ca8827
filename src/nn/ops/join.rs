//! Operations that join feature maps: the sum behind a residual branch, and concatenation along channels.

use super::cpu::{Element, Host, elementwise, tensor};
use super::{by_type, dims};
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

/// `x + scale * branch`, then `ReLU` if asked for: the end of a residual block. All are `[n, h, w, c]`.
///
/// # Errors
/// If the shapes differ or the element type has no kernel.
pub fn residual(tape: &mut Tape, x: &Value, branch: &Value, scale: f64, relu: bool) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.tensor.device().is_cuda() {
        return super::cuda::residual(tape, x, branch, scale, relu);
    }
    if x.tensor.dims() != branch.tensor.dims() {
        return Err(Error::Shape {
            tensor: "residual branch".into(),
            found: branch.tensor.dims().to_vec(),
            expected: x.tensor.dims().to_vec(),
        });
    }
    if let Some(graph) = tape.graph() {
        let operation = Operation::Residual {
            x: graph::id(x)?,
            branch: graph::id(branch)?,
            scale: scale as f32,
            relu,
        };
        return graph.record(operation, x.tensor.dims());
    }
    by_type!(x.tensor, residual_typed(tape, x, branch, scale, relu))
}

fn residual_typed<T: Element>(tape: &mut Tape, x: &Value, branch: &Value, scale: f64, relu: bool) -> Result<Value> {
    let y = {
        let (hx, hb) = (Host::of(&x.tensor)?, Host::of(&branch.tensor)?);
        elementwise::residual(hx.slice::<T>()?, hb.slice()?, T::from_f64(scale), relu)
    };
    let y = tensor(y, x.tensor.shape())?;
    let nodes = [x.node, branch.node];
    let output = relu.then(|| y.clone());
    Ok(tape.operation(y, &nodes, move |dy, sink| {
        let dx = match &output {
            None => dy.clone(),
            Some(output) => {
                let (hy, hd) = (Host::of(output)?, Host::of(dy)?);
                tensor(
                    elementwise::relu_backward(hy.slice::<T>()?, hd.slice()?),
                    output.shape(),
                )?
            }
        };
        if nodes[1].is_some() {
            let unscaled = (scale - 1.0).abs() < f64::EPSILON;
            let branch = if unscaled {
                dx.clone()
            } else {
                let values = elementwise::scaled(Host::of(&dx)?.slice::<T>()?, T::from_f64(scale));
                tensor(values, dx.shape())?
            };
            sink.add(nodes[1], branch)?;
        }
        sink.add(nodes[0], dx)
    }))
}

/// Feature maps side by side along the channels: parts `[n, h, w, c_i]` to `[n, h, w, sum c_i]`.
///
/// # Errors
/// If there is no part, their sizes differ, or the element type has no kernel.
pub fn concat(tape: &mut Tape, parts: &[Value]) -> Result<Value> {
    let Some(first) = parts.first() else {
        return Err(Error::Shape {
            tensor: "parts of a concatenation".into(),
            found: vec![0],
            expected: vec![1],
        });
    };
    #[cfg(feature = "cuda")]
    if first.tensor.device().is_cuda() {
        return super::cuda::concat(tape, parts);
    }
    let (n, h, w, _) = dims(&first.tensor, "concatenation")?;
    for part in parts {
        let found = dims(&part.tensor, "concatenation")?;
        if (found.0, found.1, found.2) != (n, h, w) {
            return Err(Error::Shape {
                tensor: "part of a concatenation".into(),
                found: part.tensor.dims().to_vec(),
                expected: vec![n, h, w, found.3],
            });
        }
    }
    if let Some(graph) = tape.graph() {
        let channels = parts.iter().map(|p| p.tensor.dims()[3]).sum();
        let parts = parts.iter().map(graph::id).collect::<Result<_>>()?;
        return graph.record(Operation::Concatenation { parts }, &[n, h, w, channels]);
    }
    by_type!(first.tensor, concat_typed(tape, parts, (n, h, w)))
}

fn concat_typed<T: Element>(tape: &mut Tape, parts: &[Value], (n, h, w): (usize, usize, usize)) -> Result<Value> {
    let widths: Vec<usize> = parts
        .iter()
        .map(|part| Ok(dims(&part.tensor, "concatenation")?.3))
        .collect::<Result<_>>()?;
    let channels = widths.iter().sum();
    let y = {
        let hosts = parts.iter().map(|p| Host::of(&p.tensor)).collect::<Result<Vec<_>>>()?;
        let slices = hosts
            .iter()
            .zip(&widths)
            .map(|(host, c)| Ok((host.slice::<T>()?, *c)))
            .collect::<Result<Vec<_>>>()?;
        elementwise::concat(&slices)
    };
    let nodes: Vec<_> = parts.iter().map(|part| part.node).collect();
    let inputs = nodes.clone();
    Ok(
        tape.operation(tensor(y, (n, h, w, channels))?, &inputs, move |dy, sink| {
            let dy = Host::of(dy)?;
            let mut first = 0;
            for (node, c) in nodes.into_iter().zip(widths) {
                // Nothing is copied for a constant.
                if node.is_some() {
                    let part = elementwise::slice_channels(dy.slice::<T>()?, channels, first, c);
                    sink.add(node, tensor(part, (n, h, w, c))?)?;
                }
                first += c;
            }
            Ok(())
        }),
    )
}
