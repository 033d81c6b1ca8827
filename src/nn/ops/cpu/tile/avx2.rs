//! AVX2 with FMA: up to 6 rows by 16 columns in 12 registers, so a panel takes two turns.

#![allow(unsafe_code)] // the instructions take pointers

use core::arch::x86_64::{
    __m256, __m256i, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
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
unsafe fn rows<const ROWS: usize, const FETCH: bool>(t: &Tile<f32>, first: usize, column: usize) {
    // SAFETY: the caller promises that all that sizes and strides reach is there; edges keep to the columns.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
        let (mut a, mut b, row) = (t.a.add(first * t.a_row), t.b.add(column), t.a_row);
        let mut next = t.next.wrapping_add(column);
        for _ in 0..t.depth {
            if FETCH {
                // A hint, which may name any address.
                _mm_prefetch::<_MM_HINT_T1>(next.cast());
                next = next.wrapping_add(t.b_step);
            }
            let (left, right) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
            for_rows!(ROW => {
                let x = _mm256_set1_ps(*a.add(ROW * row));
                sums[ROW][0] = _mm256_fmadd_ps(x, left, sums[ROW][0]);
                sums[ROW][1] = _mm256_fmadd_ps(x, right, sums[ROW][1]);
            });
            a = a.add(t.a_step);
            b = b.add(t.b_step);
        }
        if t.columns >= column + COLUMNS {
            for_rows!(ROW => {
                store(t, first + ROW, column, sums[ROW][0]);
                store(t, first + ROW, column + 8, sums[ROW][1]);
            });
        } else {
            let masks = [lanes(t.columns, column), lanes(t.columns, column + 8)];
            for_rows!(ROW => {
                store_edge(t, first + ROW, column, masks[0], sums[ROW][0]);
                store_edge(t, first + ROW, column + 8, masks[1], sums[ROW][1]);
            });
        }
    }
}

/// Stores a vector within the columns: masked stores take tens of cycles on some processors.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store(t: &Tile<f32>, row: usize, column: usize, mut sum: __m256) {
    let (c, e) = (t.c.wrapping_add(row * t.c_row + column), &t.epilogue);
    // SAFETY: as for `rows`.
    unsafe {
        if t.accumulate {
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(c));
        }
        if !e.bias.is_null() {
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(e.bias.wrapping_add(column)));
        }
        if !e.residual.is_null() {
            let residual = e.residual.wrapping_add(row * e.residual_row + column);
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(residual));
        }
        if e.relu {
            sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
        }
        _mm256_storeu_ps(c, sum);
    }
}

/// Stores what of a vector lies within the columns.
#[target_feature(enable = "avx2,fma")]
unsafe fn store_edge(t: &Tile<f32>, row: usize, column: usize, mask: __m256i, mut sum: __m256) {
    // Pointers beyond the columns are never followed, so they may wrap.
    let (c, e) = (t.c.wrapping_add(row * t.c_row + column), &t.epilogue);
    // SAFETY: as for `rows`.
    unsafe {
        if t.accumulate {
            sum = _mm256_add_ps(sum, _mm256_maskload_ps(c, mask));
        }
        if !e.bias.is_null() {
            sum = _mm256_add_ps(sum, _mm256_maskload_ps(e.bias.wrapping_add(column), mask));
        }
        if !e.residual.is_null() {
            let residual = e.residual.wrapping_add(row * e.residual_row + column);
            sum = _mm256_add_ps(sum, _mm256_maskload_ps(residual, mask));
        }
        if e.relu {
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
            let fetch = block == 0 && !t.next.is_null();
            // SAFETY: the caller's promise; `first + count` stays within the rows.
            unsafe {
                match (count, fetch) {
                    (6, true) => rows::<6, true>(t, first, column),
                    (6, false) => rows::<6, false>(t, first, column),
                    (5, true) => rows::<5, true>(t, first, column),
                    (5, false) => rows::<5, false>(t, first, column),
                    (4, true) => rows::<4, true>(t, first, column),
                    (4, false) => rows::<4, false>(t, first, column),
                    (3, _) => rows::<3, false>(t, first, column),
                    (2, _) => rows::<2, false>(t, first, column),
                    _ => rows::<1, false>(t, first, column),
                }
            }
            first += count;
        }
    }
}
