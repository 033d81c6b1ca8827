//! Max, average and global average pooling.

use multiversion::multiversion;
use rayon::prelude::*;

use super::conv::{Geometry, Input};
use super::norm::write_rows;
use super::{Element, on_pool, scratch};

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

/// Max pooling (padding counts as minus infinity, NaN as the largest value) and, for each output value, the input
/// pixel it came from.
pub fn max<T: Element>(g: &Geometry, input: &Input<'_, T>, y: &mut [T]) -> Vec<u32> {
    let (_, w, c) = g.input;
    let (oh, ow, _) = g.output;
    let mut from = vec![0_u32; y.len()];
    on_pool(|| {
        y.par_chunks_mut(ow * c)
            .zip(from.par_chunks_mut(ow * c))
            .enumerate()
            .for_each(|(line, (y, from))| {
                let first = line / oh * g.input.0 * w;
                let rows = window(g, line % oh, 0).0;
                let begin = rows.start * w;
                scratch::with(rows.len() * w * c, |x| {
                    write_rows(input, first + begin, c, x);
                    max_line(g, line % oh, (x, begin), y, from);
                });
            });
    });
    from
}

/// One line of [`max`]; `x` begins with the image's pixel `begin`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn max_line<T: Element>(g: &Geometry, line: usize, (x, begin): (&[T], usize), y: &mut [T], from: &mut [u32]) {
    let (_, w, c) = g.input;
    for (ox, (y, from)) in y.chunks_exact_mut(c).zip(from.chunks_exact_mut(c)).enumerate() {
        let (rows, columns) = window(g, line, ox);
        let mut first = true;
        for row in rows {
            for pixel in row * w + columns.start..row * w + columns.end {
                let values = &x[(pixel - begin) * c..][..c];
                if first {
                    y.copy_from_slice(values);
                    from.fill(pixel as u32);
                    first = false;
                    continue;
                }
                for ((y, from), x) in y.iter_mut().zip(from.iter_mut()).zip(values) {
                    // The first of equal values wins, and NaN over all of them, as in PyTorch.
                    let more = x.wins_over(*y);
                    *y = if more { *x } else { *y };
                    *from = if more { pixel as u32 } else { *from };
                }
            }
        }
    }
}

/// Gradient of [`max`] with respect to its input.
pub fn max_backward<T: Element>(g: &Geometry, from: &[u32], dy: &[T], dx: &mut [T]) {
    let (h, w, c) = g.input;
    let per_image = g.output.0 * g.output.1 * c;
    on_pool(|| {
        dx.par_chunks_mut(h * w * c).enumerate().for_each(|(n, dx)| {
            dx.fill(T::zero());
            let range = n * per_image..(n + 1) * per_image;
            for (from, dy) in from[range.clone()].chunks_exact(c).zip(dy[range].chunks_exact(c)) {
                for (channel, (pixel, d)) in from.iter().zip(dy).enumerate() {
                    dx[*pixel as usize * c + channel] += *d;
                }
            }
        });
    });
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
pub fn average<T: Element>(g: &Geometry, include_padding: bool, x: &[T], y: &mut [T]) {
    let (h, w, c) = g.input;
    let (oh, ow, _) = g.output;
    on_pool(|| {
        y.par_chunks_mut(ow * c).enumerate().for_each(|(line, y)| {
            let image = &x[line / oh * h * w * c..][..h * w * c];
            average_line(g, include_padding, line % oh, image, y);
        });
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn average_line<T: Element>(g: &Geometry, include_padding: bool, line: usize, image: &[T], y: &mut [T]) {
    let (_, w, c) = g.input;
    for (ox, y) in y.chunks_exact_mut(c).enumerate() {
        let (rows, columns) = window(g, line, ox);
        let divisor = divisor::<T>(g, include_padding, rows.len() * columns.len());
        y.fill(T::zero());
        for row in rows {
            for pixel in row * w + columns.start..row * w + columns.end {
                y.iter_mut().zip(&image[pixel * c..][..c]).for_each(|(y, x)| *y += *x);
            }
        }
        for y in y.iter_mut() {
            *y /= divisor;
        }
    }
}

/// Gradient of [`average`] with respect to its input.
pub fn average_backward<T: Element>(g: &Geometry, include_padding: bool, dy: &[T], dx: &mut [T]) {
    let (h, w, c) = g.input;
    let (oh, ow, _) = g.output;
    on_pool(|| {
        dx.par_chunks_mut(h * w * c)
            .zip(dy.par_chunks(oh * ow * c))
            .for_each(|(dx, dy)| average_backward_image(g, include_padding, dy, dx));
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn average_backward_image<T: Element>(g: &Geometry, include_padding: bool, dy: &[T], dx: &mut [T]) {
    let (_, w, c) = g.input;
    let ow = g.output.1;
    dx.fill(T::zero());
    for (i, dy) in dy.chunks_exact(c).enumerate() {
        let (rows, columns) = window(g, i / ow, i % ow);
        let share = T::from_f64(1.0 / divisor::<T>(g, include_padding, rows.len() * columns.len()).to_f64());
        for row in rows {
            for pixel in row * w + columns.start..row * w + columns.end {
                let dx = &mut dx[pixel * c..][..c];
                dx.iter_mut().zip(dy).for_each(|(dx, d)| *dx += *d * share);
            }
        }
    }
}

/// Mean over all pixels of each image: `[n, pixels, c]` to `[n, c]`.
pub fn global_average<T: Element>(x: &[T], n: usize, c: usize) -> Vec<T> {
    let len = x.len() / n.max(1);
    let images: Vec<Vec<T>> = on_pool(|| x.par_chunks(len.max(1)).map(|image| mean_rows(image, c)).collect());
    images.concat()
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn mean_rows<T: Element>(image: &[T], c: usize) -> Vec<T> {
    let mut sums = vec![0.0; c];
    for pixel in image.chunks_exact(c) {
        sums.iter_mut().zip(pixel).for_each(|(s, x)| *s += x.to_f64());
    }
    let pixels = (image.len() / c) as f64;
    sums.into_iter().map(|s| T::from_f64(s / pixels)).collect()
}

/// Gradient of [`global_average`]: each of `pixels` gets an equal share.
pub fn global_average_backward<T: Element>(dy: &[T], pixels: usize, c: usize, dx: &mut [T]) {
    let share = T::from_f64(1.0 / pixels as f64);
    on_pool(|| {
        dx.par_chunks_mut(pixels * c)
            .zip(dy.par_chunks(c))
            .for_each(|(dx, dy)| {
                let (first, rest) = dx.split_at_mut(c);
                first.iter_mut().zip(dy).for_each(|(dx, d)| *dx = *d * share);
                rest.chunks_exact_mut(c).for_each(|dx| dx.copy_from_slice(first));
            });
    });
}
