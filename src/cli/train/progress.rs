//! A run on the terminal: the bar on standard error and a line an epoch on standard output.

use std::io::Write;

use indicatif::{ProgressBar, ProgressStyle};

use super::pipes::say;
use crate::training::event::{Stop, TrainingEvent};

/// Shows events.
pub struct Progress {
    bar: ProgressBar,
    /// Whether standard output belongs to somebody else.
    quiet: bool,
}

impl Progress {
    /// A bar that shows nothing yet. `quiet` leaves standard output alone and draws no bar, for a reader of events.
    ///
    /// # Panics
    /// Never: the template is well-formed.
    pub fn new(quiet: bool) -> Self {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(0)
        };
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} ETA {eta}")
            .expect("the template is well-formed");
        bar.set_style(style);
        Self { bar, quiet }
    }

    /// Shows what an event says.
    ///
    /// # Panics
    /// Never: a record is plain data.
    pub fn show(&mut self, event: &TrainingEvent) {
        match event {
            TrainingEvent::Started(started) => {
                if let Some(place) = started.resumed_from {
                    self.line(&format!("goes on after epoch {}, step {}", place.epochs, place.steps));
                }
            }
            TrainingEvent::Note { text, .. } => self.line(text),
            TrainingEvent::Checking { stage, done, total } => {
                self.place(*done, *total);
                self.bar.set_message(format!("check of the data, {stage}"));
            }
            TrainingEvent::Loading { done, total, size } => {
                self.place(*done, *total);
                self.bar.set_message(format!("images at {size} px"));
            }
            TrainingEvent::Step(step) => {
                self.place(step.done, step.total);
                self.bar.set_message(format!(
                    "epoch {}, loss {:.4}, {:.1} images/s, waited {:.0} %",
                    step.epoch,
                    step.loss,
                    step.images_per_second,
                    100.0 * step.waited
                ));
            }
            TrainingEvent::Validating { epoch, .. } => {
                self.bar.set_message(format!("epoch {epoch}, validation"));
            }
            TrainingEvent::Epoch(record) if !self.quiet => {
                let line = serde_json::to_string(record).expect("a record is plain data");
                self.bar.suspend(|| {
                    // Whoever reads the lines may have gone; the run goes on and keeps them in its folder.
                    let _ = writeln!(std::io::stdout(), "{line}");
                });
            }
            TrainingEvent::Paused { place } => {
                self.line(&format!("paused after epoch {}, step {}", place.epochs, place.steps));
            }
            TrainingEvent::Resumed => self.line("goes on"),
            TrainingEvent::Stopping { when: Stop::AfterEpoch } => self.line("stops after this epoch"),
            _ => {}
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| say(text));
    }

    /// Moves the bar; a count with another total begins a new estimate.
    fn place(&self, done: usize, total: usize) {
        if self.bar.length() != Some(total as u64) {
            self.bar.reset();
            self.bar.set_length(total as u64);
            self.bar.reset_eta();
        }
        self.bar.set_position(done as u64);
    }
}
