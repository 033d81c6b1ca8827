//! What the two Inception networks are made of (Szegedy et al. 2016 and 2017): convolutions with normalisation and
//! `ReLU`, branches of them whose outputs are concatenated, and the stem that both begin with.

use crate::nn::init::Init;
use crate::nn::layers::{BatchNorm, Conv2d, ConvConfig, Visit, VisitMut};
use crate::nn::ops::{self, Window};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Graph, Result};

/// Epsilon of every batch normalisation, in both graphs.
const EPSILON: f64 = 1e-3;

/// A 1x1 convolution.
pub(super) const POINT: Window = Window::square(1, 1, 0);
/// 3x3 without padding.
const VALID: Window = Window::square(3, 1, 0);
/// 3x3 without padding at every other pixel: halves rows and columns.
pub(super) const HALVE: Window = Window::square(3, 2, 0);

/// A window of odd size, padded so that rows and columns stay.
pub(super) const fn same(rows: usize, columns: usize) -> Window {
    Window {
        kernel: (rows, columns),
        stride: (1, 1),
        padding: (rows / 2, columns / 2),
    }
}

/// What a step of a branch is to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// Convolution, normalisation and `ReLU`: name within the block, output channels, window.
    Conv(&'a str, usize, Window),
    /// 3x3 maximum that halves rows and columns.
    MaxPool,
    /// 3x3 average that keeps rows and columns.
    AveragePool { include_padding: bool },
    /// Convolutions that all read the step before.
    Fork(&'a [Part<'a>]),
}

/// Makes steps; `graph` decides whether normalisations have a gamma.
pub(super) struct Builder<'a, 'b> {
    pub(super) graph: Graph,
    pub(super) init: &'a mut Init<'b>,
}

impl Builder<'_, '_> {
    /// Convolution without bias, normalisation, `ReLU`: `name.conv` and `name.bn`.
    pub(super) fn conv_norm(&mut self, name: &str, input: usize, output: usize, window: Window) -> Result<Step> {
        let config = ConvConfig {
            input,
            output,
            window,
            bias: false,
        };
        let conv = Conv2d::new(&format!("{name}.conv"), config, self.init)?;
        let norm = format!("{name}.bn");
        let norm = match self.graph {
            Graph::Torch => BatchNorm::new(&norm, output, EPSILON, self.init)?,
            Graph::Keras => BatchNorm::without_gamma(&norm, output, EPSILON, self.init)?,
        };
        Ok(Step::Conv(Box::new(ConvNorm { conv, norm })))
    }

    /// Branches that read the same `input` channels; with their output channels together.
    pub(super) fn mixed(&mut self, name: &str, input: usize, branches: &[&[Part<'_>]]) -> Result<(Mixed, usize)> {
        let (mut built, mut output) = (Vec::with_capacity(branches.len()), 0);
        for parts in branches {
            let (mut steps, mut channels) = (Vec::with_capacity(parts.len()), input);
            for part in *parts {
                let step;
                (step, channels) = self.step(name, channels, *part)?;
                steps.push(step);
            }
            built.push(steps);
            output += channels;
        }
        Ok((Mixed { branches: built }, output))
    }

    /// A step of a block, and its output channels.
    fn step(&mut self, block: &str, input: usize, part: Part<'_>) -> Result<(Step, usize)> {
        Ok(match part {
            Part::Conv(name, output, window) => (
                self.conv_norm(&format!("{block}.{name}"), input, output, window)?,
                output,
            ),
            Part::MaxPool => (Step::MaxPool, input),
            Part::AveragePool { include_padding } => (Step::AveragePool { include_padding }, input),
            Part::Fork(parts) => {
                let branches: Vec<&[Part<'_>]> = parts.iter().map(std::slice::from_ref).collect();
                let (mixed, output) = self.mixed(block, input, &branches)?;
                (Step::Mixed(mixed), output)
            }
        })
    }

    /// The stem: `[n, h, w, 3]` to 192 channels at about 1/8; `names` are those of its steps.
    pub(super) fn stem(&mut self, names: [&'static str; 7]) -> Result<[(&'static str, Step); 7]> {
        let [conv_1a, conv_2a, conv_2b, pool_3a, conv_3b, conv_4a, pool_5a] = names;
        Ok([
            (conv_1a, self.conv_norm(conv_1a, 3, 32, HALVE)?),
            (conv_2a, self.conv_norm(conv_2a, 32, 32, VALID)?),
            (conv_2b, self.conv_norm(conv_2b, 32, 64, same(3, 3))?),
            (pool_3a, Step::MaxPool),
            (conv_3b, self.conv_norm(conv_3b, 64, 80, POINT)?),
            (conv_4a, self.conv_norm(conv_4a, 80, STEM_CHANNELS, VALID)?),
            (pool_5a, Step::MaxPool),
        ])
    }
}

/// Output channels of the stem.
pub(super) const STEM_CHANNELS: usize = 192;

/// A convolution without bias, its normalisation, and `ReLU`.
#[derive(Debug, Clone)]
pub(super) struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

/// A step of a branch, or of the whole network.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Conv(Box<ConvNorm>),
    MaxPool,
    AveragePool { include_padding: bool },
    Mixed(Mixed),
}

impl Step {
    pub(super) fn forward(&self, x: &Value, tape: &mut Tape) -> Result<Value> {
        match self {
            Self::Conv(layer) => {
                let x = layer.conv.forward(x, tape)?;
                layer.norm.forward_relu(&x, tape)
            }
            Self::MaxPool => ops::max_pool(tape, x, HALVE),
            Self::AveragePool { include_padding } => ops::average_pool(tape, x, same(3, 3), *include_padding),
            Self::Mixed(mixed) => mixed.forward(x, tape),
        }
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        match self {
            Self::Conv(layer) => {
                layer.conv.visit(f);
                layer.norm.visit(f);
            }
            Self::Mixed(mixed) => mixed.visit(f),
            Self::MaxPool | Self::AveragePool { .. } => {}
        }
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        match self {
            Self::Conv(layer) => {
                layer.conv.visit_mut(f);
                layer.norm.visit_mut(f);
            }
            Self::Mixed(mixed) => mixed.visit_mut(f),
            Self::MaxPool | Self::AveragePool { .. } => {}
        }
    }
}

/// Branches that read the same feature map; their outputs follow each other along the channels.
#[derive(Debug, Clone)]
pub(super) struct Mixed {
    branches: Vec<Vec<Step>>,
}

impl Mixed {
    pub(super) fn forward(&self, x: &Value, tape: &mut Tape) -> Result<Value> {
        let mut outputs = Vec::with_capacity(self.branches.len());
        for branch in &self.branches {
            let mut x = x.clone();
            for step in branch {
                x = step.forward(&x, tape)?;
            }
            outputs.push(x);
        }
        ops::concat(tape, &outputs)
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        self.branches.iter().flatten().for_each(|step| step.visit(f));
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        self.branches.iter_mut().flatten().for_each(|step| step.visit_mut(f));
    }
}
