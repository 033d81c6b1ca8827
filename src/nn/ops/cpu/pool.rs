//! Max, average and global average pooling.

use rayon::prelude::*;

use super::conv::Geometry;
use super::{Element, on_pool};

/// Rows and columns of the input under the window of an output pixel, clipped to the picture.
fn window(g: &Geometry, oy: usize, ox: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let clip = |o: usize, stride: usize, kernel: usize, padding: usize, size: usize| {
        let start = (o * stride) as isize - padding as isize;
        start.max(0) as usize..(start + kernel as isize).clamp(0, size as isize) as usize
    };
    (
        clip(oy, g.stride.0, g.kernel.0, g.padding.0, g.input.0),
        clip(ox, g.stride.1, g.kernel.1, g.padding.1, g.input.1),
    )
}

/// Max pooling (padding counts as minus infinity) and, for each output value, the input pixel it came from.
pub fn max<T: Element>(g: &Geometry, x: &[T]) -> (Vec<T>, Vec<u32>) {
    let (h, w, c) = g.input;
    let (oh, ow, _) = g.output;
    let mut y = vec![T::zero(); g.n * oh * ow * c];
    let mut from = vec![0_u32; y.len()];
    on_pool(|| {
        y.par_chunks_mut(ow * c)
            .zip(from.par_chunks_mut(ow * c))
            .enumerate()
            .for_each(|(line, (y, from))| {
                let image = &x[line / oh * h * w * c..][..h * w * c];
                for (ox, (y, from)) in y.chunks_exact_mut(c).zip(from.chunks_exact_mut(c)).enumerate() {
                    let (rows, columns) = window(g, line % oh, ox);
                    let mut first = true;
                    for pixel in rows.flat_map(|r| columns.clone().map(move |q| r * w + q)) {
                        let values = &image[pixel * c..][..c];
                        for ((y, from), x) in y.iter_mut().zip(from.iter_mut()).zip(values) {
                            // The first of equal values wins, as in PyTorch.
                            if first || *x > *y {
                                (*y, *from) = (*x, pixel as u32);
                            }
                        }
                        first = false;
                    }
                }
            });
    });
    (y, from)
}

/// Gradient of [`max`] with respect to its input.
pub fn max_backward<T: Element>(g: &Geometry, from: &[u32], dy: &[T]) -> Vec<T> {
    let (h, w, c) = g.input;
    let per_image = g.output.0 * g.output.1 * c;
    let mut dx = vec![T::zero(); g.n * h * w * c];
    on_pool(|| {
        dx.par_chunks_mut(h * w * c).enumerate().for_each(|(n, dx)| {
            let range = n * per_image..(n + 1) * per_image;
            for (i, (pixel, d)) in from[range.clone()].iter().zip(&dy[range]).enumerate() {
                dx[*pixel as usize * c + i % c] += *d;
            }
        });
    });
    dx
}

/// What a window's sum is divided by.
fn divisor<T: Element>(g: &Geometry, include_padding: bool, pixels: usize) -> T {
    T::from_f64(if include_padding {
        g.kernel.0 * g.kernel.1
    } else {
        pixels
    } as f64)
}

/// Average pooling; with `include_padding` padding counts as zeros, else it does not count.
pub fn average<T: Element>(g: &Geometry, include_padding: bool, x: &[T]) -> Vec<T> {
    let (h, w, c) = g.input;
    let (oh, ow, _) = g.output;
    let mut y = vec![T::zero(); g.n * oh * ow * c];
    on_pool(|| {
        y.par_chunks_mut(ow * c).enumerate().for_each(|(line, y)| {
            let image = &x[line / oh * h * w * c..][..h * w * c];
            for (ox, y) in y.chunks_exact_mut(c).enumerate() {
                let (rows, columns) = window(g, line % oh, ox);
                let divisor = divisor::<T>(g, include_padding, rows.len() * columns.len());
                for pixel in rows.flat_map(|r| columns.clone().map(move |q| r * w + q)) {
                    for (y, x) in y.iter_mut().zip(&image[pixel * c..][..c]) {
                        *y += *x;
                    }
                }
                for y in y.iter_mut() {
                    *y /= divisor;
                }
            }
        });
    });
    y
}

/// Gradient of [`average`] with respect to its input.
pub fn average_backward<T: Element>(g: &Geometry, include_padding: bool, dy: &[T]) -> Vec<T> {
    let (h, w, c) = g.input;
    let (oh, ow, _) = g.output;
    let mut dx = vec![T::zero(); g.n * h * w * c];
    on_pool(|| {
        dx.par_chunks_mut(h * w * c)
            .zip(dy.par_chunks(oh * ow * c))
            .for_each(|(dx, dy)| {
                for (i, dy) in dy.chunks_exact(c).enumerate() {
                    let (rows, columns) = window(g, i / ow, i % ow);
                    let divisor = divisor::<T>(g, include_padding, rows.len() * columns.len());
                    for pixel in rows.flat_map(|r| columns.clone().map(move |q| r * w + q)) {
                        dx[pixel * c..][..c]
                            .iter_mut()
                            .zip(dy)
                            .for_each(|(dx, d)| *dx += *d / divisor);
                    }
                }
            });
    });
    dx
}

/// Mean over all pixels of each image: `[n, pixels, c]` to `[n, c]`.
pub fn global_average<T: Element>(x: &[T], n: usize, c: usize) -> Vec<T> {
    let pixels = x.len() / (n * c);
    x.chunks_exact(pixels * c)
        .flat_map(|image| {
            let mut sums = vec![0.0; c];
            for pixel in image.chunks_exact(c) {
                sums.iter_mut().zip(pixel).for_each(|(s, x)| *s += x.to_f64());
            }
            sums.into_iter().map(move |s| T::from_f64(s / pixels as f64))
        })
        .collect()
}

/// Gradient of [`global_average`]: each of `pixels` gets an equal share.
pub fn global_average_backward<T: Element>(dy: &[T], pixels: usize, c: usize) -> Vec<T> {
    let share = T::from_f64(1.0 / pixels as f64);
    dy.chunks_exact(c)
        .flat_map(|d| std::iter::repeat_n(d, pixels).flat_map(move |d| d.iter().map(move |d| *d * share)))
        .collect()
}
