//! Operations that join feature maps: the sum behind a residual branch, and concatenation along channels.

use super::cpu::{Element, Host, elementwise, tensor};
use super::source::Source;
use super::{by_type, dims_of};
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Gradient, Sink, Tape, Value};
use crate::nn::{Error, Result};

/// `x + scale * branch`, then `ReLU` if asked for: the end of a residual block. All are `[n, h, w, c]`.
///
/// # Errors
/// If the shapes differ or the element type has no kernel.
pub fn residual(tape: &mut Tape, x: &Value, branch: &Value, scale: f64, relu: bool) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.is_on_gpu() {
        return super::cuda::residual(tape, x, branch, scale, relu);
    }
    if x.dims() != branch.dims() {
        return Err(Error::Shape {
            tensor: "residual branch".into(),
            found: branch.dims().to_vec(),
            expected: x.dims().to_vec(),
        });
    }
    if let Some(graph) = tape.graph() {
        let operation = Operation::Residual {
            x: graph::id(x)?,
            branch: graph::id(branch)?,
            scale: scale as f32,
            relu,
        };
        return graph.record(operation, x.dims());
    }
    by_type!("residual sum", x, residual_typed(tape, x, branch, scale, relu))
}

fn residual_typed<T: Element>(tape: &mut Tape, x: &Value, branch: &Value, scale: f64, relu: bool) -> Result<Value> {
    let mut y = tape.workspace().buffer::<T>(x.shape().elem_count());
    {
        let (x, branch) = (Source::of(x)?, Source::of(branch)?);
        let parts = (x.parts()?, branch.parts()?);
        let operands = [&x.input(&parts.0), &branch.input(&parts.1)];
        elementwise::residual(operands, T::from_f64(scale), relu, &mut y);
    }
    let nodes = [x.node, branch.node];
    let y = tensor(y, x.shape().clone())?;
    let unscaled = (scale - 1.0).abs() < f64::EPSILON;
    let add = move |gradient: Gradient, sink: &mut Sink| {
        if unscaled {
            return sink.pass_both(nodes, gradient);
        }
        if nodes[1].is_some() {
            let mut branch = sink.workspace().buffer(gradient.elem_count());
            elementwise::scaled(Host::of(&gradient)?.slice::<T>()?, T::from_f64(scale), &mut branch);
            sink.put(nodes[1], tensor(branch, gradient.shape())?)?;
        }
        sink.pass(nodes[0], gradient)
    };
    if !relu {
        return Ok(tape.operation(y, &nodes, add));
    }
    Ok(tape.operation_of_output(y, &nodes, move |output, gradient, sink| {
        let gradient = relu_backward::<T>(&output, gradient, sink)?;
        drop(output);
        add(gradient, sink)
    }))
}

/// The gradient in front of a `ReLU`, in its own buffer where nothing else reads that.
fn relu_backward<T: Element>(output: &Value, gradient: Gradient, sink: &Sink) -> Result<Gradient> {
    let host = Host::of(output.read())?;
    let y = host.slice::<T>()?;
    let dx = match gradient.into_buffer::<T>() {
        Ok(mut d) => {
            elementwise::relu_backward_in_place(y, &mut d);
            d
        }
        Err(shared) => {
            let mut dx = sink.workspace().buffer(y.len());
            elementwise::relu_backward(y, Host::of(&shared)?.slice::<T>()?, &mut dx);
            dx
        }
    };
    Ok(sink.private(tensor(dx, output.shape().clone())?))
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
    if first.is_on_gpu() {
        return super::cuda::concat(tape, parts);
    }
    let (n, h, w, _) = dims_of(first, "concatenation")?;
    for part in parts {
        let found = dims_of(part, "concatenation")?;
        if (found.0, found.1, found.2) != (n, h, w) {
            return Err(Error::Shape {
                tensor: "part of a concatenation".into(),
                found: part.dims().to_vec(),
                expected: vec![n, h, w, found.3],
            });
        }
    }
    if let Some(graph) = tape.graph() {
        let channels = parts.iter().map(|p| p.dims()[3]).sum();
        let parts = parts.iter().map(graph::id).collect::<Result<_>>()?;
        return graph.record(Operation::Concatenation { parts }, &[n, h, w, channels]);
    }
    by_type!("concatenation", first, concat_typed(tape, parts, (n, h, w)))
}

fn concat_typed<T: Element>(tape: &mut Tape, parts: &[Value], (n, h, w): (usize, usize, usize)) -> Result<Value> {
    let widths: Vec<usize> = parts
        .iter()
        .map(|part| Ok(dims_of(part, "concatenation")?.3))
        .collect::<Result<_>>()?;
    let channels = widths.iter().sum::<usize>();
    let mut y = tape.workspace().buffer::<T>(n * h * w * channels);
    {
        let sources = parts.iter().map(Source::of).collect::<Result<Vec<_>>>()?;
        let slices = sources.iter().map(Source::parts).collect::<Result<Vec<_>>>()?;
        let inputs: Vec<_> = sources.iter().zip(&slices).map(|(s, parts)| s.input(parts)).collect();
        elementwise::concat(&inputs, channels, &mut y);
    }
    let nodes: Vec<_> = parts.iter().map(|part| part.node).collect();
    let inputs = nodes.clone();
    Ok(
        tape.operation(tensor(y, (n, h, w, channels))?, &inputs, move |gradient, sink| {
            let dy = Host::of(&gradient)?;
            let mut first = 0;
            for (node, c) in nodes.into_iter().zip(widths) {
                // Nothing is copied for a constant.
                if node.is_some() {
                    let mut part = sink.workspace().buffer(n * h * w * c);
                    elementwise::slice_channels(dy.slice::<T>()?, channels, first, c, &mut part);
                    sink.put(node, tensor(part, (n, h, w, c))?)?;
                }
                first += c;
            }
            Ok(())
        }),
    )
}
