//! Batch normalisation, optionally with `ReLU`, over channels that may lie in several buffers: what a dense layer
//! reads is a list of feature maps that never has to be copied together.

use multiversion::multiversion;
use rayon::prelude::*;

use super::conv::{Affine, Input, Part, copy_pixel};
use super::{Element, on_pool};

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 15;

/// Rows a thread takes at a time, of `channels` elements each.
pub(super) fn chunk_rows(channels: usize) -> usize {
    (CHUNK / channels.max(1)).clamp(8, 512)
}

/// Mean and biased variance of each channel over all rows. A chunk's are computed while it lies in the cache, then
/// joined in f64 (Chan et al. 1979).
pub fn moments<T: Element>(x: &[T], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let chunks: Vec<_> = on_pool(|| {
        x.par_chunks(chunk_rows(channels) * channels)
            .map(|chunk| (chunk.len() / channels, chunk_moments(chunk, channels)))
            .collect()
    });
    let (mut mean, mut spread) = (vec![0.0; channels], vec![0.0; channels]);
    let mut count = 0.0;
    for (rows, (chunk_mean, chunk_spread)) in chunks {
        let rows = rows as f64;
        let total = count + rows;
        for c in 0..channels {
            let distance = chunk_mean[c].to_f64() - mean[c];
            mean[c] += distance * rows / total;
            spread[c] += chunk_spread[c].to_f64() + distance * distance * count * rows / total;
        }
        count = total;
    }
    (mean, spread.iter().map(|s| s / count).collect())
}

/// Means of some rows, and sums of squared distances from them.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn chunk_moments<T: Element>(chunk: &[T], channels: usize) -> (Vec<T>, Vec<T>) {
    let (mut mean, mut spread) = (vec![T::zero(); channels], vec![T::zero(); channels]);
    for row in chunk.chunks_exact(channels) {
        for (m, x) in mean.iter_mut().zip(row) {
            *m += *x;
        }
    }
    let count = T::from_f64((chunk.len() / channels) as f64);
    for m in &mut mean {
        *m /= count;
    }
    for row in chunk.chunks_exact(channels) {
        for ((s, x), m) in spread.iter_mut().zip(row).zip(&mean) {
            let d = *x - *m;
            *s += d * d;
        }
    }
    (mean, spread)
}

/// Writes `[rows, channels]` of an input.
pub fn write<T: Element>(input: &Input<'_, T>, channels: usize, y: &mut [T]) {
    let rows = chunk_rows(channels);
    on_pool(|| {
        y.par_chunks_mut(rows * channels)
            .enumerate()
            .for_each(|(i, y)| write_rows(input, i * rows, channels, y));
    });
}

/// Writes rows of an input from `first` on.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
pub(super) fn write_rows<T: Element>(input: &Input<'_, T>, first: usize, channels: usize, y: &mut [T]) {
    for (row, y) in (first..).zip(y.chunks_exact_mut(channels)) {
        copy_pixel(input, row, 0, y);
    }
}

/// How a normalisation's input gradient follows from the output's: `scale * dz + slope * x + constant` per channel,
/// where `dz` is the output's gradient behind the `ReLU`.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a, T> {
    /// The normalisation.
    pub affine: Affine<'a, T>,
    /// Per channel.
    pub slope: &'a [T],
    /// Per channel.
    pub constant: &'a [T],
}

impl<T> Terms<'_, T> {
    /// Those of some channels.
    fn of(&self, channels: std::ops::Range<usize>) -> Self {
        Self {
            affine: Affine {
                scale: &self.affine.scale[channels.clone()],
                shift: &self.affine.shift[channels.clone()],
                relu: self.affine.relu,
            },
            slope: &self.slope[channels.clone()],
            constant: &self.constant[channels],
        }
    }
}

/// Sums over rows of `dz` and of `dz * (x - mean)` per channel, where `dz` is `dy` behind the `ReLU`.
pub fn backward_sums<T: Element>(
    parts: &[Part<'_, T>],
    affine: &Affine<'_, T>,
    mean: &[T],
    dy: &[T],
) -> (Vec<f64>, Vec<f64>) {
    let channels = mean.len();
    let rows = chunk_rows(channels);
    let chunks: Vec<_> = on_pool(|| {
        dy.par_chunks(rows * channels)
            .enumerate()
            .map(|(i, dy)| {
                let mut sums = (vec![T::zero(); channels], vec![T::zero(); channels]);
                chunk_sums(parts, affine, mean, i * rows, dy, &mut sums);
                sums
            })
            .collect()
    });
    let mut sums = (vec![0.0; channels], vec![0.0; channels]);
    for (d, dx) in chunks {
        sums.0.iter_mut().zip(&d).for_each(|(s, d)| *s += d.to_f64());
        sums.1.iter_mut().zip(&dx).for_each(|(s, d)| *s += d.to_f64());
    }
    sums
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn chunk_sums<T: Element>(
    parts: &[Part<'_, T>],
    affine: &Affine<'_, T>,
    mean: &[T],
    first: usize,
    dy: &[T],
    sums: &mut (Vec<T>, Vec<T>),
) {
    let channels = mean.len();
    let mut channel = 0;
    for part in parts {
        let range = channel..channel + part.channels;
        let (d_sums, dx_sums) = (&mut sums.0[range.clone()], &mut sums.1[range.clone()]);
        let (scale, shift) = (&affine.scale[range.clone()], &affine.shift[range.clone()]);
        let mean = &mean[range.clone()];
        for (row, dy) in (first..).zip(dy.chunks_exact(channels)) {
            let x = &part.values[row * part.pixel..][..part.channels];
            let terms = d_sums.iter_mut().zip(dx_sums.iter_mut());
            let terms = terms.zip(x).zip(&dy[range.clone()]).zip(mean);
            if affine.relu {
                for ((((((s, t), x), d), m), a), b) in terms.zip(scale).zip(shift) {
                    let d = if *a * *x + *b > T::zero() { *d } else { T::zero() };
                    *s += d;
                    *t += d * (*x - *m);
                }
            } else {
                for ((((s, t), x), d), m) in terms {
                    *s += *d;
                    *t += *d * (*x - *m);
                }
            }
        }
        channel = range.end;
    }
}

/// Gradient of the only part, over the output's.
pub fn backward_in_place<T: Element>(part: &Part<'_, T>, terms: &Terms<'_, T>, dy: &mut [T]) {
    let rows = chunk_rows(part.channels);
    on_pool(|| {
        dy.par_chunks_mut(rows * part.channels)
            .enumerate()
            .for_each(|(i, dy)| in_place_rows(part, terms, i * rows, dy));
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn in_place_rows<T: Element>(part: &Part<'_, T>, terms: &Terms<'_, T>, first: usize, dy: &mut [T]) {
    let Terms {
        affine,
        slope,
        constant,
    } = terms;
    for (row, dy) in (first..).zip(dy.chunks_exact_mut(part.channels)) {
        let x = &part.values[row * part.pixel..][..part.channels];
        let all = dy.iter_mut().zip(x).zip(affine.scale).zip(*slope).zip(*constant);
        if affine.relu {
            for (((((d, x), a), s), k), b) in all.zip(affine.shift) {
                let dz = if *a * *x + *b > T::zero() { *d } else { T::zero() };
                *d = *a * dz + *s * *x + *k;
            }
        } else {
            for ((((d, x), a), s), k) in all {
                *d = *a * *d + *s * *x + *k;
            }
        }
    }
}

/// A part's gradient, and whether it is added to what the buffer holds; `None` for a constant.
pub type Target<T> = Option<(Vec<T>, bool)>;
/// Some rows of a [`Target`].
type TargetRows<'a, T> = Option<(&'a mut [T], bool)>;

/// Gradients of all parts, in one pass over the output's.
pub fn backward_parts<T: Element>(parts: &[Part<'_, T>], terms: &Terms<'_, T>, dy: &[T], targets: &mut [Target<T>]) {
    let channels = terms.slope.len();
    let rows = chunk_rows(channels);
    let mut chunks: Vec<Vec<TargetRows<'_, T>>> = Vec::new();
    chunks.resize_with(dy.len().div_ceil(rows * channels), || Vec::with_capacity(parts.len()));
    for (target, part) in targets.iter_mut().zip(parts) {
        match target {
            None => chunks.iter_mut().for_each(|chunk| chunk.push(None)),
            Some((dx, add)) => chunks
                .iter_mut()
                .zip(dx.chunks_mut(rows * part.channels))
                .for_each(|(chunk, dx)| chunk.push(Some((dx, *add)))),
        }
    }
    on_pool(|| {
        dy.par_chunks(rows * channels)
            .zip(chunks)
            .enumerate()
            .for_each(|(i, (dy, mut targets))| parts_rows(parts, terms, i * rows, dy, &mut targets));
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn parts_rows<T: Element>(
    parts: &[Part<'_, T>],
    terms: &Terms<'_, T>,
    first: usize,
    dy: &[T],
    targets: &mut [TargetRows<'_, T>],
) {
    let channels = terms.slope.len();
    let mut channel = 0;
    for (part, target) in parts.iter().zip(targets) {
        let range = channel..channel + part.channels;
        channel = range.end;
        let Some((dx, add)) = target else { continue };
        let Terms {
            affine,
            slope,
            constant,
        } = terms.of(range.clone());
        let rows = dx.chunks_exact_mut(part.channels).zip(dy.chunks_exact(channels));
        for (row, (dx, dy)) in (first..).zip(rows) {
            let x = &part.values[row * part.pixel..][..part.channels];
            let all = dx.iter_mut().zip(&dy[range.clone()]).zip(x);
            let all = all.zip(affine.scale).zip(affine.shift).zip(slope).zip(constant);
            if *add {
                for ((((((dx, d), x), a), b), s), k) in all {
                    let dz = if affine.relu && *a * *x + *b <= T::zero() {
                        T::zero()
                    } else {
                        *d
                    };
                    *dx += *a * dz + *s * *x + *k;
                }
            } else {
                for ((((((dx, d), x), a), b), s), k) in all {
                    let dz = if affine.relu && *a * *x + *b <= T::zero() {
                        T::zero()
                    } else {
                        *d
                    };
                    *dx = *a * dz + *s * *x + *k;
                }
            }
        }
    }
}
