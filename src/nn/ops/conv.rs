//! Convolution.

#![allow(unsafe_code)] // products take pointers

use candle_core::{DType, Tensor};

use super::cpu::conv::{self, Geometry, Input, Part};
use super::cpu::gemm::Packed;
use super::cpu::tile::Epilogue;
use super::cpu::{Element, Host, norm, tensor, winograd};
use super::source::Source;
use super::{Window, by_type, dims_of};
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{Gradient, Sink, Tape, Value};
use crate::nn::workspace::Workspace;
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
    let y = by_type!("convolution", x, forward(tape.workspace(), x, weight, bias, &geometry))?;
    let nodes = [x.node, weight.node, bias.and_then(|b| b.node)];
    let pass = Pass {
        x: x.clone(),
        weight: weight.clone(),
        nodes,
        geometry,
    };
    Ok(tape.operation(y, &nodes, move |dy, sink| {
        by_type!("convolution", pass.x, backward(&pass, &dy, sink))
    }))
}

/// Whether Winograd's algorithm computes the way back to `x`. It does not compute the way there in training: its
/// rounding would turn some `ReLU`s over, which moves gradients of small batches by more than f32 has to.
fn by_winograd(x: &Value, back: Option<&Geometry>) -> bool {
    x.dtype() == DType::F32 && back.is_some_and(winograd::suits)
}

/// What a window of several pixels reads: in place, or written to a buffer if it would be normalised for every one
/// of the windows that a pixel lies in.
struct Gathered<T>(Option<Vec<T>>);

impl<T: Element> Gathered<T> {
    fn of(source: &Source<'_, T>, workspace: &Workspace, g: &Geometry) -> Result<Self> {
        let parts = source.parts()?;
        let input = source.input(&parts);
        let in_place = parts.len() == 1 && input.affine.is_none();
        if in_place || g.kernel == (1, 1) {
            return Ok(Self(None));
        }
        let mut written = workspace.buffer(g.n * g.input.0 * g.input.1 * g.input.2);
        norm::write(&input, g.input.2, &mut written);
        Ok(Self(Some(written)))
    }

    /// Calls `f` with what is to be read, then gives the buffer back.
    fn read<R>(
        self,
        source: &Source<'_, T>,
        workspace: &Workspace,
        channels: usize,
        f: impl FnOnce(&Input<'_, T>) -> R,
    ) -> Result<R> {
        let Some(written) = self.0 else {
            return Ok(f(&source.input(&source.parts()?)));
        };
        let part = [Part {
            values: &written,
            channels,
            pixel: channels,
        }];
        let result = f(&Input {
            parts: &part,
            affine: None,
        });
        workspace.keep(written);
        Ok(result)
    }
}

fn forward<T: Element>(
    workspace: &Workspace,
    x: &Value,
    weight: &Value,
    bias: Option<&Value>,
    g: &Geometry,
) -> Result<Tensor> {
    let o = g.output.2;
    let mut y = workspace.buffer::<T>(g.rows() * o);
    let (source, hw) = (Source::of(x)?, Host::of(weight.read())?);
    let hb = bias.map(|b| Host::of(b.read())).transpose()?;
    let epilogue = epilogue(hb.as_ref().map(Host::slice::<T>).transpose()?);
    let buffer = workspace.buffer(Packed::<T>::len(g.depth(), o));
    let packed = Packed::transposed_over(buffer, hw.slice()?, g.depth(), o);
    Gathered::of(&source, workspace, g)?.read(&source, workspace, g.input.2, |input| {
        // SAFETY: `y` holds the output's pixels, the bias its channels; both are known here only.
        unsafe { conv::forward(g, input, &packed, (y.as_mut_ptr(), o), epilogue) };
    })?;
    workspace.keep(packed.into_buffer());
    tensor(y, &g.output_shape())
}

/// Adds the bias, if there is one.
fn epilogue<T>(bias: Option<&[T]>) -> Epilogue<T> {
    Epilogue {
        bias: bias.map_or(std::ptr::null(), <[T]>::as_ptr),
        ..Epilogue::NONE
    }
}

/// What the way back reads.
struct Pass {
    x: Value,
    weight: Value,
    /// Of input, kernel and bias.
    nodes: [Option<usize>; 3],
    geometry: Geometry,
}

fn backward<T: Element>(pass: &Pass, gradient: &Gradient, sink: &mut Sink) -> Result<()> {
    let (g, nodes) = (&pass.geometry, pass.nodes);
    let workspace = sink.workspace().clone();
    let hd = Host::of(gradient)?;
    let dy = hd.slice::<T>()?;
    if nodes[2].is_some() {
        let o = g.output.2;
        sink.put(nodes[2], tensor(conv::backward_bias(o, dy), o)?)?;
    }
    if nodes[1].is_some() {
        let source = Source::of(&pass.x)?;
        let sums = workspace.buffer(conv::kernel_sums(g));
        let gathered = Gathered::of(&source, &workspace, g)?;
        let dw = gathered.read(&source, &workspace, g.input.2, |input| {
            conv::backward_kernel(g, input, dy, sums)
        })?;
        sink.put(nodes[1], tensor(dw, pass.weight.shape().clone())?)?;
    }
    if nodes[0].is_some() {
        let back = g.transposed();
        let dx = if by_winograd(&pass.x, back.as_ref()) {
            let dx = input_by_winograd(&workspace, &pass.weight, g, hd.slice()?)?;
            tensor(dx, pass.x.shape().clone())?
        } else {
            let hw = Host::of(pass.weight.read())?;
            let mut dx = workspace.buffer(pass.x.shape().elem_count());
            let buffer = workspace.buffer(Packed::<T>::len(g.output.2, g.depth()));
            workspace.keep(conv::backward_input(g, hw.slice::<T>()?, dy, &mut dx, buffer));
            tensor(dx, pass.x.shape().clone())?
        };
        sink.put(nodes[0], dx)?;
    }
    Ok(())
}

/// The input's gradient by Winograd's algorithm.
fn input_by_winograd(workspace: &Workspace, weight: &Value, g: &Geometry, dy: &[f32]) -> Result<Vec<f32>> {
    let (c, o) = (g.input.2, g.output.2);
    let mut dx = workspace.buffer(g.n * g.input.0 * g.input.1 * c);
    let hw = Host::of(weight.read())?;
    let kernel = winograd::Kernel::reversed(workspace.buffer(winograd::Kernel::len(o, c)), hw.slice()?, c, o);
    let problem = winograd::Problem {
        geometry: g.transposed().unwrap_or(*g),
        x: (dy.as_ptr(), o),
        kernel: &kernel,
        y: (dx.as_mut_ptr(), c),
        epilogue: Epilogue::NONE,
    };
    // SAFETY: `dy` holds the output's pixels, `dx` the input's.
    unsafe { problem.compute() };
    workspace.keep(kernel.into_buffer());
    Ok(dx)
}
