//! Threads that walk through a list of steps together: each step's tasks are handed out one by one, and nobody
//! begins a step before everybody has ended the one before.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::nn::ops::cpu;

/// Turns of waiting before a thread offers its core to others.
const SPINS: u32 = 2_000;

/// Two teams on one pool could wait for each other's threads for ever, so there is one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Counts arrivals.
#[derive(Default)]
struct Barrier {
    arrived: AtomicUsize,
}

impl Barrier {
    /// Waits until `expected` arrivals in all have been counted.
    fn wait(&self, expected: usize) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        let mut turns = 0;
        while self.arrived.load(Ordering::Acquire) < expected {
            turns += 1;
            if turns < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// Lets the others go when a thread leaves by a panic, which then reaches the caller.
struct Release<'a>(&'a Barrier);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.arrived.store(usize::MAX / 2, Ordering::Release);
        }
    }
}

/// Runs `steps` steps on every thread of the compute pool: `run(step, task)` for each task in `0..tasks(step)`.
pub(super) fn walk(steps: usize, tasks: impl Fn(usize) -> usize + Sync, run: impl Fn(usize, usize) + Sync) {
    let next: Vec<AtomicUsize> = (0..steps).map(|_| AtomicUsize::new(0)).collect();
    let barrier = Barrier::default();
    let _turn = ONE_AT_A_TIME.lock();
    cpu::on_every_thread(|threads| {
        let _release = Release(&barrier);
        for (step, next) in next.iter().enumerate() {
            let count = tasks(step);
            loop {
                let task = next.fetch_add(1, Ordering::Relaxed);
                if task >= count {
                    break;
                }
                run(step, task);
            }
            barrier.wait((step + 1) * threads);
        }
    });
}
