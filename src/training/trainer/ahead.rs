//! Inputs of the next image size, decoded into the cache on disk while the last epoch of a stage runs: the change of
//! size then maps what it would have decoded. Nothing that a run computes hangs on whether it came so far.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Run;
use super::loading::{geometry, rows_to_read};
use crate::nn::ops::cpu;
use crate::nn::{Device, InputSpec};
use crate::training::control::{Controls, Next};
use crate::training::input_cache::{DEFAULT_LIMIT, InputCache};
use crate::training::manifest::Row;
use crate::training::phase::Phase;
use crate::training::sample;

/// How often a pause is looked at.
const PAUSED: Duration = Duration::from_millis(200);
/// The lowest priority: a nice value, added to the thread's.
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;

/// Whether nobody waits for more.
#[derive(Default)]
struct End {
    come: Mutex<bool>,
    told: Condvar,
}

/// Decoding under way; dropped, it ends after the pictures in hand, and what is decoded is kept.
pub(super) struct Ahead {
    end: Arc<End>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        *self.end.come.lock() = true;
        // Threads that wait while the run pauses.
        self.end.told.notify_all();
        if let Some(thread) = self.thread.take() {
            // Should it have panicked, the change of size decodes what is missing.
            let _ = thread.join();
        }
    }
}

impl<P: Phase> Run<'_, '_, P> {
    /// Begins to decode for the next stage if this epoch is the last of its own. Only whole pictures, and only into a
    /// cache on disk: in memory they would lie beside those of this stage.
    pub(super) fn decode_ahead(&self, epoch: usize) -> Option<Ahead> {
        let [size, next] = [epoch, epoch + 1].map(|epoch| self.config.size_of(epoch));
        let folder = self.session.cache.as_ref()?;
        if next == size || !self.config.region.is_full() {
            return None;
        }
        let [now, spec] = [size, next].map(|size| self.config.input(size));
        let open = |spec| InputCache::open(folder, DEFAULT_LIMIT, &geometry::<P>(spec, None));
        let end = Arc::new(End::default());
        let work = Work {
            cache: open(&spec).sparing(&geometry::<P>(&now, None)),
            rows: Arc::clone(&self.rows),
            spec,
            masks: P::MASKS,
            controls: self.controls.clone(),
            end: Arc::clone(&end),
        };
        // On the CPU, the steps have the cores. Beside a GPU some are idle; the batches' thread needs one.
        let threads = match &self.device {
            Device::Cpu => 1,
            _ => cpu::threads().div_ceil(2),
        };
        let thread = thread::Builder::new().name("decode-ahead".into());
        let thread = thread.spawn(move || work.run(threads)).ok()?;
        Some(Ahead {
            end,
            thread: Some(thread),
        })
    }
}

struct Work {
    cache: InputCache,
    rows: Arc<[Row]>,
    spec: InputSpec,
    masks: bool,
    controls: Controls,
    end: Arc<End>,
}

impl Work {
    /// Decodes on threads of its own: those of the whole program would take pictures before kernels.
    fn run(&self, threads: usize) {
        // Where threads have no priorities of their own, one is what nobody misses.
        let threads = if step_back() { threads } else { 1 };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("decode-ahead-{number}"))
            .start_handler(|_| {
                step_back();
            });
        let rows = rows_to_read(&self.rows);
        if let Ok(pool) = pool.build() {
            // A file that cannot be used is told of when it is needed.
            let fill = || sample::fill(&self.cache, &rows, &self.spec, self.masks, &mut || self.goes_on());
            let _ = pool.install(fill);
        }
    }

    /// Waits while the run pauses; whether anybody waits for more.
    fn goes_on(&self) -> bool {
        let mut end = self.end.come.lock();
        while !*end {
            match self.controls.next() {
                Next::Go => return true,
                Next::Pause => {
                    self.end.told.wait_for(&mut end, PAUSED);
                }
                Next::Stop | Next::StopAfterEpoch => return false,
            }
        }
        false
    }
}

/// Gives the thread the lowest priority; whether the system has that for single threads.
fn step_back() -> bool {
    #[cfg(target_os = "linux")]
    return rustix::process::nice(LOWEST).is_ok();
    #[cfg(not(target_os = "linux"))]
    false
}
