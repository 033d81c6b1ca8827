//! Sums, `ReLU`, concatenation and the fully connected layer.

use multiversion::multiversion;
use rayon::prelude::*;

use super::conv::{Input, copy_pixel};
use super::norm::{chunk_rows, write_rows};
use super::{Element, on_pool, scratch};

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 15;

/// Calls `f` with chunks of `y` and `x` on the pool.
fn on_chunks<T: Element>(y: &mut [T], x: &[T], f: impl Fn(&mut [T], &[T]) + Sync) {
    // A thread of the pool would only wait for another.
    if y.len() <= CHUNK {
        return f(y, x);
    }
    on_pool(|| {
        y.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .for_each(|(y, x)| f(y, x));
    });
}

/// `target += other`.
pub fn add_assign<T: Element>(target: &mut [T], other: &[T]) {
    on_chunks(target, other, |t, o| add_chunk(t, o));
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn add_chunk<T: Element>(target: &mut [T], other: &[T]) {
    target.iter_mut().zip(other).for_each(|(t, o)| *t += *o);
}

/// `x + scale * branch`, then `ReLU` if asked for; `[rows, channels]`, normalised on the way if asked for.
pub fn residual<T: Element>([x, branch]: [&Input<'_, T>; 2], scale: T, relu: bool, y: &mut [T]) {
    let channels = x.parts.iter().map(|part| part.channels).sum::<usize>();
    let rows = chunk_rows(channels);
    on_pool(|| {
        y.par_chunks_mut(rows * channels).enumerate().for_each(|(i, y)| {
            write_rows(x, i * rows, channels, y);
            scratch::with(channels, |row| add_branch(branch, (scale, relu), i * rows, y, row));
        });
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn add_branch<T: Element>(branch: &Input<'_, T>, (scale, relu): (T, bool), first: usize, y: &mut [T], row: &mut [T]) {
    for (pixel, y) in (first..).zip(y.chunks_exact_mut(row.len())) {
        copy_pixel(branch, pixel, 0, row);
        for (y, b) in y.iter_mut().zip(row.iter()) {
            let v = *y + scale * *b;
            *y = if relu && v <= T::zero() { T::zero() } else { v };
        }
    }
}

/// `scale * x`.
pub fn scaled<T: Element>(x: &[T], scale: T, y: &mut [T]) {
    on_chunks(y, x, |y, x| y.iter_mut().zip(x).for_each(|(y, x)| *y = scale * *x));
}

/// Inputs of `[pixels, c_i]` side by side: `[pixels, channels]`.
pub fn concat<T: Element>(inputs: &[Input<'_, T>], channels: usize, y: &mut [T]) {
    let rows = chunk_rows(channels);
    on_pool(|| {
        y.par_chunks_mut((rows * channels).max(1))
            .enumerate()
            .for_each(|(i, y)| concat_rows(inputs, channels, i * rows, y));
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn concat_rows<T: Element>(inputs: &[Input<'_, T>], channels: usize, first: usize, y: &mut [T]) {
    let mut channel = 0;
    for input in inputs {
        let width = input.parts.iter().map(|part| part.channels).sum::<usize>();
        for (pixel, y) in (first..).zip(y.chunks_exact_mut(channels)) {
            copy_pixel(input, pixel, 0, &mut y[channel..channel + width]);
        }
        channel += width;
    }
}

/// The channels `first..first + taken` of `[pixels, channels]`: `[pixels, taken]`.
pub fn slice_channels<T: Element>(x: &[T], channels: usize, first: usize, taken: usize, y: &mut [T]) {
    let rows = chunk_rows(channels);
    on_pool(|| {
        y.par_chunks_mut((rows * taken).max(1))
            .zip(x.par_chunks((rows * channels).max(1)))
            .for_each(|(y, x)| {
                for (y, x) in y.chunks_exact_mut(taken).zip(x.chunks_exact(channels)) {
                    y.copy_from_slice(&x[first..first + taken]);
                }
            });
    });
}

/// `dy` where the output `y` of a `ReLU` is above 0, else 0.
pub fn relu_backward<T: Element>(y: &[T], dy: &[T], dx: &mut [T]) {
    on_pool(|| {
        dx.par_chunks_mut(CHUNK)
            .zip(y.par_chunks(CHUNK))
            .zip(dy.par_chunks(CHUNK))
            .for_each(|((dx, y), dy)| relu_chunk(y, dy, dx));
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn relu_chunk<T: Element>(y: &[T], dy: &[T], dx: &mut [T]) {
    for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
        *dx = if *y > T::zero() { *dy } else { T::zero() };
    }
}

/// [`relu_backward`] over the output's gradient.
pub fn relu_backward_in_place<T: Element>(y: &[T], d: &mut [T]) {
    on_chunks(d, y, |d, y| relu_chunk_in_place(d, y));
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn relu_chunk_in_place<T: Element>(d: &mut [T], y: &[T]) {
    for (d, y) in d.iter_mut().zip(y) {
        *d = if *y > T::zero() { *d } else { T::zero() };
    }
}

/// Sum over all rows of `[rows, channels]` per channel.
pub fn sum_rows<T: Element>(x: &[T], channels: usize) -> Vec<T> {
    let chunks: Vec<Vec<T>> = on_pool(|| {
        x.par_chunks(chunk_rows(channels) * channels)
            .map(|chunk| sum_chunk(chunk, channels))
            .collect()
    });
    let mut sums = vec![0.0; channels];
    for chunk in chunks {
        sums.iter_mut().zip(&chunk).for_each(|(s, x)| *s += x.to_f64());
    }
    sums.into_iter().map(T::from_f64).collect()
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn sum_chunk<T: Element>(chunk: &[T], channels: usize) -> Vec<T> {
    let mut sums = vec![T::zero(); channels];
    for row in chunk.chunks_exact(channels) {
        sums.iter_mut().zip(row).for_each(|(s, x)| *s += *x);
    }
    sums
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
