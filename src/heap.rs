//! What the heap does with memory that is freed. Knows nothing of what was in it.

/// Buffers up to this size come from the heap and not from the system, in bytes: a map of a 16-megapixel picture.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const FROM_HEAP: libc::c_int = 64 << 20;
/// Most freed memory at the end of the heap that is kept, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 256 << 20;

/// Keeps memory that was freed for the next picture or step. By itself, glibc gives the buffers of a picture back and
/// gets them again empty: having them filled with zeros took a tenth of a prediction.
#[allow(unsafe_code)] // a setting of the C library
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both are plain settings, and glibc takes its own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, FROM_HEAP);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Gives all freed memory back to the system, so that what the process has is what it uses. Does nothing without glibc.
#[allow(unsafe_code)] // a call of the C library
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number of bytes to keep and touches freed memory alone, under glibc's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}
