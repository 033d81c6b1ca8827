//! Plain Rust that the compiler vectorises for whatever it builds for; also the only kernel for f64.

#![allow(unsafe_code)] // tiles hold pointers

use super::{PANEL, STRIP, Tile};
use crate::nn::ops::cpu::Element;

/// Rows held at once.
const ROWS: usize = 4;
/// Columns held at once.
const COLUMNS: usize = 8;

/// Sums of `count` rows from `first` on and [`COLUMNS`] columns from `column` on.
unsafe fn sums<T: Element>(t: &Tile<T>, first: usize, count: usize, column: usize) -> [[T; COLUMNS]; ROWS] {
    let mut sums = [[T::zero(); COLUMNS]; ROWS];
    let strip = column / STRIP * t.b_strip + column % STRIP;
    for k in 0..t.depth {
        // SAFETY: the caller promises that all that sizes and strides reach is there, and a whole panel of `b`.
        unsafe {
            let b = &*t.b.add(k * t.b_step + strip).cast::<[T; COLUMNS]>();
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = *t.a.add((first + r.min(count - 1)) * t.a_row + k * t.a_step);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = x.multiply_add(*b, *sum);
                }
            }
        }
    }
    sums
}

/// Computes a tile.
///
/// # Safety
/// The tile's pointers must reach what its sizes and strides say.
pub(super) unsafe fn run<T: Element>(t: &Tile<T>) {
    debug_assert!(t.columns <= PANEL);
    for column in (0..t.columns).step_by(COLUMNS) {
        for first in (0..t.rows).step_by(ROWS) {
            let count = ROWS.min(t.rows - first);
            // SAFETY: the caller's promise; rows and columns stay within the tile's.
            unsafe {
                let sums = sums(t, first, count, column);
                for (r, sums) in sums.iter().enumerate().take(count) {
                    for (q, sum) in sums.iter().enumerate().take(t.columns - column) {
                        store(t, first + r, column + q, *sum);
                    }
                }
            }
        }
    }
}

unsafe fn store<T: Element>(t: &Tile<T>, row: usize, column: usize, mut sum: T) {
    // SAFETY: as for `run`.
    unsafe {
        let c = t.c.add(row * t.c_row + column);
        if t.accumulate {
            sum += *c;
        }
        if !t.epilogue.bias.is_null() {
            sum += *t.epilogue.bias.add(column);
        }
        if !t.epilogue.residual.is_null() {
            sum += *t.epilogue.residual.add(row * t.epilogue.residual_row + column);
        }
        *c = if t.epilogue.relu && sum <= T::zero() {
            T::zero()
        } else {
            sum
        };
    }
}
