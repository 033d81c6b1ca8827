//! What an import did with every tensor, for people and for programs.

use serde::Serialize;

use super::super::{BackboneKind, Graph};
use super::source::Format;

/// What became of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Taken as it is.
    Used,
    /// Taken, and changed on the way; the note says how.
    Changed,
    /// Not in the file and not meant to be: filled with the constant that the note names.
    Filled,
    /// Known and not needed.
    Ignored,
    /// Not needed, and of no known use.
    LeftOver,
    /// Part of another encoder.
    OtherEncoder,
    /// Needed, but not there.
    Missing,
    /// Needed and there, but of another shape.
    WrongShape,
    /// Needed and there, but its numbers cannot be used.
    BadValues,
}

impl Fate {
    /// Every fate, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Used,
        Self::Changed,
        Self::Filled,
        Self::Ignored,
        Self::LeftOver,
        Self::OtherEncoder,
        Self::Missing,
        Self::WrongShape,
        Self::BadValues,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Changed => "changed",
            Self::Filled => "filled",
            Self::Ignored => "ignored",
            Self::LeftOver => "left over",
            Self::OtherEncoder => "other encoder",
            Self::Missing => "missing",
            Self::WrongShape => "wrong shape",
            Self::BadValues => "bad values",
        }
    }
}

/// One tensor of the file, of the encoder, or of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Our name, if the encoder needs it.
    pub name: Option<String>,
    /// Its name in the file, if it is there.
    pub source: Option<String>,
    /// Its shape in the file; where it is not there, the shape that is needed.
    pub shape: Vec<usize>,
    /// Type of its numbers in the file.
    pub stored: Option<&'static str>,
    /// What became of it.
    pub fate: Fate,
    /// Why, or how it was changed; may be empty.
    pub note: String,
}

impl Entry {
    /// It in a line: names, shape, type, note.
    pub fn words(&self) -> String {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let names = match (&self.source, &self.name) {
            (Some(source), Some(name)) if source != name => format!("{source} -> {name}"),
            (Some(name), _) | (None, Some(name)) => name.clone(),
            (None, None) => String::new(),
        };
        let stored = self.stored.unwrap_or_default();
        let words = format!("{names}  [{}] {stored}  {}", shape.join(", "), self.note);
        // A name from a file must not drive the terminal.
        words
            .trim_end()
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect()
    }
}

/// An import from beginning to end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Name of the file, without its folder.
    pub file: String,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
    /// What it is.
    pub format: Format,
    /// Encoder that it was read as.
    pub backbone: BackboneKind,
    /// Graph that the weights belong to.
    pub graph: Graph,
    /// Tensors that the encoder needs.
    pub needed: usize,
    /// Why the weights cannot be used; `None` where they can.
    pub problem: Option<String>,
    /// Every tensor: the encoder's in the order of its graph, then the others in the file's.
    pub tensors: Vec<Entry>,
}

impl Report {
    /// Tensors with a fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.tensors.iter().filter(|entry| entry.fate == fate).count()
    }

    /// The first tensor with a fate, by our name or the file's.
    pub(super) fn first(&self, fate: Fate) -> Option<(&str, &Entry)> {
        let entry = self.tensors.iter().find(|entry| entry.fate == fate)?;
        let name = entry.name.as_deref().or(entry.source.as_deref())?;
        Some((name, entry))
    }
}
