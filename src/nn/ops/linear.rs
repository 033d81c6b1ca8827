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
    if x.is_on_gpu() {
        return super::cuda::linear(tape, x, weight, bias);
    }
    let (o, c) = weight.shape().dims2()?;
    if x.shape().dims2()?.1 != c || bias.dims() != [o] {
        return Err(Error::Shape {
            tensor: "fully connected layer".into(),
            found: x.dims().to_vec(),
            expected: vec![0, c],
        });
    }
    if let Some(graph) = tape.graph() {
        let operation = Operation::Linear {
            x: graph::id(x)?,
            weight: graph::numbers(weight.read())?,
            bias: graph::numbers(bias.read())?,
        };
        return graph.record(operation, &[x.dims()[0], o]);
    }
    by_type!("fully connected layer", x, linear_typed(tape, x, weight, bias))
}

fn linear_typed<T: Element>(tape: &mut Tape, x: &Value, weight: &Value, bias: &Value) -> Result<Value> {
    let ((n, c), o) = (x.shape().dims2()?, weight.dims()[0]);
    let y = {
        let (hx, hw, hb) = (Host::of(x.read())?, Host::of(weight.read())?, Host::of(bias.read())?);
        elementwise::linear(hx.slice::<T>()?, hw.slice()?, hb.slice()?, c)
    };
    let nodes = [x.node, weight.node, bias.node];
    let (x, weight) = (x.clone(), weight.clone());
    Ok(tape.operation(tensor(y, (n, o))?, &nodes, move |gradient, sink| {
        let (dx, dw, d_bias) = {
            let (hx, hw, hd) = (Host::of(x.read())?, Host::of(weight.read())?, Host::of(&gradient)?);
            elementwise::linear_backward(hx.slice::<T>()?, hw.slice()?, hd.slice()?, c)
        };
        sink.put(nodes[0], tensor(dx, (n, c))?)?;
        sink.put(nodes[1], tensor(dw, (o, c))?)?;
        sink.put(nodes[2], tensor(d_bias, o)?)
    }))
}
