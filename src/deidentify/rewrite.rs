//! A data set with the profile applied to each element, sequences and all. Knows no files.

use std::borrow::Cow;

use super::options::{Dates, Options};
use super::profile::{self, Action, Row};
use super::pseudonym::{Key, Patient};
use super::registered::{is_coding_scheme, is_standard, is_uid};
use super::value::{bytes_of, capped_age, dummy, is_text};
use super::{dates, descriptors, graphics, safe_private};
use crate::imaging::tree::{Node, Value, dictionary_vr, keyword};

const PATIENT_NAME: (u16, u16) = (0x0010, 0x0010);
const PATIENT_ID: (u16, u16) = (0x0010, 0x0020);
const PATIENT_AGE: (u16, u16) = (0x0010, 0x1010);
const TRIAL_SUBJECT_ID: (u16, u16) = (0x0012, 0x0040);
const CODING_SCHEME_DESIGNATOR: (u16, u16) = (0x0008, 0x0102);
const CODING_SCHEME_UIDS: [(u16, u16); 3] = [(0x0008, 0x010c), (0x0008, 0x010d), (0x0008, 0x0117)];
/// Type 1 where they stand at all (PS3.3 C.11.10), although the table removes them: dummies are as good.
const PRESENTATION_CREATION: [(u16, u16); 2] = [(0x0070, 0x0082), (0x0070, 0x0083)];
/// Without items, it is allowed in the requests of a report alone (PS3.3 C.17.2).
const REFERENCED_STUDY_SEQUENCE: (u16, u16) = (0x0008, 0x1110);
const REFERENCED_REQUEST_SEQUENCE: &str = "(0040,A370)[";
/// Who gave an ID that is removed or emptied, as Issuer of Patient ID (0010,0021) says it: accession number, patient ID,
/// orders. The table does not name them, and no class requires them.
const ISSUERS: [(u16, u16); 4] = [(0x0008, 0x0051), (0x0010, 0x0024), (0x0040, 0x0026), (0x0040, 0x0027)];
/// Characters of an old value that a report shows.
const SHOWN: usize = 64;

/// What became of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is gone.
    Removed,
    /// It has no value any more.
    Emptied,
    /// Another value stands there.
    Replaced,
    /// Another UID stands there.
    NewUid,
    /// Its date was moved.
    DateShifted,
    /// A part of its value was taken out.
    Cleaned,
    /// It was not there before.
    Added,
}

impl Outcome {
    /// In one word, or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Emptied => "emptied",
            Self::Replaced => "replaced",
            Self::NewUid => "new UID",
            Self::DateShifted => "date shifted",
            Self::Cleaned => "cleaned",
            Self::Added => "added",
        }
    }
}

/// A change of one element.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Where it stands: tags, with the items of sequences in brackets from 0.
    pub path: String,
    /// Its name in the standard.
    pub name: String,
    /// What became of it.
    pub action: Outcome,
    /// What stood there, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What stands there now, where the old value was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// How the elements that no row names are treated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// By the rules alone.
    Rules,
    /// Their texts are cleaned as well: they stand in a sequence that is cleaned.
    Cleaned,
    /// Their texts are replaced: they stand in a sequence that is replaced.
    Dummies,
}

/// Applies the profile to one file.
pub(super) struct Rewriter<'s> {
    pub options: Options,
    pub key: &'s Key,
    pub patient: &'s Patient,
    /// No attribute with a choice of actions is required.
    pub classic_image: bool,
    /// Old and new values are put into the changes.
    pub old_values: bool,
    pub changes: Vec<Change>,
    path: String,
}

impl<'s> Rewriter<'s> {
    pub(super) fn new(options: Options, key: &'s Key, patient: &'s Patient) -> Self {
        Self {
            options,
            key,
            patient,
            classic_image: false,
            old_values: false,
            changes: Vec::new(),
            path: String::new(),
        }
    }

    /// The data set of a file, treated.
    pub(super) fn data_set<'a>(&mut self, nodes: Vec<Node<'a>>) -> Vec<Node<'a>> {
        self.nodes(nodes, Mode::Rules)
    }

    /// Says that an element was changed.
    pub(super) fn note(&mut self, tag: (u16, u16), action: Outcome, old: Option<&Node>, new: Option<&Node>) {
        let name = profile::row(tag).map(|row| row.name);
        let name = name
            .or_else(|| keyword(tag))
            .unwrap_or(if tag.0 % 2 == 1 { "Private" } else { "Unknown" });
        let shown = |node: Option<&Node>| node.filter(|_| self.old_values).map(in_words);
        self.changes.push(Change {
            path: format!("{}({:04X},{:04X})", self.path, tag.0, tag.1),
            name: name.to_owned(),
            action,
            old: shown(old),
            new: shown(new),
        });
    }

    fn nodes<'a>(&mut self, nodes: Vec<Node<'a>>, mode: Mode) -> Vec<Node<'a>> {
        let stays: Vec<bool> = nodes.iter().map(|node| self.private_stays(node, &nodes)).collect();
        let mut kept = Vec::with_capacity(nodes.len());
        for (node, stays) in nodes.into_iter().zip(stays) {
            if stays && !(mode == Mode::Dummies && node.tag.0 % 2 == 1) {
                kept.extend(self.element(node, mode));
            } else {
                self.note(node.tag, Outcome::Removed, Some(&node), None);
            }
        }
        kept
    }

    /// `false` for a private element that goes.
    fn private_stays(&self, node: &Node, data_set: &[Node]) -> bool {
        node.tag.0.is_multiple_of(2) || (self.options.retain_safe_private && safe_private::may_stay(node.tag, data_set))
    }

    fn element<'a>(&mut self, node: Node<'a>, mode: Mode) -> Option<Node<'a>> {
        let tag = node.tag;
        if [PATIENT_NAME, PATIENT_ID, TRIAL_SUBJECT_ID].contains(&tag) {
            return Some(self.pseudonym(&node));
        }
        let action = match self.action(&node, mode) {
            // Who knows what a text says that should be a UID and is none.
            Action::Keep if effective_vr(&node) == *b"UI" && !holds_uids(&node) => Action::NewUid,
            action => action,
        };
        match action {
            Action::Keep => self.keep(node, mode),
            Action::Remove => {
                self.note(tag, Outcome::Removed, Some(&node), None);
                None
            }
            Action::Empty => Some(self.empty(node)),
            Action::Replace => Some(self.replace(node)),
            Action::NewUid => Some(self.new_uid(node)),
            Action::Clean => self.clean(node, mode),
        }
    }

    fn action(&self, node: &Node, mode: Mode) -> Action {
        let Node { tag, .. } = *node;
        // Commands, meta information and directory records have no place in a data set (PS3.5 7.1).
        if tag.0 < 0x0008 {
            return Action::Remove;
        }
        if tag.0 % 2 == 1 {
            return Action::Keep;
        }
        if let Some(row) = profile::row(tag) {
            return self.listed_action(tag, row);
        }
        if ISSUERS.contains(&tag) {
            return Action::Remove;
        }
        if tag.0 & 0xff00 == 0x6000 {
            return graphics::overlay_action(tag, &self.options);
        }
        self.other_action(node, mode)
    }

    /// Of an attribute that has a row in the table.
    fn listed_action(&self, tag: (u16, u16), row: &Row) -> Action {
        let is_in_request = self.path.contains(REFERENCED_REQUEST_SEQUENCE);
        match row.action(&self.options, self.classic_image) {
            Action::Remove if PRESENTATION_CREATION.contains(&tag) => Action::Replace,
            Action::Empty if tag == REFERENCED_STUDY_SEQUENCE && !is_in_request => Action::Remove,
            action => action,
        }
    }

    /// Of an attribute that has none: by its VR.
    fn other_action(&self, node: &Node, mode: Mode) -> Action {
        let Some(known) = dictionary_vr(node.tag) else {
            return Action::Remove;
        };
        let vr = if node.vr == *b"UN" { known } else { node.vr };
        match (&vr, mode) {
            (b"PN", _) => Action::Empty,
            (b"DA" | b"DT" | b"TM", _) => match self.options.dates {
                Dates::Keep => Action::Keep,
                Dates::Shift => Action::Clean,
                // It may be of Type 1 where an image of the classic kind has none.
                Dates::Remove if !self.classic_image => Action::Replace,
                Dates::Remove => Action::Empty,
            },
            (b"UI", _) if self.is_foreign_uid(node) => Action::NewUid,
            (b"AE" | b"UR", Mode::Dummies | Mode::Cleaned) => Action::Replace,
            (_, Mode::Dummies) if is_text(vr) => Action::Replace,
            (_, Mode::Cleaned) if is_text(vr) => Action::Clean,
            _ => Action::Keep,
        }
    }

    /// A UID of an instance that no row names; classes and coding schemes say nothing about anybody.
    fn is_foreign_uid(&self, node: &Node) -> bool {
        let is_class = keyword(node.tag).is_some_and(|keyword| keyword.ends_with("ClassUID"));
        let own = node.text().is_some_and(|uids| !uids.split('\\').all(is_standard));
        own && !is_class && !self.options.retain_uids && !CODING_SCHEME_UIDS.contains(&node.tag)
    }

    fn pseudonym(&mut self, node: &Node) -> Node<'static> {
        let value = match &effective_vr(node) {
            b"PN" => self.patient.name(),
            _ => self.patient.pseudonym.clone(),
        };
        let new = made(node, value);
        self.note(node.tag, Outcome::Replaced, Some(node), Some(&new));
        new
    }

    fn keep<'a>(&mut self, node: Node<'a>, mode: Mode) -> Option<Node<'a>> {
        if node.tag == PATIENT_AGE && node.text().is_some() {
            return self.with_text(node, Outcome::Cleaned, capped_age);
        }
        Some(self.inside(node, mode))
    }

    /// The element itself, with what is in its items treated.
    fn inside<'a>(&mut self, node: Node<'a>, mode: Mode) -> Node<'a> {
        let Value::Items(items) = node.value else { return node };
        let length = self.path.len();
        let mut treated = Vec::with_capacity(items.len());
        for (number, item) in items.into_iter().enumerate() {
            let (group, element) = node.tag;
            self.path.extend([format!("({group:04X},{element:04X})[{number}]/")]);
            // Codes of a known scheme are the same words everywhere.
            let mode = if mode == Mode::Cleaned && is_public_code(&item) {
                Mode::Rules
            } else {
                mode
            };
            treated.push(self.nodes(item, mode));
            self.path.truncate(length);
        }
        Node {
            value: Value::Items(treated),
            ..node
        }
    }

    fn empty<'a>(&mut self, node: Node<'a>) -> Node<'a> {
        let value = match &node.value {
            Value::Items(items) if items.is_empty() => return node,
            Value::Bytes(_) if node.text().is_none() => return node,
            Value::Items(_) => Value::Items(Vec::new()),
            Value::Bytes(_) | Value::Fragments(_) => Value::Bytes(Cow::Borrowed(&[])),
        };
        self.note(node.tag, Outcome::Emptied, Some(&node), None);
        Node { value, ..node }
    }

    /// A dummy: of a sequence, its first item with dummies for its texts.
    fn replace<'a>(&mut self, node: Node<'a>) -> Node<'a> {
        match node.value {
            Value::Items(mut items) => {
                items.truncate(1);
                if !items.is_empty() {
                    self.note(node.tag, Outcome::Replaced, None, None);
                }
                let value = Value::Items(items);
                self.inside(Node { value, ..node }, Mode::Dummies)
            }
            Value::Bytes(ref bytes) if bytes.is_empty() => node,
            Value::Bytes(ref bytes) => {
                let new = made(&node, dummy(effective_vr(&node), bytes.len()));
                self.note(node.tag, Outcome::Replaced, Some(&node), Some(&new));
                new
            }
            Value::Fragments(_) => self.empty(node),
        }
    }

    fn new_uid<'a>(&mut self, node: Node<'a>) -> Node<'a> {
        if matches!(node.value, Value::Items(_)) {
            return self.inside(node, Mode::Rules);
        }
        let Some(text) = node.text() else { return node };
        let new = |uid: &str| match uid.trim_matches([' ', '\0']) {
            "" => String::new(),
            uid if is_standard(uid) => uid.to_owned(),
            uid => self.key.uid(uid),
        };
        let uids: Vec<String> = text.split('\\').map(new).collect();
        let uids = uids.join("\\");
        if uids == text {
            return node;
        }
        let new = made(&node, uids);
        self.note(node.tag, Outcome::NewUid, Some(&node), Some(&new));
        new
    }

    fn clean<'a>(&mut self, node: Node<'a>, mode: Mode) -> Option<Node<'a>> {
        let days = self.patient.shift_days;
        let vr = effective_vr(&node);
        // What is cleaned of overlays is what is drawn, once the whole data set is known; in items, none is drawn.
        if graphics::is_overlay_data(node.tag) {
            return if self.path.is_empty() {
                Some(node)
            } else {
                self.basic(node)
            };
        }
        let shifted = |shift: fn(&str, i64) -> Option<String>| {
            move |text: &str| -> Option<String> {
                let dates: Option<Vec<String>> = text.split('\\').map(|date| shift(date, days)).collect();
                Some(dates?.join("\\"))
            }
        };
        match (&vr, &node.value) {
            (_, Value::Items(_)) => {
                let mode = if mode == Mode::Dummies { mode } else { Mode::Cleaned };
                Some(self.inside(node, mode))
            }
            (b"DA", _) => self.with_text(node, Outcome::DateShifted, shifted(dates::shift_date)),
            (b"DT", _) => self.with_text(node, Outcome::DateShifted, shifted(dates::shift_date_time)),
            (b"TM", _) => Some(node),
            _ if is_text(vr) => self.with_text(node, Outcome::Cleaned, descriptors::clean),
            _ => self.basic(node),
        }
    }

    /// The element with what `change` makes of its text; where that is nothing, the Basic Profile's action.
    fn with_text<'a>(
        &mut self,
        node: Node<'a>,
        outcome: Outcome,
        change: impl Fn(&str) -> Option<String>,
    ) -> Option<Node<'a>> {
        let Some(text) = node.text() else { return Some(node) };
        let Some(changed) = change(&text) else {
            return self.basic(node);
        };
        if changed == text {
            return Some(node);
        }
        let new = made(&node, bytes_of(&changed));
        self.note(node.tag, outcome, Some(&node), Some(&new));
        Some(new)
    }

    /// What the Basic Profile does, where an option cannot do its part.
    fn basic<'a>(&mut self, node: Node<'a>) -> Option<Node<'a>> {
        let row = profile::row(node.tag);
        match row.map_or(Action::Replace, |row| row.basic.action(self.classic_image)) {
            Action::Empty => Some(self.empty(node)),
            Action::Replace => Some(self.replace(node)),
            Action::NewUid => Some(self.new_uid(node)),
            Action::Remove | Action::Keep | Action::Clean => {
                self.note(node.tag, Outcome::Removed, Some(&node), None);
                None
            }
        }
    }
}

/// The VR that the standard gives the tag, where the file does not know it.
fn effective_vr(node: &Node) -> [u8; 2] {
    if node.vr != *b"UN" {
        return node.vr;
    }
    let row = profile::row(node.tag).map(|row| row.vr);
    dictionary_vr(node.tag).or(row).unwrap_or(node.vr)
}

/// The element with another value, and with the VR that the standard gives its tag: the file may say UN of what it does
/// not know, whose padding is another one.
fn made(node: &Node, value: impl Into<Vec<u8>>) -> Node<'static> {
    let value = value.into();
    // Most VRs have a length of 16 bits, UN has not.
    let vr = if value.len() > usize::from(u16::MAX) {
        node.vr
    } else {
        effective_vr(node)
    };
    Node::new(node.tag, vr, value)
}

/// Whether all values are UIDs; an empty element holds nothing else.
fn holds_uids(node: &Node) -> bool {
    let values = node.text().unwrap_or_default();
    let mut values = values.split('\\').map(|value| value.trim_matches([' ', '\0']));
    values.all(|value| value.is_empty() || is_uid(value))
}

/// Whether an item is a code of a scheme that the standard names: neither local nor private.
fn is_public_code(item: &[Node]) -> bool {
    super::text(item, CODING_SCHEME_DESIGNATOR).is_some_and(|scheme| is_coding_scheme(&scheme))
}

/// A value as a report shows it.
fn in_words(node: &Node) -> String {
    match &node.value {
        Value::Items(items) => format!("{} items", items.len()),
        Value::Fragments(fragments) => format!("{} fragments", fragments.len()),
        Value::Bytes(bytes)
            if bytes
                .iter()
                .take(SHOWN)
                .any(|&byte| byte < 0x20 && byte != 0 && byte != 0x1b) =>
        {
            format!("{} bytes", bytes.len())
        }
        Value::Bytes(_) => node.text().unwrap_or_default().chars().take(SHOWN).collect(),
    }
}
