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

/// Brings samples of `x.image` columns to the network input, each as the grey that `grey` makes of it; what lies
/// outside the picture is 0.
pub(super) fn to_input<T: Copy + Sync>(samples: &[T], grey: impl Fn(T) -> f32 + Sync, x: Axis, y: Axis) -> Vec<f32> {
    let columns = windows(x);
    let rows = windows(y);
    let mut narrow = vec![0.0_f32; y.image * x.input];
    let lines = samples
        .par_chunks_exact(x.image)
        .zip(narrow.par_chunks_exact_mut(x.input));
    lines.for_each_init(Vec::new, |greys: &mut Vec<f32>, (source, target)| {
        greys.clear();
        greys.extend(source.iter().map(|&sample| grey(sample)));
        for (value, window) in target.iter_mut().zip(&columns) {
            let taps = &greys[window.first..][..window.weights.len()];
            *value = taps.iter().zip(&window.weights).map(|(s, w)| s * w).sum();
        }
    });
    let mut out = vec![0.0_f32; x.input * y.input];
    for (target, window) in out.chunks_exact_mut(x.input).zip(&rows) {
        for (i, weight) in window.weights.iter().enumerate() {
            let source = &narrow[(window.first + i) * x.input..][..x.input];
            for (value, s) in target.iter_mut().zip(source) {
                *value += s * weight;
            }
        }
    }
    out
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
