//! What every network offers to the trainer and to the weights format: its tensors by their torch names.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::tape::BatchStatistics;
use super::{Error, Result};

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Convolution kernel, `[o, kh, kw, c]` in memory, OIHW in files.
    Kernel,
    /// Convolution or fully connected bias.
    Bias,
    /// Batch-norm scale.
    Gamma,
    /// Batch-norm scale where the graph has none: ones in every file, never trained.
    FixedGamma,
    /// Batch-norm shift.
    Beta,
    /// Batch-norm running mean.
    RunningMean,
    /// Batch-norm running variance.
    RunningVariance,
    /// Fully connected weight, `[o, c]`.
    Linear,
}

impl Role {
    /// Whether an optimiser changes it.
    pub fn trainable(self) -> bool {
        !matches!(self, Self::FixedGamma | Self::RunningMean | Self::RunningVariance)
    }
}

/// Which variance enters the running variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunningVariance {
    /// With n - 1: torch, and Keras 2's fused kernel.
    Unbiased,
    /// With n: Keras 3.
    Biased,
}

/// A network's tensors, in the order of its graph.
pub trait Network {
    /// Calls `f` with the torch name of every tensor.
    fn visit(&self, f: &mut dyn FnMut(&str, &Tensor, Role));

    /// As [`Network::visit`]; `f` may put another tensor of the same shape in place.
    fn visit_mut(&mut self, f: &mut dyn FnMut(&str, &mut Tensor, Role));

    /// All tensors by name, in memory layout.
    fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        self.visit(&mut |name, tensor, _| {
            state.insert(name.to_owned(), tensor.clone());
        });
        state
    }

    /// Replaces every tensor; `state` may hold more than this network needs.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape; nothing is changed then.
    fn load_state(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        let mut problem = None;
        self.visit(&mut |name, tensor, _| {
            let found = state.get(name).map(|t| t.dims().to_vec()).unwrap_or_default();
            if problem.is_none() && found != tensor.dims() {
                problem = Some((name.to_owned(), found, tensor.dims().to_vec()));
            }
        });
        if let Some((tensor, found, expected)) = problem {
            return Err(Error::Shape {
                tensor,
                found,
                expected,
            });
        }
        let mut result = Ok(());
        self.visit_mut(&mut |name, tensor, _| match state[name].to_dtype(tensor.dtype()) {
            Ok(loaded) => *tensor = loaded,
            Err(e) => result = Err(e.into()),
        });
        result
    }

    /// Moves the running statistics towards a batch's: `running = (1 - momentum) * running + momentum * batch`.
    ///
    /// # Errors
    /// If candle refuses.
    fn update_running(&mut self, batch: &[BatchStatistics], momentum: f64, form: RunningVariance) -> Result<()> {
        let by_name: BTreeMap<_, _> = batch.iter().map(|s| (s.name.as_str(), s)).collect();
        #[cfg(feature = "cuda")]
        if batch.iter().any(|s| s.mean.device().is_cuda()) {
            return update_running_on_gpu(self, &by_name, momentum, form);
        }
        let mut result = Ok(());
        self.visit_mut(&mut |name, tensor, role| {
            let Some((layer, _)) = name.rsplit_once('.') else {
                return;
            };
            let Some(seen) = by_name.get(layer) else {
                return;
            };
            let target = match (role, form) {
                (Role::RunningMean, _) => Ok(seen.mean.clone()),
                (Role::RunningVariance, RunningVariance::Biased) => Ok(seen.variance.clone()),
                (Role::RunningVariance, RunningVariance::Unbiased) => {
                    let n = seen.count as f64;
                    &seen.variance * (n / (n - 1.0).max(1.0))
                }
                _ => return,
            };
            match target.and_then(|t| (&*tensor * (1.0 - momentum))? + (t * momentum)?) {
                Ok(moved) => *tensor = moved,
                Err(e) => result = Err(e.into()),
            }
        });
        result
    }
}

/// [`Network::update_running`] with one kernel for all layers: hundreds of small ones would keep the GPU waiting.
#[cfg(feature = "cuda")]
fn update_running_on_gpu(
    network: &mut (impl Network + ?Sized),
    batch: &BTreeMap<&str, &BatchStatistics>,
    momentum: f64,
    form: RunningVariance,
) -> Result<()> {
    use super::ops::cuda::{RunningUpdate, blend_running};
    let (mut names, mut updates) = (Vec::new(), Vec::new());
    network.visit(&mut |name, tensor, role| {
        let seen = name.rsplit_once('.').and_then(|(layer, _)| batch.get(layer));
        let Some(seen) = seen else { return };
        let n = seen.count as f64;
        let (target, factor) = match (role, form) {
            (Role::RunningMean, _) => (&seen.mean, 1.0),
            (Role::RunningVariance, RunningVariance::Biased) => (&seen.variance, 1.0),
            (Role::RunningVariance, RunningVariance::Unbiased) => (&seen.variance, n / (n - 1.0).max(1.0)),
            _ => return,
        };
        names.push(name.to_owned());
        updates.push(RunningUpdate {
            running: tensor.clone(),
            batch: target.clone(),
            factor,
        });
    });
    let mut moved: BTreeMap<String, Tensor> = names.into_iter().zip(blend_running(&updates, momentum)?).collect();
    network.visit_mut(&mut |name, tensor, _| {
        if let Some(next) = moved.remove(name) {
            *tensor = next;
        }
    });
    Ok(())
}
