//! Convolution.

use super::cpu::conv::{self, Geometry};
use super::cpu::{Element, Host, tensor};
use super::{Window, by_type, dims};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

/// Convolution with zero padding: `x` `[n, h, w, c]`, `weight` `[o, kh, kw, c]`, `bias` `[o]` to `[n, oh, ow, o]`.
///
/// # Errors
/// If the shapes do not fit or the element type has no kernel.
pub fn conv2d(tape: &mut Tape, x: &Value, weight: &Value, bias: Option<&Value>, window: Window) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.tensor.device().is_cuda() {
        return super::cuda::conv2d(tape, x, weight, bias, window);
    }
    let (o, kh, kw, c) = dims(&weight.tensor, "convolution kernel")?;
    let channels = dims(&x.tensor, "convolution input")?.3;
    if (kh, kw) != window.kernel || c != channels {
        return Err(Error::Shape {
            tensor: "convolution kernel".into(),
            found: weight.tensor.dims().to_vec(),
            expected: vec![o, window.kernel.0, window.kernel.1, channels],
        });
    }
    let geometry = window.geometry(&x.tensor, Some(o))?;
    by_type!(x.tensor, conv2d_typed(tape, x, weight, bias, geometry))
}

fn conv2d_typed<T: Element>(
    tape: &mut Tape,
    x: &Value,
    weight: &Value,
    bias: Option<&Value>,
    g: Geometry,
) -> Result<Value> {
    let (oh, ow, o) = g.output;
    let mut y = vec![T::zero(); g.n * oh * ow * o];
    {
        let (hx, hw) = (Host::of(&x.tensor)?, Host::of(&weight.tensor)?);
        let hb = bias.map(|b| Host::of(&b.tensor)).transpose()?;
        let bias = hb.as_ref().map(Host::slice::<T>).transpose()?;
        conv::forward(&g, hx.slice::<T>()?, hw.slice()?, bias, &mut y);
    }
    let nodes = [x.node, weight.node, bias.and_then(|b| b.node)];
    let (x, weight) = (x.tensor.clone(), weight.tensor.clone());
    Ok(tape.operation(tensor(y, (g.n, oh, ow, o))?, &nodes, move |dy, sink| {
        let gradients = {
            let (hx, hw, hd) = (Host::of(&x)?, Host::of(&weight)?, Host::of(dy)?);
            conv::backward(&g, hx.slice::<T>()?, hw.slice()?, hd.slice()?, nodes[0].is_some())
        };
        if let Some(dx) = gradients.x {
            sink.add(nodes[0], tensor(dx, x.shape())?)?;
        }
        sink.add(nodes[1], tensor(gradients.w, weight.shape())?)?;
        sink.add(nodes[2], tensor(gradients.bias, o)?)
    }))
}
