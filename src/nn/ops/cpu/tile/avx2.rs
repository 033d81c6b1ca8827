//! AVX2 with FMA: up to 6 rows by 16 columns in 12 registers, so a panel takes two turns.

#![allow(unsafe_code)] // the instructions take pointers

use core::arch::x86_64::{
    __m256, __m256i, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps,
};

use super::{STRIP, Tile};

/// Rows held at once.
const MOST_ROWS: usize = 6;

/// Bytes of a strip that a product reads.
const LINE: usize = 4 * STRIP;

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
unsafe fn rows<const ROWS: usize>(t: &Tile<f32>, first: usize, column: usize, fetch: &Fetch) {
    // SAFETY: the caller promises that all that sizes and strides reach is there; edges keep to the columns.
    unsafe {
        for_rows!(ROW => { announce(t, first + ROW, column); });
        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
        let (mut a, mut b, row) = (t.a.add(first * t.a_row), t.b.add(column / STRIP * t.b_strip), t.a_row);
        let (mut next, mut left) = (fetch.from, t.depth);
        macro_rules! add {
            ($a:expr, $b:expr) => {
                let (b, a) = ($b, $a);
                let (near, far) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
                for_rows!(ROW => {
                    let x = _mm256_set1_ps(*a.add(ROW * row));
                    sums[ROW][0] = _mm256_fmadd_ps(x, near, sums[ROW][0]);
                    sums[ROW][1] = _mm256_fmadd_ps(x, far, sums[ROW][1]);
                });
            };
        }
        if (t.a_step, t.b_step) == (1, STRIP) {
            // Four products a turn, with their places as constants: a core that is shared with another thread has
            // fewer instructions to spare than multipliers.
            while left >= 4 {
                fetch.ask(&mut next);
                add!(a, b);
                add!(a.add(1), b.add(STRIP));
                add!(a.add(2), b.add(2 * STRIP));
                add!(a.add(3), b.add(3 * STRIP));
                (a, b, left) = (a.add(4), b.add(4 * STRIP), left - 4);
            }
        }
        for _ in 0..left {
            add!(a, b);
            (a, b) = (a.add(t.a_step), b.add(t.b_step));
        }
        if t.columns >= column + STRIP {
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

/// What of the next panel's strip is brought nearer while some rows are computed: all rows together fetch it once, at an
/// even pace, because memory is slower than a few rows.
struct Fetch {
    from: *const i8,
    /// Bytes to go on by for four products.
    step: usize,
}

impl Fetch {
    /// Asks for the lines of four products.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn ask(&self, next: &mut *const i8) {
        // Hints, which may name any address.
        _mm_prefetch::<_MM_HINT_T1>(*next);
        if self.step > LINE {
            for line in 1..4 {
                _mm_prefetch::<_MM_HINT_T1>(next.wrapping_add(line * LINE));
            }
        }
        *next = next.wrapping_add(self.step);
    }
}

/// Asks for the lines that a row's results are stored to, so that they are there when the sums are.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn announce(t: &Tile<f32>, row: usize, column: usize) {
    let e = &t.epilogue;
    _mm_prefetch::<_MM_HINT_T0>(t.c.wrapping_add(row * t.c_row + column).cast_const().cast());
    if !e.residual.is_null() {
        _mm_prefetch::<_MM_HINT_T0>(e.residual.wrapping_add(row * e.residual_row + column).cast());
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
    let step = (4 * LINE).div_ceil(blocks.max(1));
    for column in (0..t.columns).step_by(STRIP) {
        let next = if t.next.is_null() { t.b } else { t.next };
        let next = next.wrapping_add(column / STRIP * t.b_strip).cast::<i8>();
        let mut first = 0;
        for block in 0..blocks {
            let count = (t.rows - first).div_ceil(blocks - block);
            let fetch = Fetch {
                from: next.wrapping_add(block * t.depth / 4 * step),
                step,
            };
            // SAFETY: the caller's promise; `first + count` stays within the rows.
            unsafe {
                match count {
                    6 => rows::<6>(t, first, column, &fetch),
                    5 => rows::<5>(t, first, column, &fetch),
                    4 => rows::<4>(t, first, column, &fetch),
                    3 => rows::<3>(t, first, column, &fetch),
                    2 => rows::<2>(t, first, column, &fetch),
                    _ => rows::<1>(t, first, column, &fetch),
                }
            }
            first += count;
        }
    }
}
