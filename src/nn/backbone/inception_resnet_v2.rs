//! Inception-ResNet-v2 (Szegedy et al. 2017), timm's names. The Keras graph has no gamma; otherwise they are equal.

use super::inception::{Builder, HALVE, Mixed, POINT, Part, STEM_CHANNELS, Step, same};
use super::{Observe, check_side};
use crate::nn::init::Init;
use crate::nn::layers::{Conv2d, ConvConfig, Visit, VisitMut};
use crate::nn::ops;
use crate::nn::tape::{Tape, Value};
use crate::nn::{BackboneKind, Graph, Result};

use Part::{AveragePool, Conv, MaxPool};

const STEM_NAMES: [&str; 7] = [
    "conv2d_1a",
    "conv2d_2a",
    "conv2d_2b",
    "maxpool_3a",
    "conv2d_3b",
    "conv2d_4a",
    "maxpool_5a",
];

/// The first block of branches; it does not count the padding of its pooling in either graph.
const MIXED_5B: &[&[Part<'static>]] = &[
    &[Conv("branch0", 96, POINT)],
    &[Conv("branch1.0", 48, POINT), Conv("branch1.1", 64, same(5, 5))],
    &[
        Conv("branch2.0", 64, POINT),
        Conv("branch2.1", 96, same(3, 3)),
        Conv("branch2.2", 96, same(3, 3)),
    ],
    &[AveragePool { include_padding: false }, Conv("branch3.1", 64, POINT)],
];

/// Reduction A (figure 7).
const MIXED_6A: &[&[Part<'static>]] = &[
    &[Conv("branch0", 384, HALVE)],
    &[
        Conv("branch1.0", 256, POINT),
        Conv("branch1.1", 256, same(3, 3)),
        Conv("branch1.2", 384, HALVE),
    ],
    &[MaxPool],
];

/// Reduction B (figure 18).
const MIXED_7A: &[&[Part<'static>]] = &[
    &[Conv("branch0.0", 256, POINT), Conv("branch0.1", 384, HALVE)],
    &[Conv("branch1.0", 256, POINT), Conv("branch1.1", 288, HALVE)],
    &[
        Conv("branch2.0", 256, POINT),
        Conv("branch2.1", 288, same(3, 3)),
        Conv("branch2.2", 320, HALVE),
    ],
    &[MaxPool],
];

/// Inception-ResNet-A (figure 16), at 35x35 for the paper's size.
const BLOCK_35: &[&[Part<'static>]] = &[
    &[Conv("branch0", 32, POINT)],
    &[Conv("branch1.0", 32, POINT), Conv("branch1.1", 32, same(3, 3))],
    &[
        Conv("branch2.0", 32, POINT),
        Conv("branch2.1", 48, same(3, 3)),
        Conv("branch2.2", 64, same(3, 3)),
    ],
];

/// Inception-ResNet-B (figure 17), at 17x17.
const BLOCK_17: &[&[Part<'static>]] = &[
    &[Conv("branch0", 192, POINT)],
    &[
        Conv("branch1.0", 128, POINT),
        Conv("branch1.1", 160, same(1, 7)),
        Conv("branch1.2", 192, same(7, 1)),
    ],
];

/// Inception-ResNet-C (figure 19), at 8x8.
const BLOCK_8: &[&[Part<'static>]] = &[
    &[Conv("branch0", 192, POINT)],
    &[
        Conv("branch1.0", 192, POINT),
        Conv("branch1.1", 224, same(1, 3)),
        Conv("branch1.2", 256, same(3, 1)),
    ],
];

/// The encoder: stem, and blocks with shortcuts between reductions.
#[derive(Debug, Clone)]
pub struct InceptionResNetV2 {
    stages: Vec<(&'static str, Stage)>,
}

/// What a checkpoint stands behind.
#[derive(Debug, Clone)]
enum Stage {
    Step(Step),
    Residual(Vec<Residual>),
}

/// Branches, brought back to the channels of their input by a 1x1 convolution, scaled and added to it.
#[derive(Debug, Clone)]
struct Residual {
    branches: Mixed,
    conv2d: Conv2d,
    scale: f64,
    relu: bool,
}

impl Residual {
    fn new(
        name: &str,
        channels: usize,
        branches: &[&[Part<'_>]],
        (scale, relu): (f64, bool),
        build: &mut Builder<'_, '_>,
    ) -> Result<Self> {
        let (branches, input) = build.mixed(name, channels, branches)?;
        // Unlike all others, this convolution has a bias and no normalisation.
        let config = ConvConfig {
            input,
            output: channels,
            window: POINT,
            bias: true,
        };
        Ok(Self {
            branches,
            conv2d: Conv2d::new(&format!("{name}.conv2d"), config, build.init)?,
            scale,
            relu,
        })
    }

    fn forward(&self, x: &Value, tape: &mut Tape) -> Result<Value> {
        let branch = self.branches.forward(x, tape)?;
        let branch = self.conv2d.forward(&branch, tape)?;
        ops::residual(tape, x, &branch, self.scale, self.relu)
    }
}

/// The stages so far, and the channels that the next one reads.
struct Stages<'a, 'b> {
    build: Builder<'a, 'b>,
    built: Vec<(&'static str, Stage)>,
    channels: usize,
}

impl Stages<'_, '_> {
    fn mixed(&mut self, name: &'static str, branches: &[&[Part<'_>]]) -> Result<()> {
        let (mixed, channels) = self.build.mixed(name, self.channels, branches)?;
        self.built.push((name, Stage::Step(Step::Mixed(mixed))));
        self.channels = channels;
        Ok(())
    }

    fn repeat(&mut self, name: &'static str, count: usize, branches: &[&[Part<'_>]], scale: f64) -> Result<()> {
        let blocks = (0..count)
            .map(|i| {
                let name = format!("{name}.{i}");
                Residual::new(&name, self.channels, branches, (scale, true), &mut self.build)
            })
            .collect::<Result<_>>()?;
        self.built.push((name, Stage::Residual(blocks)));
        Ok(())
    }
}

impl InceptionResNetV2 {
    /// A new encoder with initial values.
    pub(in crate::nn) fn new(graph: Graph, init: &mut Init<'_>) -> Result<Self> {
        let mut build = Builder { graph, init };
        let stem = build.stem(STEM_NAMES)?;
        let mut net = Stages {
            built: stem.map(|(name, step)| (name, Stage::Step(step))).into(),
            build,
            channels: STEM_CHANNELS,
        };
        net.mixed("mixed_5b", MIXED_5B)?;
        net.repeat("repeat", 10, BLOCK_35, 0.17)?;
        net.mixed("mixed_6a", MIXED_6A)?;
        net.repeat("repeat_1", 20, BLOCK_17, 0.1)?;
        net.mixed("mixed_7a", MIXED_7A)?;
        net.repeat("repeat_2", 9, BLOCK_8, 0.2)?;
        // The last block is neither scaled nor followed by a `ReLU`.
        let last = Residual::new("block8", net.channels, BLOCK_8, (1.0, false), &mut net.build)?;
        net.built.push(("block8", Stage::Residual(vec![last])));
        let features = BackboneKind::InceptionResNetV2.feature_channels();
        let conv2d_7b = net.build.conv_norm("conv2d_7b", net.channels, features, POINT)?;
        net.built.push(("conv2d_7b", Stage::Step(conv2d_7b)));
        Ok(Self { stages: net.built })
    }

    /// `[n, h, w, 3]` to `[n, about h/32 - 2, about w/32 - 2, 1536]`: 224 rows become 5.
    pub(super) fn forward(&self, x: &Value, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        check_side(BackboneKind::InceptionResNetV2, x)?;
        let mut x = x.clone();
        for (name, stage) in &self.stages {
            match stage {
                Stage::Step(step) => x = step.forward(&x, tape)?,
                Stage::Residual(blocks) => {
                    for block in blocks {
                        x = block.forward(&x, tape)?;
                    }
                }
            }
            observe(name, std::slice::from_ref(&x))?;
        }
        Ok(x)
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        for (_, stage) in &self.stages {
            match stage {
                Stage::Step(step) => step.visit(f),
                Stage::Residual(blocks) => {
                    for block in blocks {
                        block.branches.visit(f);
                        block.conv2d.visit(f);
                    }
                }
            }
        }
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        for (_, stage) in &mut self.stages {
            match stage {
                Stage::Step(step) => step.visit_mut(f),
                Stage::Residual(blocks) => {
                    for block in blocks {
                        block.branches.visit_mut(f);
                        block.conv2d.visit_mut(f);
                    }
                }
            }
        }
    }
}
