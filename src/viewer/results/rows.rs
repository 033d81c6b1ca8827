//! The table of runs: its columns, what stands in them, and their order.

use std::cmp::Ordering;

use crate::training::audit::Light;
use crate::training::runs::{BestEpoch, Run};
use crate::viewer::wording;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// The folder's name.
    Name,
    /// What it trains.
    Model,
    /// How it stands.
    State,
    /// Epochs done and asked for.
    Epochs,
    /// Best score on the validation part.
    Best,
    /// The audit's light.
    Audit,
    /// Size on the disk.
    Size,
    /// When it was last written.
    Changed,
    /// What the user wrote.
    Notes,
}

impl Column {
    /// In the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Name,
        Self::Model,
        Self::State,
        Self::Epochs,
        Self::Best,
        Self::Audit,
        Self::Size,
        Self::Changed,
        Self::Notes,
    ];

    /// Its head.
    pub fn title(self) -> &'static str {
        match self {
            Self::Name => "Run",
            Self::Model => "Network",
            Self::State => "State",
            Self::Epochs => "Epochs",
            Self::Best => "Best on validation",
            Self::Audit => "Audit",
            Self::Size => "Size",
            Self::Changed => "Last written",
            Self::Notes => "Notes",
        }
    }

    /// Its width over that of the others.
    pub fn weight(self) -> f32 {
        match self {
            Self::Name => 2.2,
            Self::Model => 1.7,
            Self::Notes => 2.4,
            Self::Best => 1.6,
            Self::Changed => 1.5,
            Self::State | Self::Epochs | Self::Audit | Self::Size => 1.0,
        }
    }

    /// What a run has there.
    pub fn text(self, run: &Run) -> String {
        let unknown = || wording::UNKNOWN.to_owned();
        match self {
            Self::Name => run.name.clone(),
            Self::Model => run.model.clone().unwrap_or_else(unknown),
            Self::State => run.state.name().to_owned(),
            Self::Epochs => match run.epochs {
                Some(epochs) => format!("{} of {epochs}", run.epochs_done),
                None => run.epochs_done.to_string(),
            },
            Self::Best => match &run.best {
                Some(best) => format!("{} {}", wording::metric(&best.metric), wording::number(best.score)),
                None => unknown(),
            },
            Self::Audit => run.audit.map_or_else(unknown, |light| light.name().to_owned()),
            Self::Size => wording::memory(run.bytes as f64 / f64::from(1 << 20)),
            Self::Changed => wording::moment(run.modified),
            Self::Notes => run.notes.lines().next().unwrap_or_default().to_owned(),
        }
    }

    fn compare(self, a: &Run, b: &Run) -> Ordering {
        let score = |run: &Run| run.best.as_ref().map_or(f64::NEG_INFINITY, BestEpoch::rank);
        match self {
            Self::Name => a.name.cmp(&b.name),
            Self::Model => a.model.cmp(&b.model),
            Self::State => a.state.cmp(&b.state),
            Self::Epochs => a.epochs_done.cmp(&b.epochs_done),
            Self::Best => score(a).total_cmp(&score(b)),
            Self::Audit => a.audit.cmp(&b.audit),
            Self::Size => a.bytes.cmp(&b.bytes),
            Self::Changed => a.modified.cmp(&b.modified),
            Self::Notes => a.notes.cmp(&b.notes),
        }
    }
}

/// The runs in the order of a column; equals stay as they were read, the last written first.
pub fn sorted(runs: &[Run], (column, falling): (Column, bool)) -> Vec<&Run> {
    let mut rows: Vec<&Run> = runs.iter().collect();
    rows.sort_by(|a, b| {
        let order = column.compare(a, b);
        if falling { order.reverse() } else { order }
    });
    rows
}

/// The light in a word that needs no colour.
pub fn light_words(light: Light) -> &'static str {
    match light {
        Light::Green => "Green: nothing speaks against it",
        Light::Amber => "Amber: its features tell the source",
        Light::Red => "Red: it does not need the lungs",
    }
}
