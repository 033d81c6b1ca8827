//! Adam's moments on a GPU: all parameters are stepped by one kernel, and come to host memory for a checkpoint only.

use std::collections::BTreeMap;

use crate::nn::ops::AdamStep;
use crate::nn::ops::cuda::{AdamState, Reading};
use crate::nn::{self, Gradients, Network, Tensor};

use super::adam::Moments;

/// The moments and whose they are.
pub struct GpuMoments {
    names: Vec<String>,
    state: AdamState,
}

impl GpuMoments {
    /// A copy in host memory, by name.
    ///
    /// # Errors
    /// If the GPU was lost.
    pub fn read(&self) -> nn::Result<BTreeMap<String, Moments>> {
        let (first, second) = self.state.moments()?;
        let mut begin = 0;
        let named = self.names.iter().zip(self.state.lengths()).map(|(name, length)| {
            let range = begin..begin + length;
            begin += length;
            let moments = Moments {
                first: first[range.clone()].to_vec(),
                second: second[range].to_vec(),
            };
            (name.clone(), moments)
        });
        Ok(named.collect())
    }

    fn new(names: Vec<String>, values: &[Tensor], known: &BTreeMap<String, Moments>) -> nn::Result<Self> {
        let lengths: Vec<usize> = values.iter().map(Tensor::elem_count).collect();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (name, length) in names.iter().zip(&lengths) {
            if let Some(moments) = known.get(name) {
                first.extend_from_slice(&moments.first);
                second.extend_from_slice(&moments.second);
            } else {
                first.resize(first.len() + length, 0.0);
                second.resize(second.len() + length, 0.0);
            }
        }
        let state = AdamState::new(values[0].device(), lengths, &first, &second)?;
        Ok(Self { names, state })
    }
}

/// One step of every trainable parameter that has a gradient, clipped as [`super::adam::Adam::step`] says; gives the
/// gradient's norm, `None` where there is no gradient. Moments begin with the `known` ones, or at zero; when other
/// parameters than before have gradients, they are put together anew.
///
/// # Errors
/// If a gradient has not its parameter's shape, or the GPU refuses.
pub fn step(
    moments: &mut Option<GpuMoments>,
    known: &BTreeMap<String, Moments>,
    network: &mut dyn Network,
    gradients: &Gradients,
    (step, clip): (&AdamStep, Option<f64>),
) -> nn::Result<Option<Reading>> {
    let (mut names, mut values, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
    let mut problem = None;
    network.visit(&mut |name, tensor, role| {
        let Some(gradient) = gradients.get(name).filter(|_| role.trainable()) else {
            return;
        };
        if gradient.dims() != tensor.dims() {
            problem = Some(nn::Error::Shape {
                tensor: format!("gradient of {name}"),
                found: gradient.dims().to_vec(),
                expected: tensor.dims().to_vec(),
            });
        }
        names.push(name.to_owned());
        values.push(tensor.clone());
        slopes.push(gradient.clone());
    });
    if let Some(problem) = problem {
        return Err(problem);
    }
    if values.is_empty() {
        return Ok(None);
    }
    let current = match moments.take() {
        Some(current) if current.names == names => current,
        Some(other) => GpuMoments::new(names, &values, &other.read()?)?,
        None => GpuMoments::new(names, &values, known)?,
    };
    let current = moments.insert(current);
    let (next, norm) = current.state.step(&values, &slopes, step, clip)?;
    let mut next: BTreeMap<&str, Tensor> = current.names.iter().map(String::as_str).zip(next).collect();
    network.visit_mut(&mut |name, tensor, _| {
        if let Some(value) = next.remove(name) {
            *tensor = value;
        }
    });
    Ok(Some(norm))
}
