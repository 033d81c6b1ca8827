//! What a run can be told while it goes on, and the handle that carries it to the loop from any thread.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

use super::event::Stop;

/// A wish; on a pipe each is one word on a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Write a checkpoint after the batch under way and wait.
    Pause,
    /// Go on: ends a pause, or else takes back a stop that has not been made.
    Resume,
    /// End after the batch under way, with a checkpoint.
    StopAfterBatch,
    /// End after the epoch under way.
    StopAfterEpoch,
    /// Go on when whoever controls the run is gone, instead of stopping then.
    Detach,
}

impl Control {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Pause,
        Self::Resume,
        Self::StopAfterBatch,
        Self::StopAfterEpoch,
        Self::Detach,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::StopAfterBatch => "stop-after-batch",
            Self::StopAfterEpoch => "stop-after-epoch",
            Self::Detach => "detach",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Control {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|control| control.word() == word.trim());
        found.ok_or_else(|| {
            let words = Self::ALL.map(Self::word).join(", ");
            format!("'{}' is no control; there are {words}", word.trim())
        })
    }
}

#[derive(Debug, Default)]
struct Wishes {
    pause: bool,
    stop: Option<Stop>,
}

#[derive(Debug, Default)]
struct Shared {
    wishes: Mutex<Wishes>,
    changed: Condvar,
    /// Whether anything is wished at all: the loop looks here after every batch.
    any: AtomicBool,
    /// Whether to stop after the batch under way: loading and evaluation look here.
    at_once: AtomicBool,
    detached: AtomicBool,
}

/// What the loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Go,
    /// Wait in [`Controls::wait`].
    Pause,
    /// End now.
    Stop,
    /// End with the epoch under way.
    StopAfterEpoch,
}

/// The loop's ear; a clone hears the same.
#[derive(Debug, Clone, Default)]
pub struct Controls(Arc<Shared>);

impl Controls {
    /// Tells the loop.
    pub fn send(&self, control: Control) {
        let mut wishes = self.0.wishes.lock();
        match control {
            Control::Pause => wishes.pause = true,
            Control::Resume if wishes.pause => wishes.pause = false,
            Control::Resume => wishes.stop = None,
            Control::StopAfterBatch => wishes.stop = Some(Stop::AfterBatch),
            // A stop at once is not put off by a later one.
            Control::StopAfterEpoch => wishes.stop = wishes.stop.or(Some(Stop::AfterEpoch)),
            Control::Detach => self.0.detached.store(true, Ordering::Release),
        }
        self.0
            .any
            .store(wishes.pause || wishes.stop.is_some(), Ordering::Release);
        let at_once = wishes.stop == Some(Stop::AfterBatch);
        self.0.at_once.store(at_once, Ordering::Release);
        self.0.changed.notify_all();
    }

    /// What is wished now; a stop goes before a pause.
    pub fn next(&self) -> Next {
        if !self.0.any.load(Ordering::Acquire) {
            return Next::Go;
        }
        next(&self.0.wishes.lock())
    }

    /// Waits while a pause is wished.
    pub fn wait(&self) {
        let mut wishes = self.0.wishes.lock();
        while wishes.pause && wishes.stop != Some(Stop::AfterBatch) {
            self.0.changed.wait(&mut wishes);
        }
    }

    /// Whoever controls the run is gone: it stops after the batch under way, unless it was told to go on then.
    pub fn hang_up(&self) {
        if !self.0.detached.load(Ordering::Acquire) {
            self.send(Control::StopAfterBatch);
        }
        // Nobody is left to end a pause.
        let mut wishes = self.0.wishes.lock();
        wishes.pause = false;
        self.0.changed.notify_all();
    }

    /// Set when the run is to end as soon as it can.
    pub fn at_once(&self) -> &AtomicBool {
        &self.0.at_once
    }
}

fn next(wishes: &Wishes) -> Next {
    match (wishes.stop, wishes.pause) {
        (Some(Stop::AfterBatch), _) => Next::Stop,
        (_, true) => Next::Pause,
        (Some(Stop::AfterEpoch), false) => Next::StopAfterEpoch,
        (None, false) => Next::Go,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_controls() {
        for control in Control::ALL {
            assert_eq!(format!(" {control}\r\n").parse(), Ok(control));
        }
        assert!("halt".parse::<Control>().unwrap_err().contains("stop-after-epoch"));
    }

    #[test]
    fn a_stop_at_once_goes_before_everything_and_resume_takes_all_back() {
        let controls = Controls::default();
        assert_eq!(controls.next(), Next::Go);
        let expect = |control, next| {
            controls.send(control);
            assert_eq!(controls.clone().next(), next, "{control}");
        };
        expect(Control::StopAfterEpoch, Next::StopAfterEpoch);
        expect(Control::Pause, Next::Pause);
        expect(Control::StopAfterBatch, Next::Stop);
        expect(Control::StopAfterEpoch, Next::Stop);
        assert!(controls.at_once().load(Ordering::Acquire));
        // Nothing waits when it is to stop.
        controls.wait();
        expect(Control::Resume, Next::Stop);
        expect(Control::Resume, Next::Go);
        assert!(!controls.at_once().load(Ordering::Acquire));
    }

    #[test]
    fn a_run_whose_control_is_gone_stops_unless_it_was_detached() {
        let controls = Controls::default();
        controls.send(Control::Pause);
        controls.hang_up();
        assert_eq!(controls.next(), Next::Stop);
        let controls = Controls::default();
        controls.send(Control::Detach);
        controls.send(Control::Pause);
        controls.hang_up();
        assert_eq!(controls.next(), Next::Go);
    }
}
