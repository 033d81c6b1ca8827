//! Operations on [`Value`]s with exact gradients: each computes, and records how to go back. They choose the
//! kernels by element type; networks never see that. Activations are `[n, h, w, c]`.

pub mod cpu;

use candle_core::{DType, Tensor};

use self::cpu::conv::{self, Geometry};
use self::cpu::{Element, Host, elementwise, norm, pool, resize, tensor};
use super::tape::{BatchStatistics, Tape, Value};
use super::{Error, Result};

/// Calls a generic function with the element type of a tensor.
macro_rules! by_type {
    ($tensor:expr, $function:ident ( $($argument:expr),* $(,)? )) => {
        match $tensor.dtype() {
            DType::F32 => $function::<f32>($($argument),*),
            DType::F64 => $function::<f64>($($argument),*),
            other => Err(Error::Unsupported { operation: stringify!($function), on: format!("{other:?}") }),
        }
    };
}

/// `[n, h, w, c]` of an activation.
fn dims(x: &Tensor, operation: &str) -> Result<(usize, usize, usize, usize)> {
    x.dims4().map_err(|_| Error::Shape {
        tensor: operation.to_owned(),
        found: x.dims().to_vec(),
        expected: vec![0, 0, 0, 0],
    })
}

/// Output length of a window along one axis.
fn output_len(size: usize, kernel: usize, stride: usize, padding: usize) -> Result<usize> {
    let padded = size + 2 * padding;
    if padded < kernel {
        return Err(Error::Shape {
            tensor: "input".into(),
            found: vec![size],
            expected: vec![kernel - 2 * padding],
        });
    }
    Ok((padded - kernel) / stride + 1)
}

/// A window that slides over an activation: rows and columns of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Size of the window.
    pub kernel: (usize, usize),
    /// Step.
    pub stride: (usize, usize),
    /// Padding on both sides of each axis.
    pub padding: (usize, usize),
}

impl Window {
    /// The same along both axes.
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: (kernel, kernel),
            stride: (stride, stride),
            padding: (padding, padding),
        }
    }

    fn geometry(self, x: &Tensor, out_channels: Option<usize>) -> Result<Geometry> {
        let (n, h, w, c) = dims(x, "window")?;
        let oh = output_len(h, self.kernel.0, self.stride.0, self.padding.0)?;
        let ow = output_len(w, self.kernel.1, self.stride.1, self.padding.1)?;
        Ok(Geometry {
            n,
            input: (h, w, c),
            output: (oh, ow, out_channels.unwrap_or(c)),
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
        })
    }
}

/// Convolution with zero padding: `x` `[n, h, w, c]`, `weight` `[o, kh, kw, c]`, `bias` `[o]` to `[n, oh, ow, o]`.
///
/// # Errors
/// If the shapes do not fit or the element type has no kernel.
pub fn conv2d(tape: &mut Tape, x: &Value, weight: &Value, bias: Option<&Value>, window: Window) -> Result<Value> {
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

/// What a batch normalisation knows.
pub struct Norm<'a> {
    /// Name of the layer, for its statistics.
    pub name: &'a str,
    /// Scale, `[c]`.
    pub gamma: &'a Value,
    /// Shift, `[c]`.
    pub beta: &'a Value,
    /// Running mean, `[c]`.
    pub running_mean: &'a Tensor,
    /// Running variance, `[c]`.
    pub running_variance: &'a Tensor,
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether a `ReLU` follows.
    pub relu: bool,
}

/// Batch normalisation over the channels of all `parts` together, with `ReLU` if the layer asks for it.
///
/// The parts are `[n, h, w, c_i]` feature maps of equal size; the result is `[n, h, w, sum c_i]`.
///
/// # Errors
/// If the shapes do not fit or the element type has no kernel.
pub fn batch_norm(tape: &mut Tape, parts: &[Value], layer: &Norm<'_>) -> Result<Value> {
    let channels: usize = parts
        .iter()
        .map(|p| dims(&p.tensor, layer.name).map(|d| d.3))
        .sum::<Result<_>>()?;
    if layer.gamma.tensor.dims() != [channels] {
        return Err(Error::Shape {
            tensor: layer.name.to_owned(),
            found: vec![channels],
            expected: layer.gamma.tensor.dims().to_vec(),
        });
    }
    by_type!(parts[0].tensor, batch_norm_typed(tape, parts, layer))
}

/// Moments of each part, computed once a feature map however many layers read it.
fn moments<T: Element>(parts: &[Value]) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut mean, mut variance) = (Vec::new(), Vec::new());
    for part in parts {
        if part.moments.get().is_none() {
            let host = Host::of(&part.tensor)?;
            let channels = dims(&part.tensor, "batch normalisation")?.3;
            let _ = part.moments.set(norm::statistics(host.slice::<T>()?, channels));
        }
        let (m, v) = part.moments.get().expect("set just above");
        mean.extend_from_slice(m);
        variance.extend_from_slice(v);
    }
    Ok((mean, variance))
}

fn values_f64(t: &Tensor) -> Result<Vec<f64>> {
    Ok(t.to_dtype(DType::F64)?.to_vec1()?)
}

fn cast<T: Element>(values: impl IntoIterator<Item = f64>) -> Vec<T> {
    values.into_iter().map(T::from_f64).collect()
}

fn batch_norm_typed<T: Element>(tape: &mut Tape, parts: &[Value], layer: &Norm<'_>) -> Result<Value> {
    let (n, h, w, _) = dims(&parts[0].tensor, layer.name)?;
    let uses_batch = tape.uses_batch_statistics();
    let (mean, variance) = if uses_batch {
        moments::<T>(parts)?
    } else {
        (values_f64(layer.running_mean)?, values_f64(layer.running_variance)?)
    };
    let channels = mean.len();
    if uses_batch {
        tape.record_statistics(BatchStatistics {
            name: layer.name.to_owned(),
            count: n * h * w,
            mean: tensor(cast::<T>(mean.iter().copied()), channels)?,
            variance: tensor(cast::<T>(variance.iter().copied()), channels)?,
        });
    }
    let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + layer.epsilon).sqrt()).collect();
    let (gamma, beta) = (values_f64(&layer.gamma.tensor)?, values_f64(&layer.beta.tensor)?);
    let scale: Vec<f64> = gamma.iter().zip(&inverse).map(|(g, i)| g * i).collect();
    let shift = beta.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s);
    let y = {
        let hosts = parts.iter().map(|p| Host::of(&p.tensor)).collect::<Result<Vec<_>>>()?;
        let slices = part_slices(parts, &hosts)?;
        norm::affine(
            &slices,
            &cast::<T>(scale.iter().copied()),
            &cast::<T>(shift),
            layer.relu,
        )
    };
    let y = tensor(y, (n, h, w, channels))?;
    let (nodes, affine_nodes): (Vec<_>, _) = (
        parts.iter().map(|p| p.node).collect(),
        (layer.gamma.node, layer.beta.node),
    );
    let all: Vec<_> = nodes.iter().copied().chain([affine_nodes.0, affine_nodes.1]).collect();
    let (parts, output) = (parts.to_vec(), layer.relu.then(|| y.clone()));
    let count = uses_batch.then_some((n * h * w) as f64);
    Ok(tape.operation(y, &all, move |dy, sink| {
        let saved = SavedNorm {
            parts: &parts,
            output: output.as_ref(),
            mean: &mean,
            inverse: &inverse,
            gamma: &gamma,
        };
        let (dx, d_gamma, d_beta) = saved.backward::<T>(dy, count)?;
        for ((part, node), dx) in parts.iter().zip(nodes).zip(dx) {
            sink.add(node, tensor(dx, part.tensor.shape())?)?;
        }
        sink.add(affine_nodes.0, tensor(cast::<T>(d_gamma), channels)?)?;
        sink.add(affine_nodes.1, tensor(cast::<T>(d_beta), channels)?)
    }))
}

fn part_slices<'a, T: Element>(parts: &[Value], hosts: &'a [Host<'_>]) -> Result<Vec<norm::Part<'a, T>>> {
    parts
        .iter()
        .zip(hosts)
        .map(|(p, h)| Ok((h.slice::<T>()?, dims(&p.tensor, "batch normalisation")?.3)))
        .collect()
}

/// What the backward pass of a batch normalisation needs of the forward pass.
struct SavedNorm<'a> {
    parts: &'a [Value],
    /// The output, if a `ReLU` followed.
    output: Option<&'a Tensor>,
    mean: &'a [f64],
    inverse: &'a [f64],
    gamma: &'a [f64],
}

/// Gradients of a batch normalisation's parts, gamma and beta.
type NormGradients<T> = (Vec<Vec<T>>, Vec<f64>, Vec<f64>);

impl SavedNorm<'_> {
    /// Gradients of the parts, gamma and beta; `count` is `None` where the statistics were constants.
    fn backward<T: Element>(&self, dy: &Tensor, count: Option<f64>) -> Result<NormGradients<T>> {
        let hosts = self
            .parts
            .iter()
            .map(|p| Host::of(&p.tensor))
            .collect::<Result<Vec<_>>>()?;
        let parts = part_slices::<T>(self.parts, &hosts)?;
        let (h_dy, h_y) = (Host::of(dy)?, self.output.map(Host::of).transpose()?);
        let (dy, y) = (h_dy.slice::<T>()?, h_y.as_ref().map(Host::slice::<T>).transpose()?);
        let (sum, sum_x) = norm::backward_sums(&parts, self.mean, y, dy);
        let d_gamma: Vec<f64> = sum_x.iter().zip(self.inverse).map(|(s, i)| s * i).collect();
        let (mut a, mut b, mut k) = (Vec::new(), Vec::new(), Vec::new());
        for c in 0..self.mean.len() {
            let scale = self.gamma[c] * self.inverse[c];
            let (slope, constant) = count.map_or((0.0, 0.0), |count| {
                let slope = -scale * self.inverse[c] * d_gamma[c] / count;
                (slope, -scale * sum[c] / count - slope * self.mean[c])
            });
            a.push(scale);
            b.push(slope);
            k.push(constant);
        }
        let dx = norm::backward_input(&parts, (&cast::<T>(a), &cast::<T>(b), &cast::<T>(k)), y, dy);
        Ok((dx, d_gamma, sum))
    }
}

/// Max pooling; padding never wins.
///
/// # Errors
/// If the window does not fit or the element type has no kernel.
pub fn max_pool(tape: &mut Tape, x: &Value, window: Window) -> Result<Value> {
    let geometry = window.geometry(&x.tensor, None)?;
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
    let geometry = window.geometry(&x.tensor, None)?;
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

/// Nearest upsampling by 2: `[n, h, w, c]` to `[n, 2h, 2w, c]`.
///
/// # Errors
/// If the element type has no kernel.
pub fn upsample_x2(tape: &mut Tape, x: &Value) -> Result<Value> {
    by_type!(x.tensor, upsample_x2_typed(tape, x))
}

fn upsample_x2_typed<T: Element>(tape: &mut Tape, x: &Value) -> Result<Value> {
    let (n, h, w, c) = dims(&x.tensor, "upsampling")?;
    let y = resize::nearest_x2(Host::of(&x.tensor)?.slice::<T>()?, w, c);
    let node = x.node;
    Ok(
        tape.operation(tensor(y, (n, 2 * h, 2 * w, c))?, &[node], move |dy, sink| {
            let dx = resize::nearest_x2_backward(Host::of(dy)?.slice::<T>()?, w, c);
            sink.add(node, tensor(dx, (n, h, w, c))?)
        }),
    )
}

/// Bilinear resize with half-pixel centres, no anti-aliasing: `[n, h, w, c]` to `[n, rows, columns, c]`.
///
/// # Errors
/// If the element type has no kernel.
pub fn resize_bilinear(tape: &mut Tape, x: &Value, rows: usize, columns: usize) -> Result<Value> {
    by_type!(x.tensor, resize_bilinear_typed(tape, x, (rows, columns)))
}

fn resize_bilinear_typed<T: Element>(tape: &mut Tape, x: &Value, to: (usize, usize)) -> Result<Value> {
    let (n, h, w, c) = dims(&x.tensor, "bilinear resize")?;
    let y = resize::bilinear(Host::of(&x.tensor)?.slice::<T>()?, (h, w), to, c);
    let node = x.node;
    Ok(
        tape.operation(tensor(y, (n, to.0, to.1, c))?, &[node], move |dy, sink| {
            let dx = resize::bilinear_backward(Host::of(dy)?.slice::<T>()?, (h, w), to, c);
            sink.add(node, tensor(dx, (n, h, w, c))?)
        }),
    )
}

/// `max(a + b, 0)`: the end of a residual block.
///
/// # Errors
/// If the shapes differ or the element type has no kernel.
pub fn add_relu(tape: &mut Tape, a: &Value, b: &Value) -> Result<Value> {
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

/// Fully connected layer: `x` `[n, c]`, `weight` `[o, c]`, `bias` `[o]` to `[n, o]`.
///
/// # Errors
/// If the shapes do not fit or the element type has no kernel.
pub fn linear(tape: &mut Tape, x: &Value, weight: &Value, bias: &Value) -> Result<Value> {
    let (o, c) = weight.tensor.dims2()?;
    if x.tensor.dims2()?.1 != c || bias.tensor.dims() != [o] {
        return Err(Error::Shape {
            tensor: "fully connected layer".into(),
            found: x.tensor.dims().to_vec(),
            expected: vec![0, c],
        });
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
