//! 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3) (Lavin & Gray 2016): 36 multiplications for 16 results
//! instead of 144, at the price of two transforms and about one decimal of precision.

#![allow(unsafe_code)] // tiles take pointers
#![allow(clippy::inline_always)] // or they would not be compiled for the instruction set of their caller

mod transform;

use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

use super::conv::Geometry;
use super::gemm::{beside, even};
use super::tile::{Epilogue, PANEL, STRIP, Tile};
use super::{Element, on_pool, scratch, threads};

/// Results of a tile along one axis.
const OUT: usize = 4;
/// Values that a tile reads along one axis.
const IN: usize = OUT + 2;
/// Products a tile and channel.
const POINTS: usize = IN * IN;
/// Channels transformed together, at most.
const LANES: usize = 16;
/// Tiles that share a kernel in any case.
const FEW: usize = 16;
/// Elements of a block of transformed tiles.
const BLOCK: usize = 96 * 1024;

/// How transformed tiles lie: rows of channels, one a tile, for each of the points.
#[derive(Debug, Clone, Copy)]
struct Points {
    /// Distance of two tiles.
    row: usize,
    /// Distance of two points.
    distance: usize,
}

impl Points {
    /// Neither is a multiple of the cache's period, or all rows, or all points, would fall on the same lines.
    fn new(tiles: usize, row: usize) -> Self {
        Self {
            row,
            distance: tiles * row + LANES,
        }
    }

    fn len(&self) -> usize {
        POINTS * self.distance
    }
}

/// A transformed kernel: for each of the 36 points `channels x outputs` in panels.
#[derive(Debug, Clone)]
pub struct Kernel {
    values: Vec<f32>,
    channels: usize,
    outputs: usize,
}

/// Whether a convolution can be computed this way, and gains by it.
pub fn suits(g: &Geometry) -> bool {
    let tiles = g.n * g.output.0.div_ceil(OUT) * g.output.1.div_ceil(OUT);
    // Tiles that stick out compute for nothing, and few tiles do not repay a kernel four times as long.
    let used = g.n * g.output.0 * g.output.1 * 2 > tiles * OUT * OUT;
    (g.kernel, g.stride) == ((3, 3), (1, 1))
        && g.input.2.is_multiple_of(LANES)
        && g.output.2.is_multiple_of(LANES)
        && g.input.2 >= 32
        && used
        && tiles >= 9
}

/// One tap, or one point, of a panel's outputs.
type PanelLanes = [f64; PANEL];

impl Kernel {
    /// Transforms `[o, 3, 3, c]`.
    pub fn new(w: &[f32], channels: usize, outputs: usize) -> Self {
        Self::fill(Vec::new(), channels, outputs, |c, first, taps| {
            for (lane, kernel) in w[first * 9 * channels..]
                .chunks_exact(9 * channels)
                .take(PANEL)
                .enumerate()
            {
                for (i, tap) in taps.iter_mut().enumerate() {
                    tap[lane] = f64::from(kernel[i * channels + c]);
                }
            }
        })
    }

    /// The kernel of the way back, from the output's gradient to the input's: `[o, 3, 3, c]` with its taps in reverse
    /// and its channels and outputs exchanged.
    pub fn reversed(buffer: Vec<f32>, w: &[f32], channels: usize, outputs: usize) -> Self {
        Self::fill(buffer, outputs, channels, |o, first, taps| {
            let count = PANEL.min(channels - first);
            for (i, tap) in taps.iter_mut().enumerate() {
                let values = &w[(o * 9 + 8 - i) * channels + first..][..count];
                tap.iter_mut().zip(values).for_each(|(t, v)| *t = f64::from(*v));
            }
        })
    }

    /// Elements of the buffer that a kernel needs.
    pub fn len(channels: usize, outputs: usize) -> usize {
        POINTS * outputs.next_multiple_of(PANEL) * channels
    }

    /// Lets `gather` write the taps of a channel for the outputs of a panel from `first` on, and transforms them.
    fn fill(
        mut values: Vec<f32>,
        channels: usize,
        outputs: usize,
        gather: impl Fn(usize, usize, &mut [PanelLanes; 9]) + Sync,
    ) -> Self {
        values.resize(Self::len(channels, outputs), 0.0);
        on_pool(|| {
            values
                .par_chunks_mut(POINTS * channels * PANEL)
                .enumerate()
                .for_each(|(panel, values)| {
                    for channel in 0..channels {
                        let mut taps = [[0.0; PANEL]; 9];
                        gather(channel, panel * PANEL, &mut taps);
                        transform_taps(&taps, channel, channels, values);
                    }
                });
        });
        Self {
            values,
            channels,
            outputs,
        }
    }

    /// The buffer, for another kernel.
    pub fn into_buffer(self) -> Vec<f32> {
        self.values
    }

    fn panel(&self, point: usize, panel: usize) -> *const f32 {
        self.values[(panel * POINTS + point) * self.channels * PANEL..].as_ptr()
    }
}

/// `G g` of three values.
#[inline(always)]
fn kernel_line([a, b, c]: [&PanelLanes; 3]) -> [PanelLanes; IN] {
    let mut lines = [[0.0; PANEL]; IN];
    for i in 0..PANEL {
        let (even, odd) = ((a[i] + c[i]) / -6.0, b[i] / -6.0);
        let (far_even, far_odd) = (a[i] / 24.0 + c[i] / 6.0, b[i] / 12.0);
        lines[0][i] = a[i] / 4.0;
        lines[1][i] = even + odd;
        lines[2][i] = even - odd;
        lines[3][i] = far_even + far_odd;
        lines[4][i] = far_even - far_odd;
        lines[5][i] = c[i];
    }
    lines
}

/// Writes `G g G^T` of a channel's 3x3 kernels, computed in f64, to `values[point][channel]`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn transform_taps(taps: &[PanelLanes; 9], channel: usize, channels: usize, values: &mut [f32]) {
    let half = [0, 1, 2].map(|x| kernel_line([&taps[x], &taps[3 + x], &taps[6 + x]]));
    for y in 0..IN {
        for (x, line) in kernel_line([&half[0][y], &half[1][y], &half[2][y]]).iter().enumerate() {
            let panel = &mut values[(y * IN + x) * channels * PANEL..];
            for (strip, values) in panel.chunks_mut(channels * STRIP).zip(line.chunks_exact(STRIP)) {
                let target = strip[channel * STRIP..].iter_mut().zip(values);
                target.for_each(|(t, v)| *t = *v as f32);
            }
        }
    }
}

/// What a convolution reads and writes.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    /// Sizes.
    pub geometry: Geometry,
    /// Input: first element and distance of pixels.
    pub x: (*const f32, usize),
    /// The transformed kernel.
    pub kernel: &'a Kernel,
    /// Output: first element and distance of pixels.
    pub y: (*mut f32, usize),
    /// What happens to a result before it is stored.
    pub epilogue: Epilogue<f32>,
}

// SAFETY: the pointers are only followed in `run`, whose caller answers for them; tasks write disjoint tiles.
unsafe impl Sync for Problem<'_> {}
// SAFETY: as above.
unsafe impl Send for Problem<'_> {}

/// How a problem is cut into tasks.
#[derive(Debug, Clone, Copy)]
pub struct Split {
    /// Tiles of a task.
    tiles: usize,
    /// Panels of a task.
    panels: usize,
    /// Tasks beside each other.
    groups: usize,
    /// All tasks.
    pub tasks: usize,
}

impl Split {
    /// Cuts a convolution for a number of threads.
    pub fn new(g: &Geometry, threads: usize) -> Self {
        let all = g.n * g.output.0.div_ceil(OUT) * g.output.1.div_ceil(OUT);
        let most = (BLOCK / (POINTS * g.input.2)).next_multiple_of(8).max(8);
        let tasks = if threads == 1 { 1 } else { 2 * threads };
        // Few tiles are not cut, because each part of them reads the kernel again.
        let whole = all <= FEW && g.output.2 >= tasks * PANEL;
        let tiles = even(all, if whole { all } else { most.min(all.div_ceil(tasks)) });
        let blocks = all.div_ceil(tiles).max(1);
        let (panels, groups) = beside(g.output.2, tasks.div_ceil(blocks));
        Self {
            tiles,
            panels,
            groups,
            tasks: blocks * groups,
        }
    }
}

impl Problem<'_> {
    /// Computes one task of a split.
    ///
    /// # Safety
    /// The pointers must reach what the sizes say, and nothing else may touch these outputs meanwhile.
    pub unsafe fn run(&self, split: &Split, task: usize) {
        let (g, c) = (&self.geometry, self.kernel.channels);
        let all = g.n * g.output.0.div_ceil(OUT) * g.output.1.div_ceil(OUT);
        let first = task / split.groups * split.tiles;
        let tiles = first..(first + split.tiles).min(all);
        let from = task % split.groups * split.panels;
        let panels = from..(from + split.panels).min(self.kernel.outputs.div_ceil(PANEL));
        let v_points = Points::new(tiles.len(), c + LANES);
        let m_points = Points::new(tiles.len(), panels.len() * PANEL);
        scratch::with(v_points.len() + m_points.len(), |buffer: &mut [f32]| {
            let (v, m) = buffer.split_at_mut(v_points.len());
            // SAFETY: the caller's promise about `x`; the buffers have the points' lengths.
            unsafe { transform::input(g, self.x, tiles.clone(), v, v_points) };
            self.multiply(tiles.len(), panels.clone(), (v, v_points), (m, m_points));
            // SAFETY: the caller's promise about `y` and the epilogue; the buffers have the points' lengths.
            unsafe { transform::output(self, tiles, panels.start * PANEL, m, m_points) };
        });
    }

    /// `m[point] = v[point] · kernel[point]` for every point.
    fn multiply(
        &self,
        tiles: usize,
        panels: Range<usize>,
        (v, v_points): (&[f32], Points),
        (m, m_points): (&mut [f32], Points),
    ) {
        for point in 0..POINTS {
            for panel in panels.clone() {
                let column = (panel - panels.start) * PANEL;
                let tile = Tile {
                    rows: tiles,
                    depth: self.kernel.channels,
                    a: v[point * v_points.distance..].as_ptr(),
                    a_row: v_points.row,
                    a_step: 1,
                    b: self.kernel.panel(point, panel),
                    b_step: STRIP,
                    b_strip: self.kernel.channels * STRIP,
                    next: match panels.end - panel {
                        1 if point + 1 == POINTS => std::ptr::null(),
                        1 => self.kernel.panel(point + 1, panels.start),
                        _ => self.kernel.panel(point, panel + 1),
                    },
                    c: m[point * m_points.distance + column..].as_mut_ptr(),
                    c_row: m_points.row,
                    columns: PANEL.min(self.kernel.outputs - panel * PANEL),
                    accumulate: false,
                    epilogue: Epilogue::NONE,
                };
                // SAFETY: `v` and `m` hold `tiles` rows a point, the kernel its panels.
                unsafe { f32::multiply(&tile) };
            }
        }
    }

    /// Computes the convolution on the pool.
    ///
    /// # Safety
    /// As for [`Problem::run`].
    pub unsafe fn compute(&self) {
        let split = Split::new(&self.geometry, threads());
        on_pool(|| {
            (0..split.tasks).into_par_iter().for_each(|task| {
                // SAFETY: tasks write disjoint tiles; the rest is the caller's promise.
                unsafe { self.run(&split, task) };
            });
        });
    }
}

/// Image, first output row and first output column of a tile.
fn place(g: &Geometry, tile: usize) -> (usize, usize, usize) {
    let (down, across) = (g.output.0.div_ceil(OUT), g.output.1.div_ceil(OUT));
    (tile / (down * across), tile / across % down * OUT, tile % across * OUT)
}
