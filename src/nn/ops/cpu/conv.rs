//! Convolution as im2col + gemm in row chunks small enough for the cache, so that no column buffer of the whole
//! image is ever written to memory.

use gemm::Parallelism;
use rayon::prelude::*;

use super::{Element, on_pool, threads};

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
    fn depth(&self) -> usize {
        self.kernel.0 * self.kernel.1 * self.input.2
    }

    /// Output pixels of one image.
    fn pixels(&self) -> usize {
        self.output.0 * self.output.1
    }

    /// Whether a column is just an input pixel.
    fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == (1, 1) && self.padding == (0, 0)
    }

    /// Output pixels computed at a time: the column chunk stays near half a megabyte, but not so thin that the
    /// product spends its time repacking the kernel.
    fn chunk_rows(&self) -> usize {
        (131_072 / self.depth()).clamp(256, 2048)
    }
}

/// Column-major and row-major matrices as the gemm crate wants them.
#[derive(Clone, Copy)]
struct Matrix<'a, T> {
    values: &'a [T],
    column_stride: usize,
    row_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    fn rows(values: &'a [T], columns: usize) -> Self {
        Self {
            values,
            column_stride: 1,
            row_stride: columns,
        }
    }

    fn transposed(values: &'a [T], rows: usize) -> Self {
        Self {
            values,
            column_stride: rows,
            row_stride: 1,
        }
    }
}

/// `target = lhs · rhs` or, with `add`, `target += lhs · rhs`; `target` is `m x n` row-major, `k` the inner size.
#[allow(unsafe_code)] // the gemm crate's interface is raw pointers
fn multiply<T: Element>(
    (m, n, k): (usize, usize, usize),
    target: &mut [T],
    add: bool,
    lhs: Matrix<'_, T>,
    rhs: Matrix<'_, T>,
    parallelism: Parallelism,
) {
    let last =
        |x: Matrix<'_, T>, rows: usize, columns: usize| (rows - 1) * x.row_stride + (columns - 1) * x.column_stride;
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    assert!(target.len() >= m * n && last(lhs, m, k) < lhs.values.len() && last(rhs, k, n) < rhs.values.len());
    // SAFETY: the assertion above keeps every index that m, n, k and the strides can reach inside its slice, and
    // `target` is borrowed mutably while `lhs` and `rhs` are borrowed shared.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target.as_mut_ptr(),
            1,
            n as isize,
            add,
            lhs.values.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.values.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Calls `visit(column range, input range)` for each run of neighbouring input values in the column of one output
/// pixel; what is not visited is padding.
fn for_each_run(g: &Geometry, pixel: usize, mut visit: impl FnMut(std::ops::Range<usize>, usize)) {
    let (h, w, c) = g.input;
    let (kh, kw) = g.kernel;
    let (oy, ox) = (pixel / g.output.1, pixel % g.output.1);
    let left = (ox * g.stride.1) as isize - g.padding.1 as isize;
    let first = (-left).max(0) as usize;
    let last = (w as isize - left).clamp(0, kw as isize) as usize;
    if first >= last {
        return;
    }
    for ky in 0..kh {
        let y = (oy * g.stride.0 + ky) as isize - g.padding.0 as isize;
        if y < 0 || y >= h as isize {
            continue;
        }
        let start = (y as usize * w + (left + first as isize) as usize) * c;
        visit((ky * kw + first) * c..(ky * kw + last) * c, start);
    }
}

/// Writes the columns of output pixels `rows` (counted over the batch) to `columns`.
fn im2col<T: Element>(g: &Geometry, x: &[T], rows: std::ops::Range<usize>, columns: &mut [T]) {
    let image_len = g.input.0 * g.input.1 * g.input.2;
    for (row, column) in rows.zip(columns.chunks_exact_mut(g.depth())) {
        let image = &x[row / g.pixels() * image_len..][..image_len];
        if g.padding != (0, 0) {
            column.fill(T::zero());
        }
        for_each_run(g, row % g.pixels(), |range, start| {
            let len = range.len();
            column[range].copy_from_slice(&image[start..start + len]);
        });
    }
}

/// Adds columns of one image's output pixels `rows` back to that image.
fn col2im<T: Element>(g: &Geometry, columns: &[T], rows: std::ops::Range<usize>, image: &mut [T]) {
    for (row, column) in rows.zip(columns.chunks_exact(g.depth())) {
        for_each_run(g, row, |range, start| {
            let len = range.len();
            for (x, d) in image[start..start + len].iter_mut().zip(&column[range]) {
                *x += *d;
            }
        });
    }
}

/// Convolution: `y = x * w + bias`.
///
/// `x` is `[n, h, w, c]`, `w` `[o, kh, kw, c]`, `bias` `[o]`, `y` `[n, oh, ow, o]`.
pub fn forward<T: Element>(g: &Geometry, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let (o, k, m) = (g.output.2, g.depth(), g.n * g.pixels());
    let block = |first: usize, part: &mut [T], columns: &mut Vec<T>, parallelism: Parallelism| {
        let rows = part.len() / o;
        if let Some(bias) = bias {
            part.chunks_exact_mut(o).for_each(|pixel| pixel.copy_from_slice(bias));
        }
        let lhs = if g.is_pointwise() {
            &x[first * k..(first + rows) * k]
        } else {
            columns.resize(rows * k, T::zero());
            im2col(g, x, first..first + rows, columns);
            columns.as_slice()
        };
        multiply(
            (rows, o, k),
            part,
            bias.is_some(),
            Matrix::rows(lhs, k),
            Matrix::transposed(w, k),
            parallelism,
        );
    };
    // A few rows against many channels: splitting rows would pack the whole kernel once a thread.
    if m < 512 {
        on_pool(|| block(0, y, &mut Vec::new(), Parallelism::Rayon(0)));
        return;
    }
    let rows = g.chunk_rows().min(m.div_ceil(threads()));
    on_pool(|| {
        y.par_chunks_mut(rows * o)
            .enumerate()
            .for_each_init(Vec::new, |columns, (i, part)| {
                block(i * rows, part, columns, Parallelism::None);
            });
    });
}

/// Gradients of a convolution.
pub struct Gradients<T> {
    /// With respect to the input, `[n, h, w, c]`; `None` if it was not asked for.
    pub x: Option<Vec<T>>,
    /// With respect to the kernel, `[o, kh, kw, c]`.
    pub w: Vec<T>,
    /// With respect to the bias, `[o]`.
    pub bias: Vec<T>,
}

/// Backward pass for `dy` of shape `[n, oh, ow, o]`.
///
/// # Panics
/// If the batch is empty.
pub fn backward<T: Element>(g: &Geometry, x: &[T], w: &[T], dy: &[T], want_dx: bool) -> Gradients<T> {
    let (o, k) = (g.output.2, g.depth());
    let image_len = g.input.0 * g.input.1 * g.input.2;
    let mut dx = vec![T::zero(); if want_dx { x.len() } else { 0 }];
    let images = g.n.div_ceil(threads());
    let group = |i: usize, dx: &mut [T]| {
        let mut sums = (vec![T::zero(); o * k], vec![T::zero(); o]);
        let (mut columns, mut d_columns) = (Vec::new(), Vec::new());
        for image in i * images..((i + 1) * images).min(g.n) {
            let d_image = if want_dx {
                &mut dx[(image - i * images) * image_len..][..image_len]
            } else {
                &mut []
            };
            backward_image(g, (x, w, dy), image, &mut sums, d_image, (&mut columns, &mut d_columns));
        }
        sums
    };
    let merge = |mut a: (Vec<T>, Vec<T>), b: (Vec<T>, Vec<T>)| {
        a.0.iter_mut().zip(&b.0).for_each(|(a, b)| *a += *b);
        a.1.iter_mut().zip(&b.1).for_each(|(a, b)| *a += *b);
        a
    };
    let groups = g.n.div_ceil(images);
    let (dw, bias) = on_pool(|| {
        let sums: Vec<_> = if want_dx {
            dx.par_chunks_mut(images * image_len)
                .enumerate()
                .map(|(i, part)| group(i, part))
                .collect()
        } else {
            (0..groups).into_par_iter().map(|i| group(i, &mut [])).collect()
        };
        sums.into_iter()
            .reduce(merge)
            .expect("a batch holds at least one image")
    });
    Gradients {
        x: want_dx.then_some(dx),
        w: dw,
        bias,
    }
}

/// One image's share: adds to the kernel's and bias's sums and writes the image's gradient if it is not empty.
fn backward_image<T: Element>(
    g: &Geometry,
    (x, w, dy): (&[T], &[T], &[T]),
    image: usize,
    (dw, d_bias): &mut (Vec<T>, Vec<T>),
    dx: &mut [T],
    (columns, d_columns): (&mut Vec<T>, &mut Vec<T>),
) {
    let (o, k, pixels) = (g.output.2, g.depth(), g.pixels());
    let step = g.chunk_rows().min(pixels);
    for first in (0..pixels).step_by(step) {
        let rows = step.min(pixels - first);
        let start = image * pixels + first;
        let dy = &dy[start * o..(start + rows) * o];
        for pixel in dy.chunks_exact(o) {
            d_bias.iter_mut().zip(pixel).for_each(|(sum, d)| *sum += *d);
        }
        let column = if g.is_pointwise() {
            &x[start * k..(start + rows) * k]
        } else {
            columns.resize(rows * k, T::zero());
            im2col(g, x, start..start + rows, columns);
            columns.as_slice()
        };
        multiply(
            (o, k, rows),
            dw,
            true,
            Matrix::transposed(dy, o),
            Matrix::rows(column, k),
            Parallelism::None,
        );
        if dx.is_empty() {
            continue;
        }
        let (lhs, rhs) = (Matrix::rows(dy, o), Matrix::rows(w, k));
        if g.is_pointwise() {
            multiply(
                (rows, k, o),
                &mut dx[first * k..(first + rows) * k],
                false,
                lhs,
                rhs,
                Parallelism::None,
            );
        } else {
            d_columns.resize(rows * k, T::zero());
            multiply((rows, k, o), d_columns, false, lhs, rhs, Parallelism::None);
            col2im(g, d_columns, first..first + rows, dx);
        }
    }
}
