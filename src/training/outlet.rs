//! Where a run's events go: to its listener, and to the files of the run folder once there is one.

use super::event::{NoteKind, Place, TrainingEvent};
use super::record::Recorder;
use super::trainer::Listener;

/// Passes events on.
pub struct Outlet<'a> {
    listener: Listener<'a>,
    recorder: Option<Recorder>,
    /// Where the run could be resumed.
    kept: Option<Place>,
}

impl<'a> Outlet<'a> {
    /// An outlet to a listener alone.
    pub fn new(listener: Listener<'a>) -> Self {
        Self {
            listener,
            recorder: None,
            kept: None,
        }
    }

    /// From now on events are written as well.
    pub fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Where the run could be resumed.
    pub fn kept(&self) -> Option<Place> {
        self.kept
    }

    /// Tells of an event. That a file of them cannot be written ends no run: the listener is told once.
    pub fn emit(&mut self, event: TrainingEvent) {
        match &event {
            TrainingEvent::Started(started) => self.kept = started.resumed_from,
            TrainingEvent::Checkpoint(checkpoint) => self.kept = Some(checkpoint.place),
            _ => {}
        }
        let problem = self.recorder.as_mut().and_then(|recorder| recorder.take(&event).err());
        (self.listener)(event);
        if let Some(text) = problem {
            (self.listener)(TrainingEvent::Note {
                kind: NoteKind::NotWritten,
                text,
            });
        }
    }

    /// As [`Outlet::emit`], for a note.
    pub fn note(&mut self, kind: NoteKind, text: impl Into<String>) {
        self.emit(TrainingEvent::Note {
            kind,
            text: text.into(),
        });
    }
}
