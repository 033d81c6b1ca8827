//! What a plan executes: operations with their weights ready and their places in the arena fixed.

#![allow(unsafe_code)] // steps write side by side into one arena

use std::fmt;
use std::sync::Arc;

use super::pooling::{self, Pooling};
use crate::nn::ops::cpu::conv::{self, Affine, Geometry, Input, Part};
use crate::nn::ops::cpu::gemm::{self, Packed, Product};
use crate::nn::ops::cpu::tile::Epilogue;
use crate::nn::ops::cpu::{resize, winograd};

/// A feature map in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// First element.
    pub(super) start: usize,
    /// Images, rows, columns, channels.
    pub(super) shape: super::graph::Shape,
    /// Distance of two pixels.
    pub(super) pixel: usize,
}

impl View {
    /// Pixels of all images.
    pub(super) fn pixels(&self) -> usize {
        self.shape[0] * self.shape[1] * self.shape[2]
    }

    /// Elements from the first to the last.
    fn span(&self) -> usize {
        (self.pixels() - 1) * self.pixel + self.shape[3]
    }
}

/// One buffer for all feature maps of a run.
#[derive(Clone, Copy)]
pub(super) struct Arena(pub(super) *mut f32);

// SAFETY: steps follow one another, and the tasks of a step write disjoint elements that none of them reads.
unsafe impl Sync for Arena {}
// SAFETY: as above.
unsafe impl Send for Arena {}

impl Arena {
    fn at(&self, start: usize) -> *mut f32 {
        self.0.wrapping_add(start)
    }

    /// A feature map to be read.
    ///
    /// # Safety
    /// Nothing may write to it while the slice lives.
    unsafe fn read(&self, view: &View) -> &[f32] {
        // SAFETY: the arena was made large enough for every view.
        unsafe { std::slice::from_raw_parts(self.at(view.start), view.span()) }
    }

    /// Some pixels of a feature map to be written.
    ///
    /// # Safety
    /// Nothing else may touch them while the slice lives.
    #[allow(clippy::mut_from_ref)]
    unsafe fn write(&self, view: &View, pixels: std::ops::Range<usize>) -> &mut [f32] {
        let len = (pixels.len() - 1) * view.pixel + view.shape[3];
        // SAFETY: the arena was made large enough for every view.
        unsafe { std::slice::from_raw_parts_mut(self.at(view.start + pixels.start * view.pixel), len) }
    }
}

/// `scale * x + shift` per channel, then perhaps `ReLU`.
#[derive(Debug, Clone)]
pub(super) struct Scaling {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
    pub(super) relu: bool,
}

impl Scaling {
    fn affine(&self) -> Affine<'_, f32> {
        Affine {
            scale: &self.scale,
            shift: &self.shift,
            relu: self.relu,
        }
    }
}

/// What happens to a convolution's sums.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) bias: Arc<Vec<f32>>,
    pub(super) residual: Option<View>,
    pub(super) relu: bool,
}

impl Ending {
    fn epilogue(&self, arena: &Arena) -> Epilogue<f32> {
        Epilogue {
            bias: self.bias.as_ptr(),
            residual: self
                .residual
                .map_or(std::ptr::null(), |r| arena.at(r.start).cast_const()),
            residual_row: self.residual.map_or(0, |r| r.pixel),
            relu: self.relu,
        }
    }
}

/// An operation with everything it needs.
pub(super) enum Step {
    /// A convolution as a product.
    Convolution {
        geometry: Geometry,
        x: View,
        scaling: Option<Scaling>,
        kernel: Arc<Packed<f32>>,
        /// First element of the result, distance of its pixels and, where they do not all lie equally far apart,
        /// pixels of a line and distance of lines.
        y: (usize, usize, Option<(usize, usize)>),
        ending: Ending,
        split: gemm::Split,
    },
    /// A convolution by Winograd's algorithm.
    Winograd {
        geometry: Geometry,
        x: View,
        kernel: Arc<winograd::Kernel>,
        y: View,
        ending: Ending,
        split: winograd::Split,
    },
    /// Images `[n, c, h, w]` to pixels.
    Input { y: View },
    /// A batch normalisation, or (without scaling) a copy.
    Affine { x: View, scaling: Option<Scaling>, y: View },
    /// Max or average pooling.
    Pool { x: View, pooling: Pooling, y: View },
    /// Mean over rows and columns.
    GlobalAverage { x: View, y: View },
    /// Nearest upsampling by 2.
    Upsample { x: View, y: View },
    /// Bilinear resize.
    Resize { x: View, y: View },
    /// `x + scale * branch`, then perhaps `ReLU`.
    Residual {
        x: View,
        branch: View,
        scale: f32,
        relu: bool,
        y: View,
    },
    /// Fully connected.
    Linear {
        x: View,
        weight: Vec<f32>,
        bias: Vec<f32>,
        y: View,
    },
}

/// Pixels that a task of a step by pixels takes.
const PIXELS: usize = 256;

impl Step {
    /// Number of tasks, any order, any thread.
    pub(super) fn tasks(&self) -> usize {
        match self {
            Self::Convolution { split, .. } => split.tasks,
            Self::Winograd { split, .. } => split.tasks,
            Self::Input { y } | Self::Pool { y, .. } => y.shape[0] * y.shape[1],
            Self::Upsample { x, .. } => x.shape[0] * x.shape[1],
            Self::Affine { y, .. } | Self::Residual { y, .. } => y.pixels().div_ceil(PIXELS),
            Self::GlobalAverage { y, .. } => y.shape[0],
            Self::Resize { .. } | Self::Linear { .. } => 1,
        }
    }

    /// Multiplications that the operation is defined with.
    pub(super) fn products(&self) -> f64 {
        match self {
            Self::Convolution { geometry: g, .. } | Self::Winograd { geometry: g, .. } => {
                g.rows() as f64 * g.depth() as f64 * g.output.2 as f64
            }
            Self::Linear { weight, .. } => weight.len() as f64,
            _ => 0.0,
        }
    }

    /// Computes one task; `images` are `[n, c, h, w]`.
    ///
    /// # Safety
    /// The arena must be as large as the plan says, the steps before must have ended, and no task may run twice.
    pub(super) unsafe fn run(&self, task: usize, arena: &Arena, images: &[f32]) {
        // SAFETY: views lie within the arena; what a step reads was written by earlier steps and does
        // not overlap what it writes, but for a residual at the very place of the result; tasks write disjoint rows.
        unsafe {
            match self {
                Self::Convolution { .. } => self.convolve(task, arena),
                Self::Winograd {
                    geometry,
                    x,
                    kernel,
                    y,
                    ending,
                    split,
                } => {
                    let problem = winograd::Problem {
                        geometry: *geometry,
                        x: (arena.at(x.start), x.pixel),
                        kernel,
                        y: (arena.at(y.start), y.pixel),
                        epilogue: ending.epilogue(arena),
                    };
                    problem.run(split, task);
                }
                Self::Input { y } => pooling::interleave(images, y, task, arena.write(y, line(y, task))),
                Self::Affine { x, scaling, y } => {
                    let pixels = chunk(y, task);
                    let target = arena.write(y, pixels.clone());
                    let part = [part(arena, x)];
                    let input = Input {
                        parts: &part,
                        affine: scaling.as_ref().map(Scaling::affine),
                    };
                    conv::stage(&pointwise(x), &input, pixels, 0..x.shape[3], (target, y.pixel));
                }
                Self::Pool { x, pooling, y } => {
                    pooling.line(arena.read(x), x, y, task, arena.write(y, line(y, task)));
                }
                Self::GlobalAverage { x, y } => {
                    pooling::global_average(arena.read(x), x, task, arena.write(y, task..task + 1));
                }
                Self::Upsample { x, y } => {
                    let lines = 2 * task * y.shape[2]..2 * (task + 1) * y.shape[2];
                    pooling::upsample(arena.read(x), x, task, arena.write(y, lines), y.pixel);
                }
                Self::Resize { x, y } => {
                    let ([_, h, w, c], [_, rows, columns, _]) = (x.shape, y.shape);
                    let resized = arena.write(y, 0..y.pixels());
                    resize::bilinear(arena.read(x), (h, w), (rows, columns), c, resized);
                }
                Self::Residual {
                    x,
                    branch,
                    scale,
                    relu,
                    y,
                } => {
                    let pixels = chunk(y, task);
                    let terms = (arena.read(x), arena.read(branch));
                    let target = arena.write(y, pixels.clone());
                    pooling::residual(terms, (x, branch), (*scale, *relu), pixels, (target, y.pixel));
                }
                Self::Linear { x, weight, bias, y } => {
                    pooling::linear(arena.read(x), weight, bias, arena.write(y, 0..y.pixels()));
                }
            }
        }
    }

    /// A task of [`Step::Convolution`].
    ///
    /// # Safety
    /// As for [`Step::run`].
    unsafe fn convolve(&self, task: usize, arena: &Arena) {
        let Self::Convolution {
            geometry,
            x,
            scaling,
            kernel,
            y,
            ending,
            split,
        } = self
        else {
            return;
        };
        // SAFETY: as for `run`.
        unsafe {
            let part = [part(arena, x)];
            let input = Input {
                parts: &part,
                affine: scaling.as_ref().map(Scaling::affine),
            };
            let stage = |[rows, columns]: [std::ops::Range<usize>; 2], target: &mut [f32], distance: usize| {
                conv::stage(geometry, &input, rows, columns, (target, distance));
            };
            let product = Product {
                rows: geometry.rows(),
                a: conv::rows(geometry, &input, &stage),
                b: kernel,
                c: arena.at(y.0),
                c_row: y.1,
                lines: y.2,
                epilogue: ending.epilogue(arena),
            };
            product.run(split, task);
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sized = |f: &mut fmt::Formatter<'_>, name: &str, g: &Geometry| {
            let ((h, w, c), (kh, kw), (oh, ow, o)) = (g.input, g.kernel, g.output);
            write!(f, "{name} {kh}x{kw} {h}x{w}x{c} to {oh}x{ow}x{o}")
        };
        let plain = |f: &mut fmt::Formatter<'_>, name: &str, y: &View| {
            write!(f, "{name} to {}x{}x{}", y.shape[1], y.shape[2], y.shape[3])
        };
        match self {
            Self::Convolution {
                geometry,
                scaling: Some(_),
                ..
            } => sized(f, "normalisation and convolution", geometry),
            Self::Convolution { geometry, .. } => sized(f, "convolution", geometry),
            Self::Winograd { geometry, .. } => sized(f, "Winograd convolution", geometry),
            Self::Input { y } => plain(f, "input", y),
            Self::Affine { y, scaling, .. } => plain(f, if scaling.is_some() { "normalisation" } else { "copy" }, y),
            Self::Pool { y, .. } => plain(f, "pooling", y),
            Self::GlobalAverage { y, .. } => plain(f, "global average", y),
            Self::Upsample { y, .. } => plain(f, "upsampling", y),
            Self::Resize { y, .. } => plain(f, "resize", y),
            Self::Residual { y, .. } => plain(f, "residual sum", y),
            Self::Linear { y, .. } => plain(f, "fully connected", y),
        }
    }
}

/// A feature map as a convolution reads it.
///
/// # Safety
/// As for [`Arena::read`].
unsafe fn part<'a>(arena: &'a Arena, x: &View) -> Part<'a, f32> {
    Part {
        // SAFETY: the caller's promise.
        values: unsafe { arena.read(x) },
        channels: x.shape[3],
        pixel: x.pixel,
    }
}

/// A convolution that copies pixels.
fn pointwise(x: &View) -> Geometry {
    let [n, h, w, c] = x.shape;
    Geometry {
        n,
        input: (h, w, c),
        output: (h, w, c),
        kernel: (1, 1),
        stride: (1, 1),
        padding: (0, 0),
    }
}

/// Pixels of an output line.
fn line(y: &View, task: usize) -> std::ops::Range<usize> {
    task * y.shape[2]..(task + 1) * y.shape[2]
}

/// Pixels of a task of a step by pixels.
fn chunk(y: &View, task: usize) -> std::ops::Range<usize> {
    task * PIXELS..((task + 1) * PIXELS).min(y.pixels())
}
