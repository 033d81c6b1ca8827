//! The compute pool. Its size is chosen once, before the first kernel runs, because kernels cut their work by it.

use std::sync::OnceLock;

/// Most threads that are allowed: far beyond any machine's cores, far below what exhausts its address space.
pub const MAX_THREADS: usize = 1024;

/// A whole training step may run on a thread of the pool. Only what is used of it takes memory.
const STACK_BYTES: usize = 64 << 20;

static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();

/// Why the compute pool cannot have the size that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThreadsError {
    /// None, or more than [`MAX_THREADS`].
    #[error("{0} threads cannot compute: choose 1 to {MAX_THREADS}, or leave the number out for one a core")]
    OutOfRange(usize),
    /// Kernels ran before with another number.
    #[error("{running} threads compute already, and the number is chosen once: {wanted} can no longer be had")]
    Running {
        /// What was asked for.
        wanted: usize,
        /// What computes.
        running: usize,
    },
    /// The system refuses.
    #[error("the system cannot start {wanted} threads ({cause}); choose fewer")]
    Refused {
        /// What was asked for.
        wanted: usize,
        /// What the system said.
        cause: String,
    },
}

/// Whether the compute pool may have this size.
///
/// # Errors
/// If it may not.
pub fn check_threads(threads: usize) -> Result<(), ThreadsError> {
    if (1..=MAX_THREADS).contains(&threads) {
        Ok(())
    } else {
        Err(ThreadsError::OutOfRange(threads))
    }
}

/// Chooses the number of threads that kernels run on; without it there is one a core.
///
/// # Errors
/// If the number is out of range, the system cannot start so many, or another number computes already.
pub fn set_threads(threads: usize) -> Result<(), ThreadsError> {
    check_threads(threads)?;
    if POOL.get().is_none() {
        // A kernel on another thread may start the pool meanwhile; its size is looked at below.
        let _ = POOL.set(start(threads)?);
    }
    match self::threads() {
        running if running == threads => Ok(()),
        running => Err(ThreadsError::Running {
            wanted: threads,
            running,
        }),
    }
}

/// Number of threads that kernels run on.
pub fn threads() -> usize {
    pool().current_num_threads()
}

/// Runs a kernel on the compute pool and waits for it. Many kernels in a row begin sooner when all of them run in one call:
/// on a thread of the pool, a kernel wakes nobody but its helpers.
pub fn on_pool<R: Send>(kernel: impl FnOnce() -> R + Send) -> R {
    waiting_idly(|| pool().install(kernel))
}

/// Runs a kernel on every thread of the compute pool at once, telling each its number, and waits for all.
pub(in crate::nn) fn on_every_thread(kernel: impl Fn(usize) + Sync) {
    waiting_idly(|| {
        pool().broadcast(|context| kernel(context.index()));
    });
}

/// A caller from another pool waits on a thread of its own: its pool would give it other work meanwhile, and that may
/// need what the caller holds (a plan's arena, the kernels that are being packed).
fn waiting_idly<R: Send>(call: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_none() || pool().current_thread_index().is_some() {
        return call();
    }
    let outcome = std::thread::scope(|scope| scope.spawn(call).join());
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn pool() -> &'static rayon::ThreadPool {
    POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        start(cores.min(MAX_THREADS))
            .or_else(|_| start(1))
            .expect("the system can start a thread")
    })
}

fn start(threads: usize) -> Result<rayon::ThreadPool, ThreadsError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .thread_name(|i| format!("nn-{i}"))
        .build()
        .map_err(|cause| ThreadsError::Refused {
            wanted: threads,
            cause: cause.to_string(),
        })
}
