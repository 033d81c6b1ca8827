//! Convolution.

#![allow(unsafe_code)] // products take pointers

use super::cpu::conv::{self, Geometry};
use super::cpu::tile::Epilogue;
use super::cpu::{Element, Host, tensor};
use super::source::Source;
use super::{Window, by_type, dims_of};
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

/// Convolution with zero padding: `x` `[n, h, w, c]`, `weight` `[o, kh, kw, c]`, `bias` `[o]` to `[n, oh, ow, o]`.
///
/// # Errors
/// If the shapes do not fit or the element type has no kernel.
pub fn conv2d(tape: &mut Tape, x: &Value, weight: &Value, bias: Option<&Value>, window: Window) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if x.is_on_gpu() {
        return super::cuda::conv2d(tape, x, weight, bias, window);
    }
    let (o, kh, kw, c) = dims_of(weight, "convolution kernel")?;
    let channels = dims_of(x, "convolution input")?.3;
    if (kh, kw) != window.kernel || c != channels {
        return Err(Error::Shape {
            tensor: "convolution kernel".into(),
            found: weight.dims().to_vec(),
            expected: vec![o, window.kernel.0, window.kernel.1, channels],
        });
    }
    let geometry = window.geometry(x, Some(o))?;
    if let Some(graph) = tape.graph() {
        let operation = Operation::Convolution {
            x: graph::id(x)?,
            weight: graph::numbers(weight.read())?,
            bias: bias.map_or_else(|| Ok(vec![0.0; o]), |b| graph::numbers(b.read()))?,
            window,
        };
        return graph.record(operation, &[geometry.n, geometry.output.0, geometry.output.1, o]);
    }
    by_type!(x, conv2d_typed(tape, x, weight, bias, geometry))
}

fn conv2d_typed<T: Element>(
    tape: &mut Tape,
    x: &Value,
    weight: &Value,
    bias: Option<&Value>,
    g: Geometry,
) -> Result<Value> {
    let (oh, ow, o) = g.output;
    let mut y = tape.workspace().buffer::<T>(g.rows() * o);
    {
        let (source, hw) = (Source::of(x)?, Host::of(weight.read())?);
        let hb = bias.map(|b| Host::of(b.read())).transpose()?;
        let bias = hb.as_ref().map(Host::slice::<T>).transpose()?;
        let epilogue = Epilogue {
            bias: bias.map_or(std::ptr::null(), <[T]>::as_ptr),
            ..Epilogue::NONE
        };
        let parts = source.parts()?;
        let packed = conv::pack(&g, hw.slice()?);
        // SAFETY: `y` holds the output's pixels, the bias its channels; both are known here only.
        unsafe { conv::forward(&g, &source.input(&parts), &packed, (y.as_mut_ptr(), o), epilogue) };
    }
    let nodes = [x.node, weight.node, bias.and_then(|b| b.node)];
    let (x, weight) = (x.clone(), weight.clone());
    Ok(
        tape.operation(tensor(y, (g.n, oh, ow, o))?, &nodes, move |gradient, sink| {
            let workspace = sink.workspace().clone();
            let hd = Host::of(&gradient)?;
            let dy = hd.slice::<T>()?;
            if nodes[2].is_some() {
                sink.put(nodes[2], tensor(conv::backward_bias(o, dy), o)?)?;
            }
            if nodes[1].is_some() {
                let source = Source::of(&x)?;
                let parts = source.parts()?;
                let sums = workspace.buffer(conv::kernel_sums(&g));
                let dw = conv::backward_kernel(&g, &source.input(&parts), dy, sums);
                sink.put(nodes[1], tensor(dw, weight.shape().clone())?)?;
            }
            if nodes[0].is_some() {
                let hw = Host::of(weight.read())?;
                let mut dx = workspace.buffer(x.shape().elem_count());
                conv::backward_input(&g, hw.slice::<T>()?, dy, &mut dx);
                sink.put(nodes[0], tensor(dx, x.shape().clone())?)?;
            }
            Ok(())
        }),
    )
}
