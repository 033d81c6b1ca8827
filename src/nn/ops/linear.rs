//! The fully connected layer.

use super::by_type;
use super::cpu::{Element, Host, elementwise, tensor};
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

/// Fully connected layer: `x` `[n, c]`, `weight` `[o, c]`, `bias` `[o]` to `[n, o]`.
///
/// # Errors
/// If the shapes do not fit or the element type has no kernel.
pub fn linear(tape: &mut Tape, x: &Value, weight: &Value, bias: &Value) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.tensor.device().is_cuda() {
        return super::cuda::linear(tape, x, weight, bias);
    }
    let (o, c) = weight.tensor.dims2()?;
    if x.tensor.dims2()?.1 != c || bias.tensor.dims() != [o] {
        return Err(Error::Shape {
            tensor: "fully connected layer".into(),
            found: x.tensor.dims().to_vec(),
            expected: vec![0, c],
        });
    }
    if let Some(graph) = tape.graph() {
        let operation = Operation::Linear {
            x: graph::id(x)?,
            weight: graph::numbers(&weight.tensor)?,
            bias: graph::numbers(&bias.tensor)?,
        };
        return graph.record(operation, &[x.tensor.dims()[0], o]);
    }
    by_type!(x.tensor, linear_typed(tape, x, weight, bias))
}

fn linear_typed<T: Element>(tape: &mut Tape, x: &Value, weight: &Value, bias: &Value) -> Result<Value> {
    let ((n, c), o) = (x.tensor.dims2()?, weight.tensor.dim(0)?);
    let y = {
        let (hx, hw, hb) = (Host::of(&x.tensor)?, Host::of(&weight.tensor)?, Host::of(&bias.tensor)?);
        elementwise::linear(hx.slice::<T>()?, hw.slice()?, hb.slice()?, c)
    };
    let nodes = [x.node, weight.node, bias.node];
    let (x, weight) = (x.tensor.clone(), weight.tensor.clone());
    Ok(tape.operation(tensor(y, (n, o))?, &nodes, move |dy, sink| {
        let (dx, dw, d_bias) = {
            let (hx, hw, hd) = (Host::of(&x)?, Host::of(&weight)?, Host::of(dy)?);
            elementwise::linear_backward(hx.slice::<T>()?, hw.slice()?, hd.slice()?, c)
        };
        sink.add(nodes[0], tensor(dx, x.shape())?)?;
        sink.add(nodes[1], tensor(dw, weight.shape())?)?;
        sink.add(nodes[2], tensor(d_bias, o)?)
    }))
}
