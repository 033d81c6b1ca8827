//! Batch normalisation, with `ReLU` if the layer asks for it.

use candle_core::{DType, Tensor};

use super::cpu::{Element, Host, norm, tensor};
use super::{by_type, dims};
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{BatchStatistics, Tape, Value};
use crate::nn::{Error, Result};

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

impl Norm<'_> {
    /// Scale and shift per channel with the running statistics.
    fn at_rest(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        let (gamma, beta) = (values_f64(&self.gamma.tensor)?, values_f64(&self.beta.tensor)?);
        let (mean, variance) = (values_f64(self.running_mean)?, values_f64(self.running_variance)?);
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(g, v)| g / (v + self.epsilon).sqrt())
            .collect();
        let shift = beta.iter().zip(&mean).zip(&scale).map(|((b, m), s)| (b - m * s) as f32);
        Ok((scale.iter().map(|s| *s as f32).collect(), shift.collect()))
    }
}

/// Batch normalisation over the channels of all `parts` together, with `ReLU` if the layer asks for it.
///
/// The parts are `[n, h, w, c_i]` feature maps of equal size; the result is `[n, h, w, sum c_i]`.
///
/// # Errors
/// If the shapes do not fit or the element type has no kernel.
pub fn batch_norm(tape: &mut Tape, parts: &[Value], layer: &Norm<'_>) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if layer.running_mean.device().is_cuda() {
        return super::cuda::batch_norm(tape, parts, layer);
    }
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
    if let Some(graph) = tape.graph() {
        let (scale, shift) = layer.at_rest()?;
        let [n, h, w, _] = parts[0].tensor.dims4().map(|(n, h, w, c)| [n, h, w, c])?;
        let operation = Operation::Affine {
            parts: parts.iter().map(graph::id).collect::<Result<_>>()?,
            scale,
            shift,
            relu: layer.relu,
        };
        return graph.record(operation, &[n, h, w, channels]);
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
