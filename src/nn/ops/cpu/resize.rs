//! Nearest x2 upsampling (Keras `UpSampling2D`) and bilinear resizing with half-pixel centres.

use rayon::prelude::*;

use super::{Element, on_pool};

/// Doubles rows and columns: `[n, h, w, c]` to `[n, 2h, 2w, c]`.
pub fn nearest_x2<T: Element>(x: &[T], w: usize, c: usize) -> Vec<T> {
    let mut y = vec![T::zero(); x.len() * 4];
    on_pool(|| {
        y.par_chunks_mut(4 * w * c).zip(x.par_chunks(w * c)).for_each(|(y, x)| {
            let (upper, lower) = y.split_at_mut(2 * w * c);
            for (pair, pixel) in upper.chunks_exact_mut(2 * c).zip(x.chunks_exact(c)) {
                pair[..c].copy_from_slice(pixel);
                pair[c..].copy_from_slice(pixel);
            }
            lower.copy_from_slice(upper);
        });
    });
    y
}

/// Gradient of [`nearest_x2`]: each input pixel gets the sum of its four copies.
pub fn nearest_x2_backward<T: Element>(dy: &[T], w: usize, c: usize) -> Vec<T> {
    let mut dx = vec![T::zero(); dy.len() / 4];
    on_pool(|| {
        dx.par_chunks_mut(w * c)
            .zip(dy.par_chunks(4 * w * c))
            .for_each(|(dx, dy)| {
                for line in dy.chunks_exact(2 * w * c) {
                    for (dx, pair) in dx.chunks_exact_mut(c).zip(line.chunks_exact(2 * c)) {
                        for ((dx, a), b) in dx.iter_mut().zip(&pair[..c]).zip(&pair[c..]) {
                            *dx += *a + *b;
                        }
                    }
                }
            });
    });
    dx
}

/// The two source positions of each target position along one axis, and the weight of the second.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, f64)> {
    (0..to)
        .map(|i| {
            let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
            let first = (at as usize).min(from - 1);
            (first, (first + 1).min(from - 1), at - first as f64)
        })
        .collect()
}

/// Calls `visit(target pixel, source pixel, weight)` for the four sources of every target pixel of one image.
fn for_each_tap<T: Element>(from: (usize, usize), to: (usize, usize), mut visit: impl FnMut(usize, usize, T)) {
    let (rows, columns) = (taps(from.0, to.0), taps(from.1, to.1));
    for (y, &(y0, y1, fy)) in rows.iter().enumerate() {
        for (x, &(x0, x1, fx)) in columns.iter().enumerate() {
            for (sy, wy) in [(y0, 1.0 - fy), (y1, fy)] {
                for (sx, wx) in [(x0, 1.0 - fx), (x1, fx)] {
                    visit(y * to.1 + x, sy * from.1 + sx, T::from_f64(wy * wx));
                }
            }
        }
    }
}

/// Bilinear resize, half-pixel centres, edges clamped, no anti-aliasing: `[n, h, w, c]` to `[n, oh, ow, c]`.
pub fn bilinear<T: Element>(x: &[T], from: (usize, usize), to: (usize, usize), c: usize) -> Vec<T> {
    let n = x.len() / (from.0 * from.1 * c);
    let mut y = vec![T::zero(); n * to.0 * to.1 * c];
    for (y, x) in y
        .chunks_exact_mut(to.0 * to.1 * c)
        .zip(x.chunks_exact(from.0 * from.1 * c))
    {
        for_each_tap(from, to, |target, source, weight: T| {
            let x = &x[source * c..][..c];
            y[target * c..][..c]
                .iter_mut()
                .zip(x)
                .for_each(|(y, x)| *y += weight * *x);
        });
    }
    y
}

/// Gradient of [`bilinear`] with respect to its input.
pub fn bilinear_backward<T: Element>(dy: &[T], from: (usize, usize), to: (usize, usize), c: usize) -> Vec<T> {
    let n = dy.len() / (to.0 * to.1 * c);
    let mut dx = vec![T::zero(); n * from.0 * from.1 * c];
    for (dx, dy) in dx
        .chunks_exact_mut(from.0 * from.1 * c)
        .zip(dy.chunks_exact(to.0 * to.1 * c))
    {
        for_each_tap(from, to, |target, source, weight: T| {
            let dy = &dy[target * c..][..c];
            dx[source * c..][..c]
                .iter_mut()
                .zip(dy)
                .for_each(|(dx, d)| *dx += weight * *d);
        });
    }
    dx
}
