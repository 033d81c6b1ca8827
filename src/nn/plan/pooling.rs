//! The operations of a plan that are no products, each over a line or some pixels of views.

use std::ops::Range;

use multiversion::multiversion;

use super::step::View;
use crate::nn::ops::Window;
use crate::nn::ops::cpu::Element;

/// Max or average pooling.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pooling {
    /// Padding never wins.
    Max(Window),
    /// Padding counts as zeros if the second value says so.
    Average(Window, bool),
}

/// The part of a window that lies in the picture, along one axis.
fn clip(output: usize, stride: usize, kernel: usize, padding: usize, size: usize) -> Range<usize> {
    let start = (output * stride) as isize - padding as isize;
    start.max(0) as usize..(start + kernel as isize).clamp(0, size as isize) as usize
}

impl Pooling {
    /// Pools one output line (counted over the batch) into `target`.
    pub(super) fn line(self, values: &[f32], x: &View, y: &View, line: usize, target: &mut [f32]) {
        let window = match self {
            Self::Max(window) | Self::Average(window, _) => window,
        };
        let [_, h, w, c] = x.shape;
        let (image, oy) = (line / y.shape[1] * h * w, line % y.shape[1]);
        let rows = clip(oy, window.stride.0, window.kernel.0, window.padding.0, h);
        for (ox, target) in target.chunks_mut(y.pixel).enumerate() {
            let columns = clip(ox, window.stride.1, window.kernel.1, window.padding.1, w);
            let pixels = rows
                .clone()
                .flat_map(|r| columns.clone().map(move |q| image + r * w + q));
            let pixels = pixels.map(|p| &values[p * x.pixel..][..c]);
            match self {
                Self::Max(_) => highest(pixels, &mut target[..c]),
                Self::Average(_, include_padding) => {
                    let inside = rows.len() * columns.len();
                    let count = if include_padding {
                        window.kernel.0 * window.kernel.1
                    } else {
                        inside
                    };
                    mean(pixels, count, &mut target[..c]);
                }
            }
        }
    }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn highest<'a>(pixels: impl Iterator<Item = &'a [f32]>, target: &mut [f32]) {
    target.fill(f32::NEG_INFINITY);
    for pixel in pixels {
        for (t, x) in target.iter_mut().zip(pixel) {
            *t = if x.wins_over(*t) { *x } else { *t };
        }
    }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn mean<'a>(pixels: impl Iterator<Item = &'a [f32]>, count: usize, target: &mut [f32]) {
    target.fill(0.0);
    for pixel in pixels {
        for (t, x) in target.iter_mut().zip(pixel) {
            *t += *x;
        }
    }
    let share = 1.0 / count as f32;
    for t in target.iter_mut() {
        *t *= share;
    }
}

/// Mean over the pixels of one image, summed in f64.
pub(super) fn global_average(values: &[f32], x: &View, image: usize, target: &mut [f32]) {
    let [_, h, w, c] = x.shape;
    let mut sums = vec![0.0; c];
    for pixel in 0..h * w {
        let pixel = &values[(image * h * w + pixel) * x.pixel..][..c];
        sums.iter_mut().zip(pixel).for_each(|(s, x)| *s += f64::from(*x));
    }
    for (t, s) in target.iter_mut().zip(sums) {
        *t = (s / (h * w) as f64) as f32;
    }
}

/// One line of images `[n, c, h, w]` to pixels.
pub(super) fn interleave(images: &[f32], y: &View, line: usize, target: &mut [f32]) {
    let [_, h, w, c] = y.shape;
    let (image, row) = (line / h, line % h);
    for channel in 0..c {
        let source = &images[((image * c + channel) * h + row) * w..][..w];
        for (t, x) in target[channel..].iter_mut().step_by(y.pixel).zip(source) {
            *t = *x;
        }
    }
}

/// One line of the small map to two lines of the large one.
pub(super) fn upsample(values: &[f32], x: &View, line: usize, target: &mut [f32], distance: usize) {
    let [_, _, w, c] = x.shape;
    for (i, target) in target.chunks_mut(distance).enumerate() {
        let pixel = line * w + i % (2 * w) / 2;
        target[..c].copy_from_slice(&values[pixel * x.pixel..][..c]);
    }
}

/// `x + scale * branch` of some pixels, then perhaps `ReLU`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
pub(super) fn residual(
    (x, branch): (&[f32], &[f32]),
    (x_view, branch_view): (&View, &View),
    (scale, relu): (f32, bool),
    pixels: Range<usize>,
    (target, distance): (&mut [f32], usize),
) {
    let c = x_view.shape[3];
    for (pixel, target) in pixels.zip(target.chunks_mut(distance)) {
        let (x, branch) = (
            &x[pixel * x_view.pixel..][..c],
            &branch[pixel * branch_view.pixel..][..c],
        );
        for ((t, x), b) in target.iter_mut().zip(x).zip(branch) {
            let v = *x + scale * *b;
            *t = if relu && v <= 0.0 { 0.0 } else { v };
        }
    }
}

/// `x` `[n, c]`, `weight` `[o, c]`, `bias` `[o]` to `[n, o]`.
pub(super) fn linear(x: &[f32], weight: &[f32], bias: &[f32], target: &mut [f32]) {
    let c = weight.len() / bias.len();
    for (row, target) in x.chunks_exact(c).zip(target.chunks_exact_mut(bias.len())) {
        for ((t, w), b) in target.iter_mut().zip(weight.chunks_exact(c)).zip(bias) {
            *t = *b + row.iter().zip(w).map(|(x, w)| x * w).sum::<f32>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_is_nan_wherever_it_stands() {
        let pixels = [[f32::NAN, -3.0, 1.0], [2.0, f32::NAN, 4.0], [5.0, -1.0, 3.0]];
        let mut target = [0.0; 3];
        highest(pixels.iter().map(<[f32; 3]>::as_slice), &mut target);
        assert!(target[0].is_nan() && target[1].is_nan(), "{target:?}");
        assert_eq!(target[2], 4.0);
    }
}
