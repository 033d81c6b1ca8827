//! Resampling of grey planes: the anti-aliased triangle filter of PIL and torchvision for pictures, plain bilinear
//! for coarse maps. Knows no networks.

use rayon::prelude::*;

use super::placement::Axis;

/// Weights of the source pixels `first..` that make one output pixel; empty outside the picture.
struct Window {
    first: usize,
    weights: Vec<f32>,
}

/// Windows of every output pixel of an axis: a triangle two source steps wide, widened by the reduction so that
/// no source pixel is skipped (PIL's `BILINEAR`), normalised at the borders.
fn windows(axis: Axis) -> Vec<Window> {
    let scale = axis.span as f64 / axis.content as f64;
    let support = scale.max(1.0);
    let (begin, last) = (axis.first as f64, axis.first + axis.span);
    (0..axis.input)
        .map(|out| {
            if !axis.filled().contains(&out) {
                return Window {
                    first: 0,
                    weights: Vec::new(),
                };
            }
            let center = ((out as isize - axis.offset) as f64 + 0.5) * scale + begin;
            let first = (center - support + 0.5).max(begin) as usize;
            let end = ((center + support + 0.5) as usize).clamp(first + 1, last);
            let raw: Vec<f64> = (first..end)
                .map(|i| (1.0 - ((i as f64 - center + 0.5) / support).abs()).max(0.0))
                .collect();
            let sum: f64 = raw.iter().sum();
            Window {
                first,
                weights: raw.iter().map(|w| (w / sum) as f32).collect(),
            }
        })
        .collect()
}

/// Rows of the network input that are made together: neighbours share most of the picture's rows that they read.
const ROWS: usize = 16;

/// Brings samples of `x.image` columns to the network input, each as the grey that `grey` makes of it; what lies
/// outside the picture is 0.
///
/// Rows are reduced before columns: whole rows are added up at the speed of memory, and few are left to be narrowed.
pub(super) fn to_input<T: Copy + Sync>(samples: &[T], grey: impl Fn(T) -> f32 + Sync, x: Axis, y: Axis) -> Vec<f32> {
    let columns = windows(x);
    let rows = windows(y);
    let mut out = vec![0.0_f32; x.input * y.input];
    let blocks = out.par_chunks_mut(ROWS * x.input).zip(rows.par_chunks(ROWS));
    blocks.for_each_init(Block::default, |block, (target, rows)| {
        block.reduce(samples, &grey, x.image, rows);
        for (target, wide) in target.chunks_exact_mut(x.input).zip(block.sums.chunks_exact(x.image)) {
            narrow(wide, &columns, target);
        }
    });
    out
}

/// Buffers for some rows of the network input.
#[derive(Default)]
struct Block {
    /// One row of the picture, as greys.
    greys: Vec<f32>,
    /// Rows of the input, as wide as the picture.
    sums: Vec<f32>,
}

impl Block {
    /// Adds the picture's rows up to rows of the input. Each is turned into greys once.
    fn reduce<T: Copy>(&mut self, samples: &[T], grey: &impl Fn(T) -> f32, width: usize, rows: &[Window]) {
        let Self { greys, sums } = self;
        sums.clear();
        sums.resize(rows.len() * width, 0.0);
        let used = || rows.iter().filter(|row| !row.weights.is_empty());
        let first = used().map(|row| row.first).min().unwrap_or(0);
        let end = used().map(|row| row.first + row.weights.len()).max().unwrap_or(0);
        for (line, source) in (first..end).zip(samples.chunks_exact(width).skip(first)) {
            greys.clear();
            greys.extend(source.iter().map(|&sample| grey(sample)));
            for (sum, row) in sums.chunks_exact_mut(width).zip(rows) {
                let weight = line.checked_sub(row.first).and_then(|i| row.weights.get(i));
                if let Some(weight) = weight {
                    sum.iter_mut()
                        .zip(&*greys)
                        .for_each(|(sum, grey)| *sum += grey * weight);
                }
            }
        }
    }
}

/// Reduces the columns of one row.
fn narrow(wide: &[f32], columns: &[Window], target: &mut [f32]) {
    for (value, window) in target.iter_mut().zip(columns) {
        let taps = &wide[window.first..][..window.weights.len()];
        *value = taps.iter().zip(&window.weights).map(|(s, w)| s * w).sum();
    }
}

/// Bilinear resize between pixel centres (`align_corners = false`, no anti-aliasing) of a coarse row-major map.
///
/// # Panics
/// If the map does not hold `from.0 * from.1` values, or a side is 0.
pub fn bilinear(map: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    assert_eq!(map.len(), from.0 * from.1, "columns times rows of the map");
    let taps = |source: usize, target: usize| -> Vec<(usize, usize, f32)> {
        (0..target)
            .map(|i| {
                let u = ((i as f64 + 0.5) * source as f64 / target as f64 - 0.5).clamp(0.0, source as f64 - 1.0);
                (u as usize, (u as usize + 1).min(source - 1), u.fract() as f32)
            })
            .collect()
    };
    let columns = taps(from.0, to.0);
    let mut out = Vec::with_capacity(to.0 * to.1);
    for (top, bottom, fy) in taps(from.1, to.1) {
        let (top, bottom) = (&map[top * from.0..][..from.0], &map[bottom * from.0..][..from.0]);
        out.extend(columns.iter().map(|&(left, right, fx)| {
            let upper = top[left] + (top[right] - top[left]) * fx;
            let lower = bottom[left] + (bottom[right] - bottom[left]) * fx;
            upper + (lower - upper) * fy
        }));
    }
    out
}
