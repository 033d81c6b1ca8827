//! DenseNet-121 (Huang et al. 2017), torchvision's names; the Keras graph differs in epsilon only.

use super::{Observe, epsilon};
use crate::nn::init::Init;
use crate::nn::layers::{BatchNorm, Conv2d, ConvConfig, Visit, VisitMut};
use crate::nn::ops::{self, Window};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Graph, Result};

/// Channels that each dense layer adds.
const GROWTH: usize = 32;
/// Channels between the two convolutions of a dense layer.
const BOTTLENECK: usize = 4 * GROWTH;
/// Dense layers in each block.
const LAYERS: [usize; 4] = [6, 12, 24, 16];
const BLOCK_NAMES: [&str; 4] = ["denseblock1", "denseblock2", "denseblock3", "denseblock4"];
const TRANSITION_NAMES: [&str; 3] = ["transition1", "transition2", "transition3"];

/// The encoder: stem, four dense blocks, three transitions, final normalisation with `ReLU`.
#[derive(Debug, Clone)]
pub struct DenseNet121 {
    conv0: Conv2d,
    norm0: BatchNorm,
    blocks: Vec<Vec<DenseLayer>>,
    transitions: Vec<Transition>,
    norm5: BatchNorm,
}

/// Normalise, 1x1 convolution, normalise, 3x3 convolution: 32 new channels.
#[derive(Debug, Clone)]
struct DenseLayer {
    norm1: BatchNorm,
    conv1: Conv2d,
    norm2: BatchNorm,
    conv2: Conv2d,
}

/// Normalise, halve the channels, halve rows and columns.
#[derive(Debug, Clone)]
struct Transition {
    norm: BatchNorm,
    conv: Conv2d,
}

fn conv(input: usize, output: usize, kernel: usize, stride: usize) -> ConvConfig {
    ConvConfig {
        input,
        output,
        window: Window::square(kernel, stride, kernel / 2),
        bias: false,
    }
}

impl DenseLayer {
    fn new(name: &str, input: usize, epsilon: f64, init: &mut Init<'_>) -> Result<Self> {
        Ok(Self {
            norm1: BatchNorm::new(&format!("{name}.norm1"), input, epsilon, init)?,
            conv1: Conv2d::new(&format!("{name}.conv1"), conv(input, BOTTLENECK, 1, 1), init)?,
            norm2: BatchNorm::new(&format!("{name}.norm2"), BOTTLENECK, epsilon, init)?,
            conv2: Conv2d::new(&format!("{name}.conv2"), conv(BOTTLENECK, GROWTH, 3, 1), init)?,
        })
    }

    /// Feature maps so far to 32 more channels.
    fn forward(&self, parts: &[Value], tape: &mut Tape) -> Result<Value> {
        let x = self.norm1.forward_relu_parts(parts, tape)?;
        let x = self.conv1.forward(&x, tape)?;
        let x = self.norm2.forward_relu(&x, tape)?;
        self.conv2.forward(&x, tape)
    }
}

impl DenseNet121 {
    /// A new encoder with initial values.
    pub(in crate::nn) fn new(graph: Graph, init: &mut Init<'_>) -> Result<Self> {
        let epsilon = epsilon(graph);
        let mut channels = 64;
        let conv0 = Conv2d::new("features.conv0", conv(3, channels, 7, 2), init)?;
        let norm0 = BatchNorm::new("features.norm0", channels, epsilon, init)?;
        let (mut blocks, mut transitions) = (Vec::new(), Vec::new());
        for (block, layers) in LAYERS.into_iter().enumerate() {
            let name = |layer: usize| format!("features.{}.denselayer{}", BLOCK_NAMES[block], layer + 1);
            blocks.push(
                (0..layers)
                    .map(|layer| DenseLayer::new(&name(layer), channels + layer * GROWTH, epsilon, init))
                    .collect::<Result<_>>()?,
            );
            channels += layers * GROWTH;
            if let Some(transition) = TRANSITION_NAMES.get(block) {
                let name = format!("features.{transition}");
                transitions.push(Transition {
                    norm: BatchNorm::new(&format!("{name}.norm"), channels, epsilon, init)?,
                    conv: Conv2d::new(&format!("{name}.conv"), conv(channels, channels / 2, 1, 1), init)?,
                });
                channels /= 2;
            }
        }
        let norm5 = BatchNorm::new("features.norm5", channels, epsilon, init)?;
        Ok(Self {
            conv0,
            norm0,
            blocks,
            transitions,
            norm5,
        })
    }

    /// `[n, h, w, 3]` to `[n, h/32, w/32, 1024]`.
    pub(super) fn forward(&self, x: &Value, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        let x = self.conv0.forward(x, tape)?;
        let x = self.norm0.forward_relu(&x, tape)?;
        observe("stem", std::slice::from_ref(&x))?;
        let x = ops::max_pool(tape, &x, Window::square(3, 2, 1))?;
        observe("pool", std::slice::from_ref(&x))?;
        // A block's feature maps stay apart: each layer's normalisation reads them where they are.
        let mut parts = vec![x];
        for (i, block) in self.blocks.iter().enumerate() {
            for layer in block {
                let new = layer.forward(&parts, tape)?;
                parts.push(new);
            }
            observe(BLOCK_NAMES[i], &parts)?;
            if let Some(transition) = self.transitions.get(i) {
                let x = transition.norm.forward_relu_parts(&parts, tape)?;
                let x = transition.conv.forward(&x, tape)?;
                let x = ops::average_pool(tape, &x, Window::square(2, 2, 0), true)?;
                observe(TRANSITION_NAMES[i], std::slice::from_ref(&x))?;
                parts = vec![x];
            }
        }
        let x = self.norm5.forward_relu_parts(&parts, tape)?;
        observe("norm5relu", std::slice::from_ref(&x))?;
        Ok(x)
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        self.conv0.visit(f);
        self.norm0.visit(f);
        for (i, block) in self.blocks.iter().enumerate() {
            for layer in block {
                layer.norm1.visit(f);
                layer.conv1.visit(f);
                layer.norm2.visit(f);
                layer.conv2.visit(f);
            }
            if let Some(transition) = self.transitions.get(i) {
                transition.norm.visit(f);
                transition.conv.visit(f);
            }
        }
        self.norm5.visit(f);
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        self.conv0.visit_mut(f);
        self.norm0.visit_mut(f);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            for layer in block {
                layer.norm1.visit_mut(f);
                layer.conv1.visit_mut(f);
                layer.norm2.visit_mut(f);
                layer.conv2.visit_mut(f);
            }
            if let Some(transition) = self.transitions.get_mut(i) {
                transition.norm.visit_mut(f);
                transition.conv.visit_mut(f);
            }
        }
        self.norm5.visit_mut(f);
    }
}
