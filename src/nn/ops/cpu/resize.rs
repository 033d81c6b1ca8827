//! Nearest x2 upsampling (Keras `UpSampling2D`) and bilinear resizing with half-pixel centres.

use multiversion::multiversion;
use rayon::prelude::*;

use super::conv::{Input, copy_pixel};
use super::{Element, on_pool};

/// Doubles rows and columns: `[n, h, w, c]` to `[n, 2h, 2w, c]`.
pub fn nearest_x2<T: Element>(input: &Input<'_, T>, w: usize, c: usize, y: &mut [T]) {
    on_pool(|| {
        y.par_chunks_mut(4 * w * c)
            .enumerate()
            .for_each(|(line, y)| nearest_line(input, line * w, c, y));
    });
}

/// Two lines of [`nearest_x2`], from the input's pixel `first` on.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn nearest_line<T: Element>(input: &Input<'_, T>, first: usize, c: usize, y: &mut [T]) {
    let (upper, lower) = y.split_at_mut(y.len() / 2);
    for (pixel, pair) in (first..).zip(upper.chunks_exact_mut(2 * c)) {
        let (left, right) = pair.split_at_mut(c);
        copy_pixel(input, pixel, 0, left);
        right.copy_from_slice(left);
    }
    lower.copy_from_slice(upper);
}

/// Gradient of [`nearest_x2`]: each input pixel gets the sum of its four copies.
pub fn nearest_x2_backward<T: Element>(dy: &[T], w: usize, c: usize, dx: &mut [T]) {
    on_pool(|| {
        dx.par_chunks_mut(w * c)
            .zip(dy.par_chunks(4 * w * c))
            .for_each(|(dx, dy)| nearest_line_backward(dy, c, dx));
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn nearest_line_backward<T: Element>(dy: &[T], c: usize, dx: &mut [T]) {
    let (upper, lower) = dy.split_at(dy.len() / 2);
    let pairs = upper.chunks_exact(2 * c).zip(lower.chunks_exact(2 * c));
    for (dx, (upper, lower)) in dx.chunks_exact_mut(c).zip(pairs) {
        let (a, b) = upper.split_at(c);
        let (d, e) = lower.split_at(c);
        for ((((dx, a), b), d), e) in dx.iter_mut().zip(a).zip(b).zip(d).zip(e) {
            *dx = (*a + *b) + (*d + *e);
        }
    }
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

/// The taps of both axes.
type Taps = (Vec<(usize, usize, f64)>, Vec<(usize, usize, f64)>);

/// Bilinear resize, half-pixel centres, edges clamped, no anti-aliasing: `[n, h, w, c]` to `[n, oh, ow, c]`.
pub fn bilinear<T: Element>(x: &[T], from: (usize, usize), to: (usize, usize), c: usize, y: &mut [T]) {
    let taps = (taps(from.0, to.0), taps(from.1, to.1));
    on_pool(|| {
        y.par_chunks_mut(to.1 * c).enumerate().for_each(|(line, y)| {
            let len = from.0 * from.1 * c;
            bilinear_line(&taps, line % to.0, (&x[line / to.0 * len..][..len], from.1), c, y);
        });
    });
}

/// One line of [`bilinear`], from an image with lines of `w` pixels.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn bilinear_line<T: Element>(taps: &Taps, line: usize, (image, w): (&[T], usize), c: usize, y: &mut [T]) {
    let (y0, y1, fy) = taps.0[line];
    for (&(x0, x1, fx), y) in taps.1.iter().zip(y.chunks_exact_mut(c)) {
        y.fill(T::zero());
        for (sy, wy) in [(y0, 1.0 - fy), (y1, fy)] {
            for (sx, wx) in [(x0, 1.0 - fx), (x1, fx)] {
                let (x, weight) = (&image[(sy * w + sx) * c..][..c], T::from_f64(wy * wx));
                y.iter_mut().zip(x).for_each(|(y, x)| *y += weight * *x);
            }
        }
    }
}

/// Gradient of [`bilinear`] with respect to its input.
pub fn bilinear_backward<T: Element>(dy: &[T], from: (usize, usize), to: (usize, usize), c: usize, dx: &mut [T]) {
    let taps = (taps(from.0, to.0), taps(from.1, to.1));
    on_pool(|| {
        dx.par_chunks_mut(from.0 * from.1 * c)
            .zip(dy.par_chunks(to.0 * to.1 * c))
            .for_each(|(dx, dy)| bilinear_image_backward(&taps, dy, c, (dx, from.1)));
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn bilinear_image_backward<T: Element>(taps: &Taps, dy: &[T], c: usize, (image, w): (&mut [T], usize)) {
    image.fill(T::zero());
    for (&(y0, y1, fy), dy) in taps.0.iter().zip(dy.chunks_exact(taps.1.len() * c)) {
        for (&(x0, x1, fx), dy) in taps.1.iter().zip(dy.chunks_exact(c)) {
            for (sy, wy) in [(y0, 1.0 - fy), (y1, fy)] {
                for (sx, wx) in [(x0, 1.0 - fx), (x1, fx)] {
                    let (dx, weight) = (&mut image[(sy * w + sx) * c..][..c], T::from_f64(wy * wx));
                    dx.iter_mut().zip(dy).for_each(|(dx, d)| *dx += weight * *d);
                }
            }
        }
    }
}
