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

/// `max(a + b, 0)`.
pub fn add_relu<T: Element>(a: &[T], b: &[T]) -> Vec<T> {
    let mut sum = vec![T::zero(); a.len()];
    on_pool(|| {
        sum.par_chunks_mut(CHUNK)
            .zip(a.par_chunks(CHUNK))
            .zip(b.par_chunks(CHUNK))
            .for_each(|((s, a), b)| {
                for ((s, a), b) in s.iter_mut().zip(a).zip(b) {
                    let v = *a + *b;
                    *s = if v > T::zero() { v } else { T::zero() };
                }
            });
    });
    sum
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
