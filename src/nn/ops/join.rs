//! Operations that join feature maps.

use super::by_type;
use super::cpu::{Element, Host, elementwise, tensor};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

/// `max(a + b, 0)`: the end of a residual block.
///
/// # Errors
/// If the shapes differ or the element type has no kernel.
pub fn add_relu(tape: &mut Tape, a: &Value, b: &Value) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if a.tensor.device().is_cuda() {
        return super::cuda::add_relu(tape, a, b);
    }
    if a.tensor.dims() != b.tensor.dims() {
        return Err(Error::Shape {
            tensor: "residual".into(),
            found: b.tensor.dims().to_vec(),
            expected: a.tensor.dims().to_vec(),
        });
    }
    by_type!(a.tensor, add_relu_typed(tape, a, b))
}

fn add_relu_typed<T: Element>(tape: &mut Tape, a: &Value, b: &Value) -> Result<Value> {
    let y = {
        let (ha, hb) = (Host::of(&a.tensor)?, Host::of(&b.tensor)?);
        elementwise::add_relu(ha.slice::<T>()?, hb.slice()?)
    };
    let y = tensor(y, a.tensor.shape())?;
    let (nodes, output) = ([a.node, b.node], y.clone());
    Ok(tape.operation(y, &nodes, move |dy, sink| {
        let dx = {
            let (hy, hd) = (Host::of(&output)?, Host::of(dy)?);
            tensor(
                elementwise::relu_backward(hy.slice::<T>()?, hd.slice()?),
                output.shape(),
            )?
        };
        sink.add(nodes[0], dx.clone())?;
        sink.add(nodes[1], dx)
    }))
}
