//! Batch normalisation, optionally with `ReLU`, over channels that may lie in several buffers: what a dense layer
//! reads is a list of feature maps that never has to be copied together.

use rayon::prelude::*;

use super::{Element, on_pool};

/// Rows a thread takes at a time.
const CHUNK_ROWS: usize = 512;

/// One buffer of `[rows, channels]`.
pub type Part<'a, T> = (&'a [T], usize);

/// Mean and biased variance of each channel over all rows, summed in f64.
pub fn statistics<T: Element>(x: &[T], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = (x.len() / channels) as f64;
    let sum = |term: &(dyn Fn(usize, T) -> f64 + Sync)| -> Vec<f64> {
        on_pool(|| {
            x.par_chunks(CHUNK_ROWS * channels)
                .map(|chunk| {
                    let mut sums = vec![0.0; channels];
                    for row in chunk.chunks_exact(channels) {
                        for (c, (sum, x)) in sums.iter_mut().zip(row).enumerate() {
                            *sum += term(c, *x);
                        }
                    }
                    sums
                })
                .collect::<Vec<_>>()
        })
        .into_iter()
        .reduce(|mut a, b| {
            a.iter_mut().zip(&b).for_each(|(a, b)| *a += *b);
            a
        })
        .unwrap_or_else(|| vec![0.0; channels])
    };
    let mut mean = sum(&|_, x| x.to_f64());
    for m in &mut mean {
        *m /= rows;
    }
    let mut variance = sum(&|c, x| {
        let d = x.to_f64() - mean[c];
        d * d
    });
    for v in &mut variance {
        *v /= rows;
    }
    (mean, variance)
}

/// `scale * x + shift` per channel, then `ReLU` if asked for; `[rows, all channels]`.
pub fn affine<T: Element>(parts: &[Part<'_, T>], scale: &[T], shift: &[T], relu: bool) -> Vec<T> {
    let channels = scale.len();
    let rows = parts[0].0.len() / parts[0].1;
    let mut y = vec![T::zero(); rows * channels];
    on_pool(|| {
        y.par_chunks_mut(CHUNK_ROWS * channels)
            .enumerate()
            .for_each(|(i, chunk)| {
                for (r, row) in chunk.chunks_exact_mut(channels).enumerate() {
                    let mut first = 0;
                    for &(x, c) in parts {
                        let x = &x[(i * CHUNK_ROWS + r) * c..][..c];
                        let (scale, shift) = (&scale[first..first + c], &shift[first..first + c]);
                        for (((y, x), a), b) in row[first..first + c].iter_mut().zip(x).zip(scale).zip(shift) {
                            let v = *a * *x + *b;
                            *y = if relu && v <= T::zero() { T::zero() } else { v };
                        }
                        first += c;
                    }
                }
            });
    });
    y
}

/// Sums over rows of `dz` and of `dz * (x - mean)` per channel, where `dz` is `dy` behind the `ReLU`.
pub fn backward_sums<T: Element>(
    parts: &[Part<'_, T>],
    mean: &[f64],
    y: Option<&[T]>,
    dy: &[T],
) -> (Vec<f64>, Vec<f64>) {
    let channels = mean.len();
    let mean: Vec<T> = mean.iter().map(|m| T::from_f64(*m)).collect();
    on_pool(|| {
        dy.par_chunks(CHUNK_ROWS * channels)
            .enumerate()
            .map(|(i, chunk)| {
                let mut sums = (vec![T::zero(); channels], vec![T::zero(); channels]);
                for (r, dy) in chunk.chunks_exact(channels).enumerate() {
                    let row = i * CHUNK_ROWS + r;
                    let y = y.map(|y| &y[row * channels..][..channels]);
                    add_row(parts, &mean, row, (y, dy), &mut sums);
                }
                sums
            })
            .map(|(a, b)| (widen(&a), widen(&b)))
            .collect::<Vec<_>>()
    })
    .into_iter()
    .reduce(|mut a, b| {
        a.0.iter_mut().zip(&b.0).for_each(|(a, b)| *a += *b);
        a.1.iter_mut().zip(&b.1).for_each(|(a, b)| *a += *b);
        a
    })
    .unwrap_or_else(|| (vec![0.0; channels], vec![0.0; channels]))
}

fn widen<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

/// Adds one row to the sums of a chunk.
fn add_row<T: Element>(
    parts: &[Part<'_, T>],
    mean: &[T],
    row: usize,
    (y, dy): (Option<&[T]>, &[T]),
    (d_sum, dx_sum): &mut (Vec<T>, Vec<T>),
) {
    let mut first = 0;
    for &(x, c) in parts {
        let x = &x[row * c..][..c];
        let range = first..first + c;
        let (mean, dy) = (&mean[range.clone()], &dy[range.clone()]);
        let sums = d_sum[range.clone()].iter_mut().zip(dx_sum[range.clone()].iter_mut());
        match y.map(|y| &y[range]) {
            Some(y) => {
                for (((((s, t), d), y), x), m) in sums.zip(dy).zip(y).zip(x).zip(mean) {
                    let d = if *y > T::zero() { *d } else { T::zero() };
                    *s += d;
                    *t += d * (*x - *m);
                }
            }
            None => {
                for ((((s, t), d), x), m) in sums.zip(dy).zip(x).zip(mean) {
                    *s += *d;
                    *t += *d * (*x - *m);
                }
            }
        }
        first += c;
    }
}

/// `dx = a * dz + b * x + k` per channel, for each part on its own.
pub fn backward_input<T: Element>(
    parts: &[Part<'_, T>],
    (a, b, k): (&[T], &[T], &[T]),
    y: Option<&[T]>,
    dy: &[T],
) -> Vec<Vec<T>> {
    let channels = a.len();
    let mut first = 0;
    parts
        .iter()
        .map(|&(x, c)| {
            let range = first..first + c;
            first += c;
            let (a, b, k) = (&a[range.clone()], &b[range.clone()], &k[range.clone()]);
            let mut dx = vec![T::zero(); x.len()];
            on_pool(|| {
                dx.par_chunks_mut(CHUNK_ROWS * c)
                    .zip(x.par_chunks(CHUNK_ROWS * c))
                    .enumerate()
                    .for_each(|(i, (dx, x))| {
                        for (r, (dx, x)) in dx.chunks_exact_mut(c).zip(x.chunks_exact(c)).enumerate() {
                            let start = (i * CHUNK_ROWS + r) * channels + range.start;
                            let dy = &dy[start..start + c];
                            let y = y.map(|y| &y[start..start + c]);
                            input_row((a, b, k), x, (y, dy), dx);
                        }
                    });
            });
            dx
        })
        .collect()
}

fn input_row<T: Element>((a, b, k): (&[T], &[T], &[T]), x: &[T], (y, dy): (Option<&[T]>, &[T]), dx: &mut [T]) {
    let terms = dx.iter_mut().zip(x).zip(dy).zip(a).zip(b).zip(k);
    match y {
        Some(y) => {
            for ((((((dx, x), d), a), b), k), y) in terms.zip(y) {
                let d = if *y > T::zero() { *d } else { T::zero() };
                *dx = *a * d + *b * *x + *k;
            }
        }
        None => {
            for (((((dx, x), d), a), b), k) in terms {
                *dx = *a * *d + *b * *x + *k;
            }
        }
    }
}
