//! Matrix products over packed right-hand sides: split into blocks of rows and groups of panels that fit the
//! cache, each block read in place or staged (gathered, normalised) on the way.

#![allow(unsafe_code)] // tiles take pointers

use std::ops::Range;

use rayon::prelude::*;

use super::tile::{Epilogue, PANEL, STRIP, Tile};
use super::{Element, on_pool, scratch, threads};

/// Elements of a block of the left-hand side: a quarter of a megabyte in f32, a part of the second cache.
const BLOCK: usize = 1 << 16;
/// Lines of a strip that are written together.
const LINES: usize = 16;
/// Products of a sum that are added before the next ones, at most: a strip stays in the first cache for all rows of a
/// block, and a block has rows enough to read the right-hand side from memory once.
const DEPTH: usize = 256;
/// Products of a matrix product that takes about a tenth of a millisecond.
const SMALL: usize = 1 << 23;

/// A right-hand side of `depth x columns`, laid out in strips of [`STRIP`] columns in the order they are read.
#[derive(Debug, Clone)]
pub struct Packed<T> {
    values: Vec<T>,
    depth: usize,
    columns: usize,
}

impl<T: Element> Packed<T> {
    /// Packs a matrix given as rows of `columns` values, in a buffer that may hold anything.
    pub fn from_rows<'a>(
        buffer: Vec<T>,
        (depth, columns): (usize, usize),
        row: impl Fn(usize) -> &'a [T] + Sync,
    ) -> Self {
        Self::fill(buffer, depth, columns, |first, strip| {
            for (k, target) in strip.chunks_exact_mut(STRIP).enumerate() {
                let count = STRIP.min(columns - first);
                target[..count].copy_from_slice(&row(k)[first..first + count]);
            }
        })
    }

    /// Packs the transpose of `values`, `columns` rows of `depth` values.
    pub fn transposed(values: &[T], depth: usize, columns: usize) -> Self {
        Self::transposed_over(Vec::new(), values, depth, columns)
    }

    /// As [`Packed::transposed`], in a buffer that may hold anything; [`Packed::into_buffer`] gives it back.
    pub fn transposed_over(buffer: Vec<T>, values: &[T], depth: usize, columns: usize) -> Self {
        Self::fill(buffer, depth, columns, |first, strip| {
            let rows = &values[first * depth..(first + STRIP).min(columns) * depth];
            // A few lines at a time, so that what is written with gaps stays in the first cache.
            for (block, strip) in strip.chunks_mut(LINES * STRIP).enumerate() {
                for (j, row) in rows.chunks_exact(depth).enumerate() {
                    for (target, value) in strip.chunks_exact_mut(STRIP).zip(&row[block * LINES..]) {
                        target[j] = *value;
                    }
                }
            }
        })
    }

    /// Elements of the buffer that a matrix needs.
    pub fn len(depth: usize, columns: usize) -> usize {
        columns.next_multiple_of(STRIP) * depth
    }

    /// The buffer, for another matrix.
    pub fn into_buffer(self) -> Vec<T> {
        self.values
    }

    /// Lets `fill` write each strip, given its first column.
    pub fn fill(mut values: Vec<T>, depth: usize, columns: usize, fill: impl Fn(usize, &mut [T]) + Sync) -> Self {
        values.resize(Self::len(depth, columns), T::zero());
        if depth > 0 {
            on_pool(|| {
                values
                    .par_chunks_mut(depth * STRIP)
                    .enumerate()
                    .for_each(|(s, strip)| fill(s * STRIP, strip));
            });
        }
        Self { values, depth, columns }
    }

    /// Products a sum.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the result.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// Writes columns of rows of a left-hand side: the ranges of both, the buffer, and the distance of its rows.
pub type Stage<'a, T> = &'a (dyn Fn([Range<usize>; 2], &mut [T], usize) + Sync);

/// The left-hand side of a product.
#[derive(Clone, Copy)]
pub enum Rows<'a, T> {
    /// Rows as they lie in memory.
    Plain {
        /// First element.
        values: *const T,
        /// Distance of the rows.
        row: usize,
    },
    /// Rows to be written when they are needed.
    Staged(Stage<'a, T>),
}

/// `c = a · b`, the epilogue applied to every sum.
#[derive(Clone, Copy)]
pub struct Product<'a, T> {
    /// Rows of `a` and `c`.
    pub rows: usize,
    /// Left-hand side.
    pub a: Rows<'a, T>,
    /// Right-hand side.
    pub b: &'a Packed<T>,
    /// Result.
    pub c: *mut T,
    /// Distance of its rows.
    pub c_row: usize,
    /// Rows of a line and the distance of lines, where rows do not all lie equally far apart.
    pub lines: Option<(usize, usize)>,
    /// What happens to a sum before it is stored.
    pub epilogue: Epilogue<T>,
}

// SAFETY: the pointers are only followed in `run`, whose caller answers for them; tasks write disjoint parts of `c`.
unsafe impl<T: Element> Sync for Product<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Element> Send for Product<'_, T> {}

/// How a product is cut into tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Rows of a task.
    rows: usize,
    /// Products of a sum that are added at once.
    depth: usize,
    /// Panels of a task.
    panels: usize,
    /// Tasks beside each other.
    groups: usize,
    /// All tasks.
    pub tasks: usize,
}

impl Split {
    /// Cuts a product of `rows x depth x columns` for a number of threads.
    pub fn new(rows: usize, depth: usize, columns: usize, threads: usize) -> Self {
        // Two tasks a thread, so that one that is late can be made up for, unless that is not worth its price.
        let tasks = if threads == 1 || rows * depth * columns < SMALL {
            threads
        } else {
            2 * threads
        };
        let depth = even(depth, DEPTH).next_multiple_of(STRIP);
        let most = (BLOCK / depth.max(1)).clamp(16, 1024);
        // What is longer is cut: the other is read once for every part of it. Rows cost more, because they are gathered.
        let most = if columns < 3 * rows {
            most.min(rows.div_ceil(tasks))
        } else {
            most
        };
        let block = even(rows, most);
        let blocks = rows.div_ceil(block).max(1);
        let (panels, groups) = beside(columns, tasks.div_ceil(blocks));
        Self {
            rows: block,
            depth,
            panels,
            groups,
            tasks: blocks * groups,
        }
    }
}

/// The length of parts that are about as long as each other, and at most `most`.
pub(super) fn even(len: usize, most: usize) -> usize {
    len.div_ceil(len.div_ceil(most.max(1)).max(1)).max(1)
}

/// The panels of a group, and the groups, where columns are cut into at most `wanted` groups.
pub(super) fn beside(columns: usize, wanted: usize) -> (usize, usize) {
    let all = columns.div_ceil(PANEL);
    let panels = all.div_ceil(wanted.clamp(1, all.max(1))).max(1);
    (panels, all.div_ceil(panels))
}

impl<T: Element> Product<'_, T> {
    /// Computes one task of a split.
    ///
    /// # Safety
    /// `a`, `b`, `c` and the epilogue must reach what the sizes say, and nothing else may touch `c` meanwhile.
    pub unsafe fn run(&self, split: &Split, task: usize) {
        let first = task / split.groups * split.rows;
        let rows = first..(first + split.rows).min(self.rows);
        let from = task % split.groups * split.panels;
        let panels = from..(from + split.panels).min(self.b.columns.div_ceil(PANEL));
        let mut next = 0;
        loop {
            let depths = next..(next + split.depth).min(self.b.depth);
            next = depths.end;
            // SAFETY: the caller's promise.
            unsafe { self.block(rows.clone(), depths, panels.clone()) };
            if next == self.b.depth {
                break;
            }
        }
    }

    /// Adds some of the products of some rows and panels.
    unsafe fn block(&self, rows: Range<usize>, depths: Range<usize>, panels: Range<usize>) {
        match self.a {
            Rows::Plain { values, row } => {
                // SAFETY: the caller's promise.
                unsafe { self.panels(values.add(rows.start * row + depths.start), row, rows, depths, panels) }
            }
            Rows::Staged(stage) => {
                // Not a multiple of the cache's period, or all rows would fall on the same lines.
                let row = depths.len().next_multiple_of(16) + 16;
                scratch::with(rows.len() * row, |staged| {
                    stage([rows.clone(), depths.clone()], staged, row);
                    // SAFETY: `staged` holds these rows; the rest is the caller's promise.
                    unsafe { self.panels(staged.as_ptr(), row, rows, depths, panels) }
                });
            }
        }
    }

    unsafe fn panels(&self, a: *const T, a_row: usize, rows: Range<usize>, depths: Range<usize>, panels: Range<usize>) {
        let (line, c_line) = self.lines.unwrap_or((usize::MAX, 0));
        for panel in panels.clone() {
            let next = if panel + 1 < panels.end {
                self.panel(panel + 1, depths.start)
            } else {
                self.panel(panels.start, depths.end)
            };
            let mut first = rows.start;
            while first < rows.end {
                let end = (first - first % line).saturating_add(line).min(rows.end);
                let start = first / line * c_line + first % line * self.c_row;
                // SAFETY: the caller's promise; rows and columns are within the product's.
                unsafe {
                    let a = a.add((first - rows.start) * a_row);
                    let c = self.c.wrapping_add(start);
                    self.tile((a, a_row), first..end, depths.clone(), (panel, next), c);
                }
                first = end;
            }
        }
    }

    /// Where a panel's row lies; null behind the last.
    fn panel(&self, panel: usize, depth: usize) -> *const T {
        let start = panel * PANEL * self.b.depth + depth * STRIP;
        self.b
            .values
            .get(start..)
            .filter(|rest| !rest.is_empty())
            .map_or(std::ptr::null(), <[T]>::as_ptr)
    }

    unsafe fn tile(
        &self,
        (a, a_row): (*const T, usize),
        rows: Range<usize>,
        depths: Range<usize>,
        (panel, next): (usize, *const T),
        c: *mut T,
    ) {
        let (column, e) = (panel * PANEL, &self.epilogue);
        let (begins, ends) = (depths.start == 0, depths.end == self.b.depth);
        let offset = |p: *const T, by: usize, wanted: bool| {
            if wanted && !p.is_null() {
                p.wrapping_add(by)
            } else {
                std::ptr::null()
            }
        };
        let tile = Tile {
            rows: rows.len(),
            depth: depths.len(),
            a,
            a_row,
            a_step: 1,
            b: self.panel(panel, depths.start),
            b_step: STRIP,
            b_strip: self.b.depth * STRIP,
            next,
            c: c.wrapping_add(column),
            c_row: self.c_row,
            columns: PANEL.min(self.b.columns - column),
            accumulate: !begins,
            epilogue: Epilogue {
                bias: offset(e.bias, column, ends),
                // At once, because it may lie where the result goes.
                residual: offset(e.residual, rows.start * e.residual_row + column, begins),
                relu: e.relu && ends,
                ..*e
            },
        };
        // SAFETY: the caller's promise.
        unsafe { T::multiply(&tile) }
    }

    /// Computes the product on the pool.
    ///
    /// # Safety
    /// As for [`Product::run`].
    pub unsafe fn compute(&self) {
        let split = Split::new(self.rows, self.b.depth, self.b.columns, threads());
        // SAFETY: tasks write disjoint parts of `c`; the rest is the caller's promise.
        on_pool(|| {
            (0..split.tasks)
                .into_par_iter()
                .for_each(|task| unsafe { self.run(&split, task) });
        });
    }
}
