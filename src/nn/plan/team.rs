//! Threads that walk through lists of steps together: a step's tasks are handed out one by one, and nobody begins a
//! step before the one before it in its list has ended. Of several lists every thread has one that it prefers, and
//! takes from the others rather than wait.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::nn::ops::cpu;

/// Turns of waiting before a thread offers its core to others.
const SPINS: u32 = 2_000;

/// Two teams on one pool could wait for each other's threads for ever, so there is one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Steps that follow one another, each cut into tasks that may run in any order and on any thread.
pub(super) trait Course: Sync {
    /// Number of steps.
    fn steps(&self) -> usize;
    /// Number of tasks of a step, at least 1.
    fn tasks(&self, step: usize) -> usize;
    /// Runs a task; each is run once, and only after all tasks of the steps before.
    fn run(&self, step: usize, task: usize);
}

/// How far a team has come on a course.
struct Progress<'a> {
    course: &'a dyn Course,
    /// The step whose tasks are handed out; the number of steps when all have ended.
    step: AtomicUsize,
    /// Tasks that were handed out and tasks that have ended, of each step.
    counts: Vec<(AtomicUsize, AtomicUsize)>,
    /// Nanoseconds from the start to the end of the last step.
    took: AtomicU64,
}

/// What a thread found on a course.
enum Turn {
    /// It ran a task.
    Ran,
    /// All tasks of the step are with others.
    Wait,
    /// The course has ended.
    Ended,
}

impl<'a> Progress<'a> {
    fn new(course: &'a dyn Course) -> Self {
        Self {
            course,
            step: AtomicUsize::new(0),
            counts: (0..course.steps()).map(|_| Default::default()).collect(),
            took: AtomicU64::new(0),
        }
    }

    /// Takes the next task of the step under way, if there is one.
    fn turn(&self, start: Instant) -> Turn {
        let step = self.step.load(Ordering::Acquire);
        let Some((next, ended)) = self.counts.get(step) else {
            return Turn::Ended;
        };
        let tasks = self.course.tasks(step);
        // Looked at first, so that those who wait do not write to what the others read.
        if next.load(Ordering::Relaxed) >= tasks {
            return Turn::Wait;
        }
        let task = next.fetch_add(1, Ordering::Relaxed);
        if task >= tasks {
            return Turn::Wait;
        }
        self.course.run(step, task);
        if ended.fetch_add(1, Ordering::AcqRel) + 1 == tasks {
            if step + 1 == self.counts.len() {
                self.took.store(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
            }
            self.step.store(step + 1, Ordering::Release);
        }
        Turn::Ran
    }
}

/// Tells the others to stop when a thread leaves by a panic, which then reaches the caller.
struct Release<'a>(&'a AtomicBool);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

/// Walks all courses side by side on every thread of the compute pool; says when each had ended.
pub(super) fn walk<const N: usize>(courses: [&dyn Course; N]) -> [Duration; N] {
    let progress = courses.map(Progress::new);
    let stopped = AtomicBool::new(false);
    let _turn = ONE_AT_A_TIME.lock();
    let start = Instant::now();
    cpu::on_every_thread(|thread| {
        let _release = Release(&stopped);
        let mut idle = 0;
        while !stopped.load(Ordering::Relaxed) {
            match turn(&progress, thread, start) {
                Turn::Ran => idle = 0,
                Turn::Ended => break,
                Turn::Wait if idle < SPINS => {
                    idle += 1;
                    std::hint::spin_loop();
                }
                Turn::Wait => std::thread::yield_now(),
            }
        }
    });
    progress.map(|progress| Duration::from_nanos(progress.took.into_inner()))
}

/// A task of the course that the thread prefers, or else of the next one that has any.
fn turn(courses: &[Progress<'_>], thread: usize, start: Instant) -> Turn {
    let mut all_ended = true;
    for i in 0..courses.len() {
        match courses[(thread + i) % courses.len()].turn(start) {
            Turn::Ran => return Turn::Ran,
            Turn::Wait => all_ended = false,
            Turn::Ended => {}
        }
    }
    if all_ended { Turn::Ended } else { Turn::Wait }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes which steps had ended when a task ran.
    struct Noted {
        tasks: Vec<usize>,
        ended: Vec<AtomicUsize>,
    }

    impl Noted {
        fn new(tasks: &[usize]) -> Self {
            Self {
                tasks: tasks.to_vec(),
                ended: tasks.iter().map(|_| AtomicUsize::new(0)).collect(),
            }
        }

        fn counts(&self) -> Vec<usize> {
            self.ended.iter().map(|count| count.load(Ordering::SeqCst)).collect()
        }
    }

    impl Course for Noted {
        fn steps(&self) -> usize {
            self.tasks.len()
        }

        fn tasks(&self, step: usize) -> usize {
            self.tasks[step]
        }

        fn run(&self, step: usize, _: usize) {
            for before in 0..step {
                assert_eq!(self.ended[before].load(Ordering::SeqCst), self.tasks[before]);
            }
            self.ended[step].fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn every_task_runs_once_and_after_the_steps_before() {
        let (long, short) = (Noted::new(&[3, 1, 7, 64, 2].repeat(40)), Noted::new(&[5, 1]));
        let [long_took, short_took] = walk([&long, &short]);
        assert_eq!(long.counts(), long.tasks);
        assert_eq!(short.counts(), short.tasks);
        assert!(long_took > Duration::ZERO && short_took > Duration::ZERO);
        walk([&Noted::new(&[])]);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_works_on() {
        struct Failing;
        impl Course for Failing {
            fn steps(&self) -> usize {
                2
            }
            fn tasks(&self, _: usize) -> usize {
                8
            }
            fn run(&self, step: usize, task: usize) {
                assert!((step, task) != (0, 5), "the sixth task fails");
            }
        }
        let failed = std::panic::catch_unwind(|| walk([&Failing]));
        assert!(failed.is_err());
        let after = Noted::new(&[2, 2]);
        walk([&after]);
        assert_eq!(after.counts(), after.tasks);
    }
}
