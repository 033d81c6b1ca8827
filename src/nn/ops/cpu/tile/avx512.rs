//! AVX-512: up to 8 rows by 32 columns in 16 registers, two of the panel and a broadcast beside them.

#![allow(unsafe_code)] // the instructions take pointers
#![allow(clippy::inline_always)] // or they would not be compiled for the instruction set of their caller
#![allow(clippy::needless_range_loop)] // rows and vectors are walked at once

use core::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use super::{STRIP, Tile};

/// Rows held at once: enough to hide the latency of a multiply-add, few enough that rows a power of two apart
/// still fit into the eight ways of the first cache.
const MOST_ROWS: usize = 8;

/// Repeats a block for each row, with the row as a constant, so that every sum is a register of its own.
macro_rules! for_rows {
    ($row:ident => $body:block) => { for_rows!(@ $row $body 0 1 2 3 4 5 6 7) };
    (@ $row:ident $body:block $($i:literal)*) => { $({ const $row: usize = $i; if $row < ROWS { $body } })* };
}

/// The lanes of vector `v` that lie within the columns.
fn lanes(columns: usize, v: usize) -> u16 {
    let left = columns.saturating_sub(16 * v);
    if left >= 16 { u16::MAX } else { (1 << left) - 1 }
}

#[inline(always)]
unsafe fn block<const ROWS: usize, const VECTORS: usize>(t: &Tile<f32>, first: usize) {
    // SAFETY: the caller promises that all that sizes and strides reach is there; masks keep to the columns.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
        let (mut a, mut b, row) = (t.a.add(first * t.a_row), t.b, t.a_row);
        for _ in 0..t.depth {
            let mut panel = [_mm512_setzero_ps(); VECTORS];
            for (v, panel) in panel.iter_mut().enumerate() {
                *panel = _mm512_loadu_ps(b.add(v * t.b_strip));
            }
            for_rows!(ROW => {
                let x = _mm512_set1_ps(*a.add(ROW * row));
                for v in 0..VECTORS {
                    sums[ROW][v] = _mm512_fmadd_ps(x, panel[v], sums[ROW][v]);
                }
            });
            a = a.add(t.a_step);
            b = b.add(t.b_step);
        }
        for_rows!(ROW => {
            for v in 0..VECTORS {
                store(t, first + ROW, v, sums[ROW][v]);
            }
        });
    }
}

#[inline(always)]
unsafe fn store(t: &Tile<f32>, row: usize, v: usize, mut sum: __m512) {
    let mask = lanes(t.columns, v);
    // Pointers beyond the columns are never followed, so they may wrap.
    // SAFETY: as for `block`.
    unsafe {
        let c = t.c.wrapping_add(row * t.c_row + 16 * v);
        if t.accumulate {
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c));
        }
        if !t.epilogue.bias.is_null() {
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, t.epilogue.bias.wrapping_add(16 * v)));
        }
        if !t.epilogue.residual.is_null() {
            let residual = t.epilogue.residual.wrapping_add(row * t.epilogue.residual_row + 16 * v);
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, residual));
        }
        if t.epilogue.relu {
            sum = _mm512_max_ps(_mm512_setzero_ps(), sum);
        }
        _mm512_mask_storeu_ps(c, mask, sum);
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn rows<const ROWS: usize>(t: &Tile<f32>, first: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if t.columns > STRIP {
            block::<ROWS, 2>(t, first);
        } else {
            block::<ROWS, 1>(t, first);
        }
    }
}

/// Computes a tile.
///
/// # Safety
/// The processor must have AVX-512F; the tile's pointers must reach what its sizes and strides say.
pub(super) unsafe fn run(t: &Tile<f32>) {
    let blocks = t.rows.div_ceil(MOST_ROWS);
    let mut first = 0;
    for block in 0..blocks {
        let count = (t.rows - first).div_ceil(blocks - block);
        // SAFETY: the caller's promise; `first + count` stays within the rows.
        unsafe {
            match count {
                8 => rows::<8>(t, first),
                7 => rows::<7>(t, first),
                6 => rows::<6>(t, first),
                5 => rows::<5>(t, first),
                4 => rows::<4>(t, first),
                3 => rows::<3>(t, first),
                2 => rows::<2>(t, first),
                _ => rows::<1>(t, first),
            }
        }
        first += count;
    }
}
