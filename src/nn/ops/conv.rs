//! Convolution.

#![allow(unsafe_code)] // products take pointers

use super::cpu::conv::{self, Geometry, Input, Part};
use super::cpu::tile::Epilogue;
use super::cpu::{Element, Host, tensor};
use super::{Window, by_type, dims};
use crate::nn::plan::graph::{self, Operation};
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
    if let Some(graph) = tape.graph() {
        let operation = Operation::Convolution {
            x: graph::id(x)?,
            weight: graph::numbers(&weight.tensor)?,
            bias: bias.map_or_else(|| Ok(vec![0.0; o]), |b| graph::numbers(&b.tensor))?,
            window,
        };
        return graph.record(operation, &[geometry.n, geometry.output.0, geometry.output.1, o]);
    }
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
    let mut y = vec![T::zero(); g.rows() * o];
    {
        let (hx, hw) = (Host::of(&x.tensor)?, Host::of(&weight.tensor)?);
        let hb = bias.map(|b| Host::of(&b.tensor)).transpose()?;
        let bias = hb.as_ref().map(Host::slice::<T>).transpose()?;
        let epilogue = Epilogue {
            bias: bias.map_or(std::ptr::null(), <[T]>::as_ptr),
            ..Epilogue::NONE
        };
        let part = [whole(&g, hx.slice::<T>()?)];
        let input = Input {
            parts: &part,
            affine: None,
        };
        let packed = conv::pack(&g, hw.slice()?);
        // SAFETY: `y` holds the output's pixels, the bias its channels; both are known here only.
        unsafe { conv::forward(&g, &input, &packed, (y.as_mut_ptr(), o), epilogue) };
    }
    let nodes = [x.node, weight.node, bias.and_then(|b| b.node)];
    let (x, weight) = (x.tensor.clone(), weight.tensor.clone());
    Ok(tape.operation(tensor(y, (g.n, oh, ow, o))?, &nodes, move |dy, sink| {
        let (hx, hw, hd) = (Host::of(&x)?, Host::of(&weight)?, Host::of(dy)?);
        let (w, dy) = (hw.slice::<T>()?, hd.slice::<T>()?);
        if nodes[2].is_some() {
            sink.add(nodes[2], tensor(conv::backward_bias(o, dy), o)?)?;
        }
        if nodes[1].is_some() {
            let part = [whole(&g, hx.slice::<T>()?)];
            let input = Input {
                parts: &part,
                affine: None,
            };
            sink.add(nodes[1], tensor(conv::backward_kernel(&g, &input, dy), weight.shape())?)?;
        }
        if nodes[0].is_some() {
            sink.add(nodes[0], tensor(conv::backward_input(&g, w, dy), x.shape())?)?;
        }
        Ok(())
    }))
}

/// All channels of a feature map.
fn whole<'a, T>(g: &Geometry, values: &'a [T]) -> Part<'a, T> {
    Part {
        values,
        channels: g.input.2,
        pixel: g.input.2,
    }
}
