//! Layers: named parameters that choose an operation. `visit` gives each tensor under its torch name.

use candle_core::Tensor;

use super::init::Init;
use super::input_spec::check_images;
use super::network::Role;
use super::ops::{self, Window};
use super::tape::{Tape, Value};
use super::{Error, Result};

/// Mutable or shared access to a layer's tensors, so that one list of names serves both.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&str, &Tensor, Role);
/// As [`Visit`], for replacing tensors.
pub(super) type VisitMut<'a> = &'a mut dyn FnMut(&str, &mut Tensor, Role);

/// A parameter with its torch name.
#[derive(Debug, Clone)]
struct Parameter {
    name: String,
    tensor: Tensor,
    role: Role,
}

impl Parameter {
    fn on(&self, tape: &mut Tape) -> Value {
        if self.role.trainable() {
            tape.parameter(&self.name, &self.tensor)
        } else {
            Value::constant(self.tensor.clone())
        }
    }
}

/// Convolution with zero padding.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Parameter,
    bias: Option<Parameter>,
    window: Window,
}

/// Channels of a convolution and whether it has a bias.
#[derive(Debug, Clone, Copy)]
pub struct ConvConfig {
    /// Input channels.
    pub input: usize,
    /// Output channels.
    pub output: usize,
    /// Kernel, stride and padding.
    pub window: Window,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Conv2d {
    /// A convolution called `name`, with `name.weight` and perhaps `name.bias`.
    pub(super) fn new(name: &str, config: ConvConfig, init: &mut Init<'_>) -> Result<Self> {
        let (kh, kw) = config.window.kernel;
        let weight = format!("{name}.weight");
        let tensor = init.kernel((config.output, kh, kw, config.input))?;
        let bias = format!("{name}.bias");
        Ok(Self {
            weight: Parameter {
                name: weight,
                tensor,
                role: Role::Kernel,
            },
            bias: config
                .bias
                .then(|| init.vector(config.output, 0.0))
                .transpose()?
                .map(|tensor| Parameter {
                    name: bias,
                    tensor,
                    role: Role::Bias,
                }),
            window: config.window,
        })
    }

    /// `[n, h, w, input]` to `[n, oh, ow, output]`.
    pub fn forward(&self, x: &Value, tape: &mut Tape) -> Result<Value> {
        let weight = self.weight.on(tape);
        let bias = self.bias.as_ref().map(|b| b.on(tape));
        ops::conv2d(tape, x, &weight, bias.as_ref(), self.window)
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        f(&self.weight.name, &self.weight.tensor, self.weight.role);
        if let Some(bias) = &self.bias {
            f(&bias.name, &bias.tensor, bias.role);
        }
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        f(&self.weight.name, &mut self.weight.tensor, self.weight.role);
        if let Some(bias) = &mut self.bias {
            f(&bias.name, &mut bias.tensor, bias.role);
        }
    }
}

/// Batch normalisation.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    name: String,
    gamma: Parameter,
    beta: Parameter,
    running_mean: Parameter,
    running_variance: Parameter,
    epsilon: f64,
}

impl BatchNorm {
    /// A batch normalisation called `name`: gamma `name.weight`, beta `name.bias`, running statistics
    /// `name.running_mean` and `name.running_var`.
    pub(super) fn new(name: &str, channels: usize, epsilon: f64, init: &mut Init<'_>) -> Result<Self> {
        let mut parameter = |suffix: &str, value: f64, role: Role| {
            let name = format!("{name}.{suffix}");
            Ok::<_, Error>(Parameter {
                tensor: init.vector(channels, value)?,
                name,
                role,
            })
        };
        Ok(Self {
            name: name.to_owned(),
            gamma: parameter("weight", 1.0, Role::Gamma)?,
            beta: parameter("bias", 0.0, Role::Beta)?,
            running_mean: parameter("running_mean", 0.0, Role::RunningMean)?,
            running_variance: parameter("running_var", 1.0, Role::RunningVariance)?,
            epsilon,
        })
    }

    /// As [`BatchNorm::new`] for a graph without gamma: it is held as ones, so that files have the same tensors
    /// whatever their graph, and no optimiser changes it.
    pub(super) fn without_gamma(name: &str, channels: usize, epsilon: f64, init: &mut Init<'_>) -> Result<Self> {
        let mut norm = Self::new(name, channels, epsilon, init)?;
        norm.gamma.role = Role::FixedGamma;
        Ok(norm)
    }

    fn apply(&self, parts: &[Value], relu: bool, tape: &mut Tape) -> Result<Value> {
        let (gamma, beta) = (self.gamma.on(tape), self.beta.on(tape));
        let layer = ops::Norm {
            name: &self.name,
            gamma: &gamma,
            beta: &beta,
            running_mean: &self.running_mean.tensor,
            running_variance: &self.running_variance.tensor,
            epsilon: self.epsilon,
            relu,
        };
        ops::batch_norm(tape, parts, &layer)
    }

    /// Normalises, keeping the shape.
    pub fn forward(&self, x: &Value, tape: &mut Tape) -> Result<Value> {
        self.apply(std::slice::from_ref(x), false, tape)
    }

    /// Normalises, then `ReLU`.
    pub fn forward_relu(&self, x: &Value, tape: &mut Tape) -> Result<Value> {
        self.apply(std::slice::from_ref(x), true, tape)
    }

    /// Normalises feature maps as if they were concatenated along channels, then `ReLU`.
    pub fn forward_relu_parts(&self, parts: &[Value], tape: &mut Tape) -> Result<Value> {
        self.apply(parts, true, tape)
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        for p in [&self.gamma, &self.beta, &self.running_mean, &self.running_variance] {
            f(&p.name, &p.tensor, p.role);
        }
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        for p in [
            &mut self.gamma,
            &mut self.beta,
            &mut self.running_mean,
            &mut self.running_variance,
        ] {
            f(&p.name, &mut p.tensor, p.role);
        }
    }
}

/// Fully connected layer.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Parameter,
    bias: Parameter,
}

impl Linear {
    /// A layer called `name`, `[n, input]` to `[n, output]`.
    pub(super) fn new(name: &str, input: usize, output: usize, init: &mut Init<'_>) -> Result<Self> {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        Ok(Self {
            weight: Parameter {
                tensor: init.matrix(output, input)?,
                name: weight,
                role: Role::Linear,
            },
            bias: Parameter {
                tensor: init.vector(output, 0.0)?,
                name: bias,
                role: Role::Bias,
            },
        })
    }

    /// `[n, input]` to `[n, output]`.
    pub fn forward(&self, x: &Value, tape: &mut Tape) -> Result<Value> {
        let (weight, bias) = (self.weight.on(tape), self.bias.on(tape));
        ops::linear(tape, x, &weight, &bias)
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        for p in [&self.weight, &self.bias] {
            f(&p.name, &p.tensor, p.role);
        }
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        for p in [&mut self.weight, &mut self.bias] {
            f(&p.name, &mut p.tensor, p.role);
        }
    }
}

/// Network input `[n, 3, h, w]` as an activation `[n, h, w, 3]`; a batch of zero and other shapes are refused.
pub(super) fn channels_last(images: &Tensor) -> Result<Value> {
    check_images(images)?;
    Ok(Value::constant(images.permute((0, 2, 3, 1))?.contiguous()?))
}

/// An activation `[n, h, w, c]` as other libraries lay it out, `[n, c, h, w]`.
pub(super) fn channels_first(activation: &Tensor) -> Result<Tensor> {
    Ok(activation.permute((0, 3, 1, 2))?.contiguous()?)
}
