//! AVX2 with FMA: up to 6 rows by 16 columns in 12 registers, so a panel takes two turns.

#![allow(unsafe_code)] // the instructions take pointers

use core::arch::x86_64::{
    __m256, __m256i, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps,
    _mm256_maskstore_ps, _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps,
};

use super::Tile;

/// Rows held at once.
const MOST_ROWS: usize = 6;
/// Columns held at once, in two vectors.
const COLUMNS: usize = 16;

/// Repeats a block for each row, with the row as a constant, so that every sum is a register of its own.
macro_rules! for_rows {
    ($row:ident => $body:block) => { for_rows!(@ $row $body 0 1 2 3 4 5) };
    (@ $row:ident $body:block $($i:literal)*) => { $({ const $row: usize = $i; if $row < ROWS { $body } })* };
}

/// Where the vector at `column` lies within the columns: lanes with the sign bit set.
#[target_feature(enable = "avx2,fma")]
unsafe fn lanes(columns: usize, column: usize) -> __m256i {
    const EDGE: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    let inside = columns.saturating_sub(column).min(8);
    // SAFETY: `8 - inside` is at most 8, so eight numbers follow.
    unsafe { _mm256_loadu_si256(EDGE.as_ptr().add(8 - inside).cast()) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn rows<const ROWS: usize>(t: &Tile<f32>, first: usize, column: usize) {
    // SAFETY: the caller promises that all that sizes and strides reach is there; masks keep to the columns.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
        let (mut a, mut b, row) = (t.a.add(first * t.a_row), t.b.add(column), t.a_row);
        for _ in 0..t.depth {
            let (left, right) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
            for_rows!(ROW => {
                let x = _mm256_set1_ps(*a.add(ROW * row));
                sums[ROW][0] = _mm256_fmadd_ps(x, left, sums[ROW][0]);
                sums[ROW][1] = _mm256_fmadd_ps(x, right, sums[ROW][1]);
            });
            a = a.add(t.a_step);
            b = b.add(t.b_step);
        }
        let masks = [lanes(t.columns, column), lanes(t.columns, column + 8)];
        for_rows!(ROW => {
            store(t, first + ROW, column, masks[0], sums[ROW][0]);
            store(t, first + ROW, column + 8, masks[1], sums[ROW][1]);
        });
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn store(t: &Tile<f32>, row: usize, column: usize, mask: __m256i, mut sum: __m256) {
    // Pointers beyond the columns are never followed, so they may wrap.
    let c = t.c.wrapping_add(row * t.c_row + column);
    // SAFETY: as for `rows`.
    unsafe {
        if t.accumulate {
            sum = _mm256_add_ps(sum, _mm256_maskload_ps(c, mask));
        }
        if !t.epilogue.bias.is_null() {
            sum = _mm256_add_ps(sum, _mm256_maskload_ps(t.epilogue.bias.wrapping_add(column), mask));
        }
        if !t.epilogue.residual.is_null() {
            let residual = t.epilogue.residual.wrapping_add(row * t.epilogue.residual_row + column);
            sum = _mm256_add_ps(sum, _mm256_maskload_ps(residual, mask));
        }
        if t.epilogue.relu {
            sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
        }
        _mm256_maskstore_ps(c, mask, sum);
    }
}

/// Computes a tile.
///
/// # Safety
/// The processor must have AVX2 and FMA; the tile's pointers must reach what its sizes and strides say.
pub(super) unsafe fn run(t: &Tile<f32>) {
    let blocks = t.rows.div_ceil(MOST_ROWS);
    for column in (0..t.columns).step_by(COLUMNS) {
        let mut first = 0;
        for block in 0..blocks {
            let count = (t.rows - first).div_ceil(blocks - block);
            // SAFETY: the caller's promise; `first + count` stays within the rows.
            unsafe {
                match count {
                    6 => rows::<6>(t, first, column),
                    5 => rows::<5>(t, first, column),
                    4 => rows::<4>(t, first, column),
                    3 => rows::<3>(t, first, column),
                    2 => rows::<2>(t, first, column),
                    _ => rows::<1>(t, first, column),
                }
            }
            first += count;
        }
    }
}
