//! Buffers that each thread keeps between kernels, so that none is allocated in the steady state.

use std::cell::RefCell;

/// Buffers of one thread that nobody uses just now.
pub type Shelf<T> = RefCell<Vec<Vec<T>>>;

/// Elements in a cache line, at most.
const LINE: usize = 16;

/// Calls `f` with a buffer of `len` elements that begins a cache line and holds anything.
pub(super) fn with<T: super::Element, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut buffer = T::shelf(|shelf| shelf.borrow_mut().pop()).unwrap_or_default();
    if buffer.len() < len + LINE {
        buffer.resize(len + LINE, T::zero());
    }
    let start = buffer.as_ptr().align_offset(64).min(LINE);
    let result = f(&mut buffer[start..start + len]);
    T::shelf(|shelf| shelf.borrow_mut().push(buffer));
    result
}
