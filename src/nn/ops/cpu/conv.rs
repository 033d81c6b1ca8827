//! Convolution as a product of gathered pixels and a packed kernel. Pixels are gathered in blocks that stay in the
//! cache, and normalised on the way if a batch normalisation stands before; no column buffer of a whole image is
//! ever written.

#![allow(unsafe_code)] // products take pointers
#![allow(clippy::inline_always)] // or it would not be compiled for the instruction set of its caller

use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

use super::gemm::{Packed, Product, Rows, Split};
use super::tile::{Epilogue, PANEL, STRIP, Tile};
use super::{Element, on_pool, scratch, threads};

/// Sizes of one convolution; `[n, h, w, c]` to `[n, oh, ow, o]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Images.
    pub n: usize,
    /// Input rows, columns, channels.
    pub input: (usize, usize, usize),
    /// Output rows, columns, channels.
    pub output: (usize, usize, usize),
    /// Kernel rows, columns.
    pub kernel: (usize, usize),
    /// Stride down, across.
    pub stride: (usize, usize),
    /// Zero padding above and below, left and right.
    pub padding: (usize, usize),
}

impl Geometry {
    /// Length of a column: the products summed for one output value.
    pub fn depth(&self) -> usize {
        self.kernel.0 * self.kernel.1 * self.input.2
    }

    /// Output pixels of one image.
    pub fn pixels(&self) -> usize {
        self.output.0 * self.output.1
    }

    /// Output pixels of the batch.
    pub fn rows(&self) -> usize {
        self.n * self.pixels()
    }

    /// `[n, oh, ow, o]`.
    pub fn output_shape(&self) -> [usize; 4] {
        [self.n, self.output.0, self.output.1, self.output.2]
    }

    /// Elements of one input image.
    fn image_len(&self) -> usize {
        self.input.0 * self.input.1 * self.input.2
    }

    /// Whether a column is just an input pixel.
    fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == (1, 1) && self.padding == (0, 0)
    }

    /// The convolution that leads from the output's gradient to the input's, if stride 1 allows one.
    pub fn transposed(&self) -> Option<Self> {
        let padding = (
            self.kernel.0.checked_sub(1 + self.padding.0)?,
            self.kernel.1.checked_sub(1 + self.padding.1)?,
        );
        (self.stride == (1, 1)).then_some(Self {
            input: self.output,
            output: self.input,
            padding,
            ..*self
        })
    }
}

/// A feature map, or some channels of one.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a, T> {
    /// From the first pixel's first channel on.
    pub values: &'a [T],
    /// Channels.
    pub channels: usize,
    /// Distance of two pixels.
    pub pixel: usize,
}

/// `scale * x + shift` per channel, then perhaps `ReLU`.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a, T> {
    /// Per channel.
    pub scale: &'a [T],
    /// Per channel.
    pub shift: &'a [T],
    /// Whether negative results become 0.
    pub relu: bool,
}

/// What a convolution reads: parts that follow each other along the channels, normalised on the way if asked for.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a, T> {
    /// At least one, of equally many pixels.
    pub parts: &'a [Part<'a, T>],
    /// Applied before padding.
    pub affine: Option<Affine<'a, T>>,
}

impl<T> Input<'_, T> {
    /// Whether pixels lie one after the other and are read as they are.
    fn is_plain(&self) -> bool {
        self.affine.is_none() && matches!(self.parts, [part] if part.pixel == part.channels)
    }
}

/// Where a kernel's window begins for an output pixel, along one axis.
fn origin(output: usize, stride: usize, padding: usize) -> isize {
    (output * stride) as isize - padding as isize
}

/// Writes the columns' elements `columns` for output pixels `rows` (counted over the batch), padding as zeros.
pub fn stage<T: Element>(
    g: &Geometry,
    input: &Input<'_, T>,
    rows: Range<usize>,
    columns: Range<usize>,
    (target, distance): (&mut [T], usize),
) {
    if input.is_plain() {
        stage_runs(g, input.parts[0].values, rows, columns, target, distance);
    } else {
        stage_pixels(g, input, rows, columns, target, distance);
    }
}

/// [`stage`] where neighbouring pixels lie one after the other: a kernel row is one copy.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn stage_runs<T: Element>(
    g: &Geometry,
    x: &[T],
    rows: Range<usize>,
    columns: Range<usize>,
    target: &mut [T],
    distance: usize,
) {
    let ((h, w, c), (kh, kw)) = (g.input, g.kernel);
    for (row, target) in rows.zip(target.chunks_mut(distance)) {
        let (image, pixel) = (
            &x[row / g.pixels() * g.image_len()..][..g.image_len()],
            row % g.pixels(),
        );
        let left = origin(pixel % g.output.1, g.stride.1, g.padding.1);
        let first = (-left).max(0) as usize;
        let last = ((w as isize - left).max(0) as usize).clamp(first, kw.max(first));
        let top = origin(pixel / g.output.1, g.stride.0, g.padding.0);
        for ky in 0..kh {
            let line = ky * kw * c;
            let whole = line.max(columns.start)..(line + kw * c).min(columns.end);
            if whole.is_empty() {
                continue;
            }
            let target = &mut target[whole.start - columns.start..whole.end - columns.start];
            let y = top + ky as isize;
            let inside = (line + first * c).max(whole.start)..(line + last * c).min(whole.end);
            if y < 0 || y >= h as isize || inside.is_empty() {
                target.fill(T::zero());
                continue;
            }
            let start = (y as usize * w) as isize + left;
            let start = (start * c as isize + (inside.start - line) as isize) as usize;
            let (before, after) = (inside.start - whole.start, inside.end - whole.start);
            target[..before].fill(T::zero());
            target[before..after].copy_from_slice(&image[start..start + inside.len()]);
            target[after..].fill(T::zero());
        }
    }
}

/// [`stage`] for any input, pixel by pixel.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn stage_pixels<T: Element>(
    g: &Geometry,
    input: &Input<'_, T>,
    rows: Range<usize>,
    columns: Range<usize>,
    target: &mut [T],
    distance: usize,
) {
    let ((h, w, c), (kh, kw)) = (g.input, g.kernel);
    for (row, target) in rows.zip(target.chunks_mut(distance)) {
        let (image, pixel) = (row / g.pixels() * h * w, row % g.pixels());
        let top = origin(pixel / g.output.1, g.stride.0, g.padding.0);
        let left = origin(pixel % g.output.1, g.stride.1, g.padding.1);
        for position in columns.start / c..columns.end.div_ceil(c).min(kh * kw) {
            let first = position * c;
            let (from, to) = (first.max(columns.start), (first + c).min(columns.end));
            let target = &mut target[from - columns.start..to - columns.start];
            let (y, x) = (top + (position / kw) as isize, left + (position % kw) as isize);
            if y < 0 || x < 0 || y >= h as isize || x >= w as isize {
                target.fill(T::zero());
                continue;
            }
            copy_pixel(input, image + y as usize * w + x as usize, from - first, target);
        }
    }
}

/// Copies channels of one pixel, from channel `first` on.
#[inline(always)]
pub(super) fn copy_pixel<T: Element>(input: &Input<'_, T>, pixel: usize, first: usize, target: &mut [T]) {
    let (mut channel, mut done) = (0, 0);
    for part in input.parts {
        let from = first.max(channel);
        let to = (first + target.len()).min(channel + part.channels);
        if from < to {
            let x = &part.values[pixel * part.pixel + from - channel..][..to - from];
            let target = &mut target[done..done + to - from];
            match &input.affine {
                None => target.copy_from_slice(x),
                Some(affine) => {
                    let (scale, shift) = (&affine.scale[from..to], &affine.shift[from..to]);
                    for (((t, x), a), b) in target.iter_mut().zip(x).zip(scale).zip(shift) {
                        let v = *a * *x + *b;
                        *t = if affine.relu && v <= T::zero() { T::zero() } else { v };
                    }
                }
            }
            done += to - from;
        }
        channel += part.channels;
    }
}

/// Convolution: `y = x * w`, then the epilogue. `y` is `[n, oh, ow]` pixels, `distance` apart.
///
/// # Safety
/// `y` and the epilogue must reach what the geometry says, and nothing else may touch `y` meanwhile.
pub unsafe fn forward<T: Element>(
    g: &Geometry,
    input: &Input<'_, T>,
    w: &Packed<T>,
    (y, distance): (*mut T, usize),
    epilogue: Epilogue<T>,
) {
    let staged = |[rows, columns]: [Range<usize>; 2], target: &mut [T], row: usize| {
        stage(g, input, rows, columns, (target, row));
    };
    let product = Product {
        rows: g.rows(),
        a: rows(g, input, &staged),
        b: w,
        c: y,
        c_row: distance,
        lines: None,
        epilogue,
    };
    // SAFETY: the caller's promise, and the stage writes whole rows.
    unsafe { product.compute() }
}

/// How a product reads a convolution's input: in place where a column is a pixel.
pub fn rows<'a, T: Element>(g: &Geometry, input: &Input<'a, T>, stage: super::gemm::Stage<'a, T>) -> Rows<'a, T> {
    match input.parts {
        [part] if g.is_pointwise() && input.affine.is_none() => Rows::Plain {
            values: part.values.as_ptr(),
            row: part.pixel,
        },
        _ => Rows::Staged(stage),
    }
}

/// Gradient with respect to the input, `[n, h, w, c]`, for `dy` `[n, oh, ow, o]` and the kernel `[o, kh, kw, c]`.
///
/// `buffer` may hold anything, and comes back for the next kernel.
pub fn backward_input<T: Element>(g: &Geometry, w: &[T], dy: &[T], dx: &mut [T], buffer: Vec<T>) -> Vec<T> {
    let (o, (kh, kw), c) = (g.output.2, g.kernel, g.input.2);
    let Some(back) = g.transposed() else {
        return scatter_input(g, w, dy, dx, buffer);
    };
    // Tap k of the way back is the kernel's last tap but k, with input and output channels exchanged.
    let packed = Packed::from_rows(buffer, (back.depth(), c), |k| {
        let tap = kh * kw - 1 - k / o;
        &w[(k % o * kh * kw + tap) * c..][..c]
    });
    let part = [Part {
        values: dy,
        channels: o,
        pixel: o,
    }];
    let input = Input {
        parts: &part,
        affine: None,
    };
    // SAFETY: `dx` holds `rows` pixels of `c` channels and is only known here.
    unsafe { forward(&back, &input, &packed, (dx.as_mut_ptr(), c), Epilogue::NONE) };
    packed.into_buffer()
}

/// [`backward_input`] for strides: columns of gradients are added to where they were gathered from.
fn scatter_input<T: Element>(g: &Geometry, w: &[T], dy: &[T], dx: &mut [T], buffer: Vec<T>) -> Vec<T> {
    let (o, depth) = (g.output.2, g.depth());
    let packed = Packed::from_rows(buffer, (o, depth), |k| &w[k * depth..][..depth]);
    on_pool(|| {
        dx.par_chunks_mut(g.image_len()).enumerate().for_each(|(image, dx)| {
            dx.fill(T::zero());
            for line in 0..g.output.0 {
                let first = image * g.pixels() + line * g.output.1;
                scratch::with(g.output.1 * depth, |columns| {
                    let product = Product {
                        rows: g.output.1,
                        a: Rows::Plain {
                            values: dy[first * o..(first + g.output.1) * o].as_ptr(),
                            row: o,
                        },
                        b: &packed,
                        c: columns.as_mut_ptr(),
                        c_row: depth,
                        lines: None,
                        epilogue: Epilogue::NONE,
                    };
                    let split = Split::new(product.rows, o, depth, 1);
                    for task in 0..split.tasks {
                        // SAFETY: `columns` holds the line's columns, `dy` its pixels.
                        unsafe { product.run(&split, task) };
                    }
                    scatter_line(g, line, columns, dx);
                });
            }
        });
    });
    packed.into_buffer()
}

/// Adds the columns of one output line to the image that they were gathered from.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn scatter_line<T: Element>(g: &Geometry, line: usize, columns: &[T], image: &mut [T]) {
    let ((h, w, c), (_, kw)) = (g.input, g.kernel);
    for (ox, column) in columns.chunks_exact(g.depth()).enumerate() {
        let (top, left) = (
            origin(line, g.stride.0, g.padding.0),
            origin(ox, g.stride.1, g.padding.1),
        );
        for (position, values) in column.chunks_exact(c).enumerate() {
            let (y, x) = (top + (position / kw) as isize, left + (position % kw) as isize);
            if y < 0 || x < 0 || y >= h as isize || x >= w as isize {
                continue;
            }
            let pixel = &mut image[(y as usize * w + x as usize) * c..][..c];
            for (x, d) in pixel.iter_mut().zip(values) {
                *x += *d;
            }
        }
    }
}

/// Pixels that a kernel gradient sums at a time.
const PIXELS: usize = 128;
/// Columns of a kernel gradient that a task computes.
const COLUMNS: usize = 128;
/// Output channels that lie together in a packed gradient.
const CHANNELS: usize = 8;

/// How many sums of the kernel's gradient are made side by side: one where columns are enough to keep all threads
/// busy, else threads share the pixels.
fn shares(g: &Geometry) -> usize {
    if g.depth().div_ceil(COLUMNS) >= 2 * threads() {
        1
    } else {
        (2 * threads()).min(g.rows().div_ceil(PIXELS)).max(1)
    }
}

/// Elements of the buffer that [`backward_kernel`] needs.
pub fn kernel_sums(g: &Geometry) -> usize {
    g.output.2 * g.depth() * shares(g)
}

/// Gradient with respect to the kernel, `[o, kh, kw, c]`, for `dy` `[n, oh, ow, o]`, in a buffer of
/// [`kernel_sums`] elements that may hold anything.
pub fn backward_kernel<T: Element>(g: &Geometry, input: &Input<'_, T>, dy: &[T], mut sums: Vec<T>) -> Vec<T> {
    let (len, blocks) = (g.output.2 * g.depth(), g.depth().div_ceil(COLUMNS));
    let shares = shares(g);
    let share = g.rows().div_ceil(shares).next_multiple_of(PIXELS);
    let target = Target(sums.as_mut_ptr());
    on_pool(|| {
        (0..shares * blocks).into_par_iter().for_each(|task| {
            let (part, block) = (task / blocks, task % blocks);
            let rows = (part * share).min(g.rows())..((part + 1) * share).min(g.rows());
            let columns = block * COLUMNS..((block + 1) * COLUMNS).min(g.depth());
            // SAFETY: every task has a sum's columns to itself.
            unsafe { kernel_block(g, input, dy, rows, columns, target.at(part * len)) };
        });
    });
    let (sum, others) = sums.split_at_mut(len);
    for (part, other) in (1..).zip(others.chunks_exact(len)) {
        // A share without pixels has written nothing.
        if part * share < g.rows() {
            super::elementwise::add_assign(sum, other);
        }
    }
    sums.truncate(len);
    sums
}

/// Where tasks write side by side.
#[derive(Clone, Copy)]
struct Target<T>(*mut T);

// SAFETY: tasks write disjoint elements.
unsafe impl<T> Sync for Target<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Target<T> {}

impl<T> Target<T> {
    fn at(&self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

/// Writes the products of `rows` to `columns` of the kernel's gradient; nothing if there are no rows.
unsafe fn kernel_block<T: Element>(
    g: &Geometry,
    input: &Input<'_, T>,
    dy: &[T],
    rows: Range<usize>,
    columns: Range<usize>,
    sum: *mut T,
) {
    let (o, row) = (g.output.2, COLUMNS.max(columns.len()) + 16);
    for first in rows.clone().step_by(PIXELS) {
        let pixels = first..(first + PIXELS).min(rows.end);
        let staged_len = pixels.len() * row + PANEL;
        scratch::with(staged_len + PIXELS * o.next_multiple_of(CHANNELS), |buffer| {
            let (staged, packed) = buffer.split_at_mut(staged_len);
            stage(g, input, pixels.clone(), columns.clone(), (staged, row));
            pack_channels(&dy[pixels.start * o..pixels.end * o], o, packed);
            for (i, group) in packed.chunks_exact(PIXELS * CHANNELS).enumerate() {
                for column in (0..columns.len()).step_by(PANEL) {
                    let tile = Tile {
                        rows: CHANNELS.min(o - i * CHANNELS),
                        depth: pixels.len(),
                        a: group.as_ptr(),
                        a_row: 1,
                        a_step: CHANNELS,
                        b: staged[column..].as_ptr(),
                        b_step: row,
                        b_strip: STRIP,
                        next: std::ptr::null(),
                        c: sum.wrapping_add(i * CHANNELS * g.depth() + columns.start + column),
                        c_row: g.depth(),
                        columns: PANEL.min(columns.len() - column),
                        accumulate: first > rows.start,
                        epilogue: Epilogue::NONE,
                    };
                    // SAFETY: the staged rows are `row` apart with a panel to spare behind the last, the packed
                    // channels as long as the depth, and the caller promises the sum.
                    unsafe { T::multiply(&tile) };
                }
            }
        });
    }
}

/// `[pixels, o]` to groups of [`CHANNELS`] channels, `[o / CHANNELS, PIXELS, CHANNELS]`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn pack_channels<T: Element>(dy: &[T], o: usize, packed: &mut [T]) {
    for (i, group) in packed.chunks_exact_mut(PIXELS * CHANNELS).enumerate() {
        let channels = i * CHANNELS..((i + 1) * CHANNELS).min(o);
        let (targets, _) = group.as_chunks_mut::<CHANNELS>();
        let pixels = targets.iter_mut().zip(dy.chunks_exact(o));
        // A whole group is a register or two, a length that is not known a call: in one loop both would be calls.
        if channels.len() == CHANNELS {
            for (target, pixel) in pixels {
                if let Some(whole) = pixel[channels.start..].first_chunk() {
                    *target = *whole;
                }
            }
        } else {
            for (target, pixel) in pixels {
                target[..channels.len()].copy_from_slice(&pixel[channels.clone()]);
            }
        }
    }
}

/// Sum over all pixels per channel: the gradient of a bias.
pub fn backward_bias<T: Element>(o: usize, dy: &[T]) -> Vec<T> {
    super::elementwise::sum_rows(dy, o)
}
