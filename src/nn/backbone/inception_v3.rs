//! Inception-v3 (Szegedy et al. 2016) without its auxiliary head, torchvision's names. The Keras graph has no gamma,
//! and its average pooling does not count the padding, which torchvision's does.

use super::inception::{Builder, HALVE, POINT, Part, STEM_CHANNELS, Step, same};
use super::{Observe, check_side};
use crate::nn::init::Init;
use crate::nn::layers::{Visit, VisitMut};
use crate::nn::tape::{Tape, Value};
use crate::nn::{BackboneKind, Graph, Result};

use Part::{Conv, Fork, MaxPool};

const STEM_NAMES: [&str; 7] = [
    "Conv2d_1a_3x3",
    "Conv2d_2a_3x3",
    "Conv2d_2b_3x3",
    "maxpool1",
    "Conv2d_3b_1x1",
    "Conv2d_4a_3x3",
    "maxpool2",
];
/// Blocks of figure 5, with the channels behind their pooling.
const FACTORED_5X5: [(&str, usize); 3] = [("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)];
/// Blocks of figure 6, with the channels between their 1x7 and 7x1 convolutions.
const FACTORED_7X7: [(&str, usize); 4] = [
    ("Mixed_6b", 128),
    ("Mixed_6c", 160),
    ("Mixed_6d", 160),
    ("Mixed_6e", 192),
];
/// Blocks of figure 7.
const EXPANDED: [&str; 2] = ["Mixed_7b", "Mixed_7c"];

/// The encoder: stem and eleven blocks of branches.
#[derive(Debug, Clone)]
pub struct InceptionV3 {
    steps: Vec<(&'static str, Step)>,
}

/// The blocks so far, and the channels that the next one reads.
struct Blocks<'a, 'b> {
    build: Builder<'a, 'b>,
    steps: Vec<(&'static str, Step)>,
    channels: usize,
}

impl Blocks<'_, '_> {
    fn push(&mut self, name: &'static str, branches: &[&[Part<'_>]]) -> Result<()> {
        let (mixed, channels) = self.build.mixed(name, self.channels, branches)?;
        self.steps.push((name, Step::Mixed(mixed)));
        self.channels = channels;
        Ok(())
    }

    fn average(&self) -> Part<'static> {
        Part::AveragePool {
            include_padding: self.build.graph == Graph::Torch,
        }
    }

    /// Figure 5: the 5x5 branch beside one of two 3x3.
    fn factored_5x5(&mut self, name: &'static str, pooled: usize) -> Result<()> {
        let average = self.average();
        self.push(
            name,
            &[
                &[Conv("branch1x1", 64, POINT)],
                &[Conv("branch5x5_1", 48, POINT), Conv("branch5x5_2", 64, same(5, 5))],
                &[
                    Conv("branch3x3dbl_1", 64, POINT),
                    Conv("branch3x3dbl_2", 96, same(3, 3)),
                    Conv("branch3x3dbl_3", 96, same(3, 3)),
                ],
                &[average, Conv("branch_pool", pooled, POINT)],
            ],
        )
    }

    /// From 35x35 to 17x17 at the paper's size.
    fn reduction_6a(&mut self) -> Result<()> {
        self.push(
            "Mixed_6a",
            &[
                &[Conv("branch3x3", 384, HALVE)],
                &[
                    Conv("branch3x3dbl_1", 64, POINT),
                    Conv("branch3x3dbl_2", 96, same(3, 3)),
                    Conv("branch3x3dbl_3", 96, HALVE),
                ],
                &[MaxPool],
            ],
        )
    }

    /// Figure 6: 7x7 convolutions as rows and columns.
    fn factored_7x7(&mut self, name: &'static str, inner: usize) -> Result<()> {
        let average = self.average();
        self.push(
            name,
            &[
                &[Conv("branch1x1", 192, POINT)],
                &[
                    Conv("branch7x7_1", inner, POINT),
                    Conv("branch7x7_2", inner, same(1, 7)),
                    Conv("branch7x7_3", 192, same(7, 1)),
                ],
                &[
                    Conv("branch7x7dbl_1", inner, POINT),
                    Conv("branch7x7dbl_2", inner, same(7, 1)),
                    Conv("branch7x7dbl_3", inner, same(1, 7)),
                    Conv("branch7x7dbl_4", inner, same(7, 1)),
                    Conv("branch7x7dbl_5", 192, same(1, 7)),
                ],
                &[average, Conv("branch_pool", 192, POINT)],
            ],
        )
    }

    /// From 17x17 to 8x8 at the paper's size.
    fn reduction_7a(&mut self) -> Result<()> {
        self.push(
            "Mixed_7a",
            &[
                &[Conv("branch3x3_1", 192, POINT), Conv("branch3x3_2", 320, HALVE)],
                &[
                    Conv("branch7x7x3_1", 192, POINT),
                    Conv("branch7x7x3_2", 192, same(1, 7)),
                    Conv("branch7x7x3_3", 192, same(7, 1)),
                    Conv("branch7x7x3_4", 192, HALVE),
                ],
                &[MaxPool],
            ],
        )
    }

    /// Figure 7: branches that end in a row beside a column.
    fn expanded(&mut self, name: &'static str) -> Result<()> {
        let average = self.average();
        self.push(
            name,
            &[
                &[Conv("branch1x1", 320, POINT)],
                &[
                    Conv("branch3x3_1", 384, POINT),
                    Fork(&[
                        Conv("branch3x3_2a", 384, same(1, 3)),
                        Conv("branch3x3_2b", 384, same(3, 1)),
                    ]),
                ],
                &[
                    Conv("branch3x3dbl_1", 448, POINT),
                    Conv("branch3x3dbl_2", 384, same(3, 3)),
                    Fork(&[
                        Conv("branch3x3dbl_3a", 384, same(1, 3)),
                        Conv("branch3x3dbl_3b", 384, same(3, 1)),
                    ]),
                ],
                &[average, Conv("branch_pool", 192, POINT)],
            ],
        )
    }
}

impl InceptionV3 {
    /// A new encoder with initial values.
    pub(in crate::nn) fn new(graph: Graph, init: &mut Init<'_>) -> Result<Self> {
        let mut build = Builder { graph, init };
        let mut blocks = Blocks {
            steps: build.stem(STEM_NAMES)?.into(),
            build,
            channels: STEM_CHANNELS,
        };
        for (name, pooled) in FACTORED_5X5 {
            blocks.factored_5x5(name, pooled)?;
        }
        blocks.reduction_6a()?;
        for (name, inner) in FACTORED_7X7 {
            blocks.factored_7x7(name, inner)?;
        }
        blocks.reduction_7a()?;
        for name in EXPANDED {
            blocks.expanded(name)?;
        }
        Ok(Self { steps: blocks.steps })
    }

    /// `[n, h, w, 3]` to `[n, about h/32 - 2, about w/32 - 2, 2048]`: 224 rows become 5.
    pub(super) fn forward(&self, x: &Value, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        check_side(BackboneKind::InceptionV3, x)?;
        let mut x = x.clone();
        for (name, step) in &self.steps {
            x = step.forward(&x, tape)?;
            observe(name, std::slice::from_ref(&x))?;
        }
        Ok(x)
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        self.steps.iter().for_each(|(_, step)| step.visit(f));
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        self.steps.iter_mut().for_each(|(_, step)| step.visit_mut(f));
    }
}
