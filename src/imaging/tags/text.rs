//! The tree as plain text, a line for each element: for the clipboard and the terminal.

use std::fmt::Write;

use super::{Form, Node, NodeKind, TagTree};

impl Node {
    /// The value in words on one line, with what its reader should know.
    pub fn shown(&self) -> String {
        let value = &self.value;
        let mut shown = value
            .text
            .replace("\r\n", " ⏎ ")
            .replace(['\r', '\n'], " ⏎ ")
            .replace('\t', " ");
        if value.is_cut {
            shown.push_str(" …");
        }
        if value.form == Form::Bytes {
            let length = self
                .length
                .map_or_else(String::new, |length| format!("{length} bytes: "));
            shown.insert_str(0, &length);
        }
        if let Some(meaning) = &value.meaning {
            let _ = write!(shown, " ({meaning})");
        }
        if let Some(reading) = value.reading {
            let _ = write!(shown, " [{}]", reading.words());
        }
        shown
    }

    /// The name, with whom a private element belongs to.
    pub fn title(&self) -> String {
        match &self.creator {
            Some(creator) => format!("{} of {creator}", self.name),
            None => self.name.to_string(),
        }
    }

    /// The whole element on one line, without indentation.
    pub fn line(&self) -> String {
        let shown = self.shown();
        let head = match self.kind {
            NodeKind::Element => format!("{} {} {}", self.tag, self.vr.as_str(), self.title()),
            NodeKind::Item(_) | NodeKind::Fragment(_) => self.title(),
        };
        if shown.is_empty() {
            head
        } else {
            format!("{head}: {shown}")
        }
    }
}

impl TagTree {
    /// All lines, what lies in others indented, and the problems at the end.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            let _ = writeln!(
                text,
                "{:indent$}{}",
                "",
                node.line(),
                indent = 2 * usize::from(node.depth)
            );
        }
        for problem in &self.problems {
            let _ = writeln!(text, "Broken {problem}");
        }
        text
    }
}
