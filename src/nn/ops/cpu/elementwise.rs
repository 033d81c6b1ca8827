//! Sums, `ReLU`, sigmoid and the fully connected layer.

use rayon::prelude::*;

use super::{Element, on_pool};

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 15;

/// `target += other`.
pub fn add_assign<T: Element>(target: &mut [T], other: &[T]) {
    on_pool(|| {
        target
            .par_chunks_mut(CHUNK)
            .zip(other.par_chunks(CHUNK))
            .for_each(|(target, other)| {
                target.iter_mut().zip(other).for_each(|(t, o)| *t += *o);
            });
    });
}

/// `x + scale * branch`, then `ReLU` if asked for.
pub fn residual<T: Element>(x: &[T], branch: &[T], scale: T, relu: bool) -> Vec<T> {
    let mut sum = vec![T::zero(); x.len()];
    on_pool(|| {
        sum.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .zip(branch.par_chunks(CHUNK))
            .for_each(|((sum, x), branch)| {
                for ((s, x), b) in sum.iter_mut().zip(x).zip(branch) {
                    let v = *x + scale * *b;
                    *s = if relu && v <= T::zero() { T::zero() } else { v };
                }
            });
    });
    sum
}

/// `scale * x`.
pub fn scaled<T: Element>(x: &[T], scale: T) -> Vec<T> {
    let mut y = vec![T::zero(); x.len()];
    on_pool(|| {
        y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| {
            y.iter_mut().zip(x).for_each(|(y, x)| *y = scale * *x);
        });
    });
    y
}

/// Pixels that a thread takes at a time, so that it moves about [`CHUNK`] elements.
fn pixels_a_chunk(channels: usize) -> usize {
    (CHUNK / channels.max(1)).max(1)
}

/// Buffers of `[pixels, c_i]`, each with its `c_i`, side by side: `[pixels, sum c_i]`.
pub fn concat<T: Element>(parts: &[(&[T], usize)]) -> Vec<T> {
    let channels: usize = parts.iter().map(|(_, c)| c).sum();
    let mut y = vec![T::zero(); parts.iter().map(|(x, _)| x.len()).sum()];
    let pixels = pixels_a_chunk(channels);
    on_pool(|| {
        y.par_chunks_mut((pixels * channels).max(1))
            .enumerate()
            .for_each(|(i, y)| {
                for (p, mut pixel) in y.chunks_exact_mut(channels).enumerate() {
                    for &(x, c) in parts {
                        let (here, rest) = pixel.split_at_mut(c);
                        here.copy_from_slice(&x[(i * pixels + p) * c..][..c]);
                        pixel = rest;
                    }
                }
            });
    });
    y
}

/// The channels `first..first + taken` of `[pixels, channels]`: `[pixels, taken]`.
pub fn slice_channels<T: Element>(x: &[T], channels: usize, first: usize, taken: usize) -> Vec<T> {
    let mut y = vec![T::zero(); x.len() / channels.max(1) * taken];
    let pixels = pixels_a_chunk(channels);
    on_pool(|| {
        y.par_chunks_mut((pixels * taken).max(1))
            .zip(x.par_chunks((pixels * channels).max(1)))
            .for_each(|(y, x)| {
                for (y, x) in y.chunks_exact_mut(taken).zip(x.chunks_exact(channels)) {
                    y.copy_from_slice(&x[first..first + taken]);
                }
            });
    });
    y
}

/// `dy` where the output `y` of a `ReLU` is above 0, else 0.
pub fn relu_backward<T: Element>(y: &[T], dy: &[T]) -> Vec<T> {
    let mut dx = vec![T::zero(); y.len()];
    on_pool(|| {
        dx.par_chunks_mut(CHUNK)
            .zip(y.par_chunks(CHUNK))
            .zip(dy.par_chunks(CHUNK))
            .for_each(|((dx, y), dy)| {
                for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                    *dx = if *y > T::zero() { *dy } else { T::zero() };
                }
            });
    });
    dx
}

/// Fully connected layer: `x` `[n, c]`, `w` `[o, c]`, `bias` `[o]` to `[n, o]`.
pub fn linear<T: Element>(x: &[T], w: &[T], bias: &[T], c: usize) -> Vec<T> {
    x.chunks_exact(c)
        .flat_map(|row| {
            w.chunks_exact(c)
                .zip(bias)
                .map(|(w, b)| row.iter().zip(w).fold(*b, |sum, (x, w)| sum + *x * *w))
        })
        .collect()
}

/// Gradients `(dx, dw, dbias)` of [`linear`] for `dy` `[n, o]`.
pub fn linear_backward<T: Element>(x: &[T], w: &[T], dy: &[T], c: usize) -> (Vec<T>, Vec<T>, Vec<T>) {
    let o = w.len() / c;
    let (mut dx, mut dw, mut d_bias) = (vec![T::zero(); x.len()], vec![T::zero(); w.len()], vec![T::zero(); o]);
    for ((x, dx), dy) in x.chunks_exact(c).zip(dx.chunks_exact_mut(c)).zip(dy.chunks_exact(o)) {
        for (j, d) in dy.iter().enumerate() {
            d_bias[j] += *d;
            dw[j * c..(j + 1) * c]
                .iter_mut()
                .zip(x)
                .for_each(|(dw, x)| *dw += *d * *x);
            dx.iter_mut()
                .zip(&w[j * c..(j + 1) * c])
                .for_each(|(dx, w)| *dx += *d * *w);
        }
    }
    (dx, dw, d_bias)
}
