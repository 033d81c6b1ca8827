//! Batch normalisation, with `ReLU` if the layer asks for it.

use candle_core::{DType, Shape, Tensor};

use super::cpu::conv::Affine;
use super::cpu::{Element, Host, norm, tensor};
use super::source::Source;
use super::{by_type, dims_of};
use crate::nn::plan::graph::{self, Operation};
use crate::nn::tape::{BatchStatistics, Gradient, Normalised, Sink, Tape, Value};
use crate::nn::workspace::{Workspace, take_buffer};
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
        let (gamma, beta) = (values_f64(self.gamma.read())?, values_f64(self.beta.read())?);
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
/// The parts are `[n, h, w, c_i]` feature maps of equal size; the result is `[n, h, w, sum c_i]`. It is not written:
/// what reads it normalises the parts on the way.
///
/// # Errors
/// If the shapes do not fit or the element type has no kernel.
pub fn batch_norm(tape: &mut Tape, parts: &[Value], layer: &Norm<'_>) -> Result<Value> {
    #[cfg(feature = "cuda")]
    if layer.running_mean.device().is_cuda() {
        return super::cuda::batch_norm(tape, parts, layer);
    }
    let mismatch = |found: Vec<usize>, expected: &[usize]| Error::Shape {
        tensor: layer.name.to_owned(),
        found,
        expected: expected.to_vec(),
    };
    let Some(first) = parts.first() else {
        return Err(mismatch(vec![0], layer.gamma.dims()));
    };
    let size = dims_of(first, layer.name)?;
    let mut channels = 0;
    for part in parts {
        let (n, h, w, c) = dims_of(part, layer.name)?;
        if (n, h, w) != (size.0, size.1, size.2) || part.dtype() != first.dtype() {
            return Err(mismatch(part.dims().to_vec(), &[size.0, size.1, size.2, c]));
        }
        channels += c;
    }
    for vector in [
        layer.gamma.dims(),
        layer.beta.dims(),
        layer.running_mean.dims(),
        layer.running_variance.dims(),
    ] {
        if vector != [channels] {
            return Err(mismatch(vec![channels], vector));
        }
    }
    if let Some(graph) = tape.graph() {
        let (scale, shift) = layer.at_rest()?;
        let (n, h, w, _) = size;
        let operation = Operation::Affine {
            parts: parts.iter().map(graph::id).collect::<Result<_>>()?,
            scale,
            shift,
            relu: layer.relu,
        };
        return graph.record(operation, &[n, h, w, channels]);
    }
    by_type!("batch normalisation", first, batch_norm_typed(tape, parts, layer))
}

/// Moments of each part, computed once a feature map however many layers read it.
fn moments<T: Element>(parts: &[Value], source: &Source<'_, T>) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut mean, mut variance) = (Vec::new(), Vec::new());
    for (value, part) in parts.iter().zip(source.parts()?) {
        let (m, v) = value.moments(|| norm::moments(part.values, part.channels));
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
    let (n, h, w, _) = dims_of(&parts[0], layer.name)?;
    // Opened also where only running statistics count: whoever normalises later relies on it.
    let source = Source::<T>::of_parts(parts)?;
    source.parts()?;
    let uses_batch = tape.uses_batch_statistics();
    let (mean, variance) = if uses_batch {
        moments(parts, &source)?
    } else {
        (values_f64(layer.running_mean)?, values_f64(layer.running_variance)?)
    };
    drop(source);
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
    let (gamma, beta) = (values_f64(layer.gamma.read())?, values_f64(layer.beta.read())?);
    let scale: Vec<f64> = gamma.iter().zip(&inverse).map(|(g, i)| g * i).collect();
    let shift: Vec<f64> = beta
        .iter()
        .zip(&mean)
        .zip(&scale)
        .map(|((b, m), s)| b - m * s)
        .collect();
    let nodes: Vec<_> = parts
        .iter()
        .map(|p| p.node)
        .chain([layer.gamma.node, layer.beta.node])
        .collect();
    let saved = SavedNorm {
        parts: parts.to_vec(),
        nodes: nodes.clone(),
        scale: scale.clone(),
        shift: shift.clone(),
        relu: layer.relu,
        mean,
        inverse,
        count: uses_batch.then_some((n * h * w) as f64),
    };
    let normalised = Normalised {
        parts: parts.to_vec(),
        scale,
        shift,
        relu: layer.relu,
    };
    let form = (Shape::from((n, h, w, channels)), parts[0].dtype());
    Ok(tape.normalisation(normalised, form, &nodes, move |gradient, sink| {
        saved.backward::<T>(gradient, sink)
    }))
}

/// Writes a normalised map, for readers that cannot normalise on the way.
pub(in crate::nn) fn write_normalised(
    normalised: &Normalised,
    shape: &Shape,
    dtype: DType,
    workspace: &Workspace,
) -> Result<Tensor> {
    struct Typed(DType);
    impl Typed {
        fn dtype(&self) -> DType {
            self.0
        }
    }
    by_type!(
        "batch normalisation",
        Typed(dtype),
        write_typed(normalised, shape, workspace)
    )
}

fn write_typed<T: Element>(normalised: &Normalised, shape: &Shape, workspace: &Workspace) -> Result<Tensor> {
    let source = Source::<T>::of_normalised(normalised)?;
    let mut y = workspace.buffer(shape.elem_count());
    norm::write(&source.input(&source.parts()?), normalised.scale.len(), &mut y);
    tensor(y, shape.clone())
}

/// What the backward pass of a batch normalisation needs of the forward pass.
struct SavedNorm {
    parts: Vec<Value>,
    /// Of the parts, gamma and beta.
    nodes: Vec<Option<usize>>,
    scale: Vec<f64>,
    shift: Vec<f64>,
    relu: bool,
    mean: Vec<f64>,
    inverse: Vec<f64>,
    /// `None` where the statistics were constants.
    count: Option<f64>,
}

impl SavedNorm {
    fn backward<T: Element>(&self, gradient: Gradient, sink: &mut Sink) -> Result<()> {
        let source = Source::<T>::of_parts(&self.parts)?;
        let parts = source.parts()?;
        let (scale, shift) = (cast(self.scale.iter().copied()), cast(self.shift.iter().copied()));
        let affine = Affine {
            scale: &scale,
            shift: &shift,
            relu: self.relu,
        };
        let sums = {
            let dy = Host::of(&gradient)?;
            norm::backward_sums(&parts, &affine, &cast(self.mean.iter().copied()), dy.slice::<T>()?)
        };
        let d_gamma: Vec<f64> = sums.1.iter().zip(&self.inverse).map(|(s, i)| s * i).collect();
        let (slope, constant) = self.corrections(&sums.0, &d_gamma);
        let terms = norm::Terms {
            affine,
            slope: &cast(slope),
            constant: &cast(constant),
        };
        let (part_nodes, affine_nodes) = self.nodes.split_at(self.parts.len());
        self.pass_on(&parts, &terms, part_nodes, gradient, sink)?;
        let channels = self.mean.len();
        sink.put(affine_nodes[0], tensor(cast::<T>(d_gamma), channels)?)?;
        sink.put(affine_nodes[1], tensor(cast::<T>(sums.0), channels)?)
    }

    /// What the moments' own gradients add: `slope * x + constant` per channel.
    fn corrections(&self, sum: &[f64], d_gamma: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let correction = |c: usize| {
            self.count.map_or((0.0, 0.0), |count| {
                let slope = -self.scale[c] * self.inverse[c] * d_gamma[c] / count;
                (slope, -self.scale[c] * sum[c] / count - slope * self.mean[c])
            })
        };
        (0..self.mean.len()).map(correction).unzip()
    }

    /// Writes the parts' gradients: over `gradient`'s own buffer, into sums begun by other readers, or new ones.
    fn pass_on<T: Element>(
        &self,
        parts: &[super::cpu::conv::Part<'_, T>],
        terms: &norm::Terms<'_, T>,
        nodes: &[Option<usize>],
        gradient: Gradient,
        sink: &mut Sink,
    ) -> Result<()> {
        let mut begun: Vec<Option<Vec<T>>> = Vec::with_capacity(nodes.len());
        for (i, node) in nodes.iter().enumerate() {
            // A part that stands twice in the list has one sum: the first entry takes it, `put` adds the second.
            let twice = nodes[..i].contains(node);
            let sum = if twice { None } else { sink.claim(*node) };
            begun.push(sum.map(|sum| take_buffer(&sum)).transpose()?);
        }
        let gradient = match (parts, &begun[..]) {
            ([part], [None]) if nodes[0].is_some() => match gradient.into_buffer::<T>() {
                Ok(mut dy) => {
                    norm::backward_in_place(part, terms, &mut dy);
                    return sink.put(nodes[0], tensor(dy, self.parts[0].shape().clone())?);
                }
                Err(shared) => shared,
            },
            _ => gradient,
        };
        let mut targets: Vec<Option<(Vec<T>, bool)>> = Vec::with_capacity(nodes.len());
        for ((node, sum), part) in nodes.iter().zip(begun).zip(parts) {
            let fresh = || (sink.workspace().buffer(part.values.len()), false);
            targets.push(node.map(|_| sum.map_or_else(fresh, |sum| (sum, true))));
        }
        norm::backward_parts(parts, terms, Host::of(&gradient)?.slice::<T>()?, &mut targets);
        for ((value, node), target) in self.parts.iter().zip(nodes).zip(targets) {
            if let Some((dx, _)) = target {
                sink.put(*node, tensor(dx, value.shape().clone())?)?;
            }
        }
        Ok(())
    }
}
