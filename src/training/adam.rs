//! Adam (Kingma & Ba 2015) in the two forms that frameworks compute; they differ in where epsilon stands.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::nn::ops::AdamStep;
#[cfg(feature = "cuda")]
use crate::nn::ops::cuda::Reading;
use crate::nn::{self, Gradients, Network, Tensor};

/// Which form of Adam.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdamForm {
    /// torch: epsilon 1e-8 beside the corrected second moment.
    Torch,
    /// Keras: epsilon 1e-7 beside the raw one ("epsilon hat").
    Keras,
}

/// Form and constants of an optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamSettings {
    /// Where epsilon stands.
    pub form: AdamForm,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

impl From<AdamForm> for AdamSettings {
    fn from(form: AdamForm) -> Self {
        Self {
            form,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: match form {
                AdamForm::Torch => 1e-8,
                AdamForm::Keras => 1e-7,
            },
        }
    }
}

/// First and second moment of one parameter, in the parameter's element order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moments {
    /// Decayed mean of the gradient.
    pub first: Vec<f32>,
    /// Decayed mean of its square.
    pub second: Vec<f32>,
}

/// Euclidean norm of a step's gradient before it was clipped.
pub enum GradientNorm {
    /// As it is.
    Known(f64),
    /// On its way from the GPU.
    #[cfg(feature = "cuda")]
    Flying(Reading),
}

impl GradientNorm {
    /// The norm.
    ///
    /// # Errors
    /// If the GPU was lost.
    pub fn wait(self) -> nn::Result<f64> {
        match self {
            Self::Known(norm) => Ok(norm),
            #[cfg(feature = "cuda")]
            Self::Flying(reading) => reading.wait(),
        }
    }
}

/// Optimiser state: one [`Moments`] a parameter.
pub struct Adam {
    settings: AdamSettings,
    steps: u64,
    /// Those in host memory; empty where the GPU has them.
    moments: BTreeMap<String, Moments>,
    #[cfg(feature = "cuda")]
    on_gpu: Option<super::adam_gpu::GpuMoments>,
}

impl Adam {
    /// An optimiser that has made no step.
    pub fn new(settings: impl Into<AdamSettings>) -> Self {
        Self {
            settings: settings.into(),
            steps: 0,
            moments: BTreeMap::new(),
            #[cfg(feature = "cuda")]
            on_gpu: None,
        }
    }

    /// An optimiser as it stood after `steps` steps.
    pub fn restore(settings: impl Into<AdamSettings>, steps: u64, moments: BTreeMap<String, Moments>) -> Self {
        Self {
            steps,
            moments,
            ..Self::new(settings)
        }
    }

    /// Steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// State of every parameter that was stepped, by name.
    ///
    /// # Errors
    /// If a GPU has it and was lost.
    pub fn moments(&self) -> nn::Result<Cow<'_, BTreeMap<String, Moments>>> {
        #[cfg(feature = "cuda")]
        if let Some(on_gpu) = &self.on_gpu {
            return Ok(Cow::Owned(on_gpu.read()?));
        }
        Ok(Cow::Borrowed(&self.moments))
    }

    /// One step of every trainable parameter that has a gradient, the gradient shortened to a norm of `clip` where it is
    /// longer (Pascanu et al. 2013; as torch's `clip_grad_norm_`, over all parameters). Where the norm is no number,
    /// parameters and moments stay as they are.
    ///
    /// # Errors
    /// If a gradient has not its parameter's shape, or a tensor cannot be read or made.
    pub fn step(
        &mut self,
        network: &mut dyn Network,
        gradients: &Gradients,
        rate: f64,
        clip: Option<f64>,
    ) -> nn::Result<GradientNorm> {
        let step = factors(&self.settings, self.steps + 1, rate);
        #[cfg(feature = "cuda")]
        if gradients.iter().any(|(_, gradient)| gradient.device().is_cuda()) {
            let norm = self.step_on_gpu(network, gradients, &step, clip)?;
            self.steps += 1;
            return Ok(norm);
        }
        let norm = gradients.norm()?;
        if norm.is_finite() {
            let step = AdamStep {
                scale: scale(norm, clip),
                ..step
            };
            self.step_on_host(network, gradients, &step)?;
            self.steps += 1;
        }
        Ok(GradientNorm::Known(norm))
    }

    fn step_on_host(&mut self, network: &mut dyn Network, gradients: &Gradients, step: &AdamStep) -> nn::Result<()> {
        let mut outcome = Ok(());
        network.visit_mut(&mut |name, tensor, role| {
            if outcome.is_err() || !role.trainable() {
                return;
            }
            if let Some(gradient) = gradients.get(name) {
                outcome = self.step_tensor(name, tensor, gradient, step);
            }
        });
        outcome
    }

    /// All parameters in one kernel.
    #[cfg(feature = "cuda")]
    fn step_on_gpu(
        &mut self,
        network: &mut dyn Network,
        gradients: &Gradients,
        step: &AdamStep,
        clip: Option<f64>,
    ) -> nn::Result<GradientNorm> {
        let known = &self.moments;
        let norm = super::adam_gpu::step(&mut self.on_gpu, known, network, gradients, (step, clip))?;
        self.moments.clear();
        Ok(norm.map_or(GradientNorm::Known(0.0), GradientNorm::Flying))
    }

    fn step_tensor(&mut self, name: &str, tensor: &mut Tensor, gradient: &Tensor, step: &AdamStep) -> nn::Result<()> {
        if tensor.dims() != gradient.dims() {
            return Err(nn::Error::Shape {
                tensor: format!("gradient of {name}"),
                found: gradient.dims().to_vec(),
                expected: tensor.dims().to_vec(),
            });
        }
        if !self.moments.contains_key(name) {
            let zeros = vec![0.0; tensor.elem_count()];
            self.moments.insert(
                name.to_owned(),
                Moments {
                    first: zeros.clone(),
                    second: zeros,
                },
            );
        }
        let moments = self.moments.get_mut(name).expect("was put in above");
        *tensor = step.apply(tensor, gradient, (&mut moments.first, &mut moments.second))?;
        Ok(())
    }
}

/// What a gradient of this norm is multiplied by.
fn scale(norm: f64, clip: Option<f64>) -> f32 {
    clip.filter(|limit| norm > *limit)
        .map_or(1.0, |limit| (limit / norm) as f32)
}

/// What a step multiplies with.
fn factors(settings: &AdamSettings, step: u64, rate: f64) -> AdamStep {
    let (beta1, beta2) = (settings.beta1, settings.beta2);
    let step = i32::try_from(step).unwrap_or(i32::MAX);
    let first = 1.0 - beta1.powi(step);
    let second = (1.0 - beta2.powi(step)).sqrt();
    let (rate, root) = match settings.form {
        AdamForm::Torch => (rate / first, 1.0 / second),
        AdamForm::Keras => (rate * second / first, 1.0),
    };
    AdamStep {
        first: (beta1 as f32, (1.0 - beta1) as f32),
        second: (beta2 as f32, (1.0 - beta2) as f32),
        rate: rate as f32,
        root: root as f32,
        epsilon: settings.epsilon as f32,
        scale: 1.0,
    }
}
