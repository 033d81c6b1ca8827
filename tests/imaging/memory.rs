//! The allocator of this test program: it counts, so that a test can say how much memory a picture took, and it
//! can refuse, so that a file without bounds ends one process and not the machine. What C and C++
//! take (JPEG 2000, JPEG-LS) it does not see: that is asked of the system.
#![allow(unsafe_code, reason = "an allocator deals in pointers")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are allocated now.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// Most bytes that were allocated at once since it was last set.
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// Most bytes that may be.
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

struct Counting;

impl Counting {
    /// Whether `bytes` more are granted.
    fn grants(bytes: usize) -> bool {
        let live = LIVE.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if live > LIMIT.load(Relaxed) {
            LIVE.fetch_sub(bytes, Relaxed);
            return false;
        }
        PEAK.fetch_max(live, Relaxed);
        true
    }
}

// SAFETY: every call goes to the system's allocator as it came, or is refused with a null pointer, as the trait allows.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !Self::grants(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps to the trait's conditions, which are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !Self::grants(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    /// While it is moved a block may exist twice, but the system usually grows it where it is: the larger counts.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() {
            if !Self::grants(size - layout.size()) {
                return std::ptr::null_mut();
            }
        } else {
            LIVE.fetch_sub(layout.size() - size, Relaxed);
        }
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Refuses what goes beyond `bytes` from now on, which ends the process.
pub fn limit(bytes: usize) {
    LIMIT.store(bytes, Relaxed);
}

/// Runs `work`; returns its result and the most bytes that it had allocated at once. Other threads' count as well.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = work();
    (result, PEAK.load(Relaxed).saturating_sub(before))
}

/// Bytes that this process has in memory (`VmRSS`) or most had (`VmHWM`), whoever took them; `None` where the system
/// does not tell.
pub fn resident(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// Makes the most that was resident what is resident now, where the system allows it.
pub fn forget_most_resident() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
