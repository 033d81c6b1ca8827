//! ResNet-50 (He et al. 2016), torchvision's names. The torch graph strides in the 3x3 convolution of a stage's
//! first block (v1.5); the Keras graph strides in its first 1x1 (v1) and gives every convolution a bias.

use super::{Observe, epsilon};
use crate::nn::init::Init;
use crate::nn::layers::{BatchNorm, Conv2d, ConvConfig, Visit, VisitMut};
use crate::nn::ops::{self, Window};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Graph, Result};

/// Bottleneck blocks in each stage.
const BLOCKS: [usize; 4] = [3, 4, 6, 3];
const STAGE_NAMES: [&str; 4] = ["layer1", "layer2", "layer3", "layer4"];
/// Output channels of a bottleneck over its inner channels.
const EXPANSION: usize = 4;

/// The encoder: stem and four stages of bottleneck blocks.
#[derive(Debug, Clone)]
pub struct ResNet50 {
    conv1: Conv2d,
    bn1: BatchNorm,
    stages: Vec<Vec<Bottleneck>>,
}

/// 1x1, 3x3, 1x1 convolutions beside a shortcut.
#[derive(Debug, Clone)]
struct Bottleneck {
    convs: [Conv2d; 3],
    norms: [BatchNorm; 3],
    downsample: Option<(Conv2d, BatchNorm)>,
}

/// What the two graphs have in common.
struct Builder<'a, 'b> {
    graph: Graph,
    init: &'a mut Init<'b>,
}

impl Builder<'_, '_> {
    fn conv(&mut self, name: &str, input: usize, output: usize, kernel: usize, stride: usize) -> Result<Conv2d> {
        let window = Window::square(kernel, stride, kernel / 2);
        let config = ConvConfig {
            input,
            output,
            window,
            bias: self.graph == Graph::Keras,
        };
        Conv2d::new(name, config, self.init)
    }

    fn norm(&mut self, name: &str, channels: usize) -> Result<BatchNorm> {
        BatchNorm::new(name, channels, epsilon(self.graph), self.init)
    }

    fn bottleneck(&mut self, name: &str, input: usize, inner: usize, stride: usize) -> Result<Bottleneck> {
        let output = inner * EXPANSION;
        let (first, second) = match self.graph {
            Graph::Torch => (1, stride),
            Graph::Keras => (stride, 1),
        };
        let convs = [
            self.conv(&format!("{name}.conv1"), input, inner, 1, first)?,
            self.conv(&format!("{name}.conv2"), inner, inner, 3, second)?,
            self.conv(&format!("{name}.conv3"), inner, output, 1, 1)?,
        ];
        let norms = [
            self.norm(&format!("{name}.bn1"), inner)?,
            self.norm(&format!("{name}.bn2"), inner)?,
            self.norm(&format!("{name}.bn3"), output)?,
        ];
        let downsample = (input != output)
            .then(|| {
                let conv = self.conv(&format!("{name}.downsample.0"), input, output, 1, stride)?;
                Ok::<_, crate::nn::Error>((conv, self.norm(&format!("{name}.downsample.1"), output)?))
            })
            .transpose()?;
        Ok(Bottleneck {
            convs,
            norms,
            downsample,
        })
    }
}

impl Bottleneck {
    fn forward(&self, x: &Value, tape: &mut Tape) -> Result<Value> {
        let y = self.convs[0].forward(x, tape)?;
        let y = self.norms[0].forward_relu(&y, tape)?;
        let y = self.convs[1].forward(&y, tape)?;
        let y = self.norms[1].forward_relu(&y, tape)?;
        let y = self.convs[2].forward(&y, tape)?;
        let y = self.norms[2].forward(&y, tape)?;
        let shortcut = match &self.downsample {
            Some((conv, norm)) => norm.forward(&conv.forward(x, tape)?, tape)?,
            None => x.clone(),
        };
        ops::residual(tape, &shortcut, &y, 1.0, true)
    }

    fn visit(&self, f: Visit<'_>) {
        for (conv, norm) in self.convs.iter().zip(&self.norms) {
            conv.visit(f);
            norm.visit(f);
        }
        if let Some((conv, norm)) = &self.downsample {
            conv.visit(f);
            norm.visit(f);
        }
    }

    fn visit_mut(&mut self, f: VisitMut<'_>) {
        for (conv, norm) in self.convs.iter_mut().zip(&mut self.norms) {
            conv.visit_mut(f);
            norm.visit_mut(f);
        }
        if let Some((conv, norm)) = &mut self.downsample {
            conv.visit_mut(f);
            norm.visit_mut(f);
        }
    }
}

impl ResNet50 {
    /// A new encoder with initial values.
    pub(in crate::nn) fn new(graph: Graph, init: &mut Init<'_>) -> Result<Self> {
        let mut build = Builder { graph, init };
        let conv1 = build.conv("conv1", 3, 64, 7, 2)?;
        let bn1 = build.norm("bn1", 64)?;
        let (mut stages, mut input) = (Vec::new(), 64);
        for (stage, blocks) in BLOCKS.into_iter().enumerate() {
            let inner = 64 << stage;
            let mut bottlenecks = Vec::with_capacity(blocks);
            for block in 0..blocks {
                let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                let name = format!("{}.{block}", STAGE_NAMES[stage]);
                bottlenecks.push(build.bottleneck(&name, input, inner, stride)?);
                input = inner * EXPANSION;
            }
            stages.push(bottlenecks);
        }
        Ok(Self { conv1, bn1, stages })
    }

    /// `[n, h, w, 3]` to `[n, h/32, w/32, 2048]`.
    pub(super) fn forward(&self, x: &Value, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        let x = self.conv1.forward(x, tape)?;
        let x = self.bn1.forward_relu(&x, tape)?;
        observe("stem", std::slice::from_ref(&x))?;
        let mut x = ops::max_pool(tape, &x, Window::square(3, 2, 1))?;
        observe("pool", std::slice::from_ref(&x))?;
        for (stage, name) in self.stages.iter().zip(STAGE_NAMES) {
            for block in stage {
                x = block.forward(&x, tape)?;
            }
            observe(name, std::slice::from_ref(&x))?;
        }
        Ok(x)
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        self.conv1.visit(f);
        self.bn1.visit(f);
        self.stages.iter().flatten().for_each(|block| block.visit(f));
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        self.conv1.visit_mut(f);
        self.bn1.visit_mut(f);
        self.stages.iter_mut().flatten().for_each(|block| block.visit_mut(f));
    }
}
