//! Every element of a DICOM file as a tree: what a tag viewer shows. Reads on where a picture's reader stops, says
//! where a broken file breaks, and knows nothing of pixels.

mod dictionary;
mod difference;
mod reader;
mod text;
mod used;
mod value;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dicom::by_label;
use super::{Error, Kind, kind_of, open_regular, read_all};

pub use super::dicom::Reading;
pub use difference::{Compared, Pair, compare};
pub use used::{Use, UsedBy, uses};

/// A tag: group and element number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u16, pub u16);

impl Tag {
    /// Of a group that belongs to a manufacturer (PS3.5 7.8).
    pub const fn is_private(self) -> bool {
        self.0 % 2 == 1
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:04X},{:04X})", self.0, self.1)
    }
}

/// The elements of a file.
#[derive(Debug, Clone)]
pub struct TagTree {
    /// The file they were read from.
    pub file: PathBuf,
    /// Transfer Syntax UID; guessed where the file names none.
    pub transfer_syntax: Option<String>,
    /// Elements, items and fragments, each before what it holds.
    pub nodes: Vec<Node>,
    /// Where the file breaks, in the order of the file; empty for a whole one.
    pub problems: Vec<Problem>,
}

/// One line of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Its tag; that of an item for items and fragments.
    pub tag: Tag,
    /// How many nodes it lies in.
    pub depth: u8,
    /// Index behind the last node that it holds; the next index for one that holds none.
    pub end: usize,
    /// Value representation, two letters; empty for items.
    pub vr: Vr,
    /// The VR is the dictionary's, because the file has none.
    pub vr_is_implied: bool,
    /// Keyword of the standard, such as `PatientName`.
    pub keyword: Option<&'static str>,
    /// Name in words.
    pub name: Cow<'static, str>,
    /// Who a private element belongs to, where the file says so.
    pub creator: Option<Arc<str>>,
    /// Length of the value in bytes, `None` if it is undefined.
    pub length: Option<u64>,
    /// Position of the element, in bytes from the start of the file, or of the inflated data set.
    pub position: u64,
    /// The value.
    pub value: Value,
}

/// What a line of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A data element.
    Element,
    /// An item of a sequence, counted from 1.
    Item(u32),
    /// A fragment of encapsulated pixels; 0 is the offset table.
    Fragment(u32),
}

/// Value representation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Vr(pub(super) [u8; 2]);

impl Vr {
    /// The two letters; empty where there is none.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim_matches('\0')
    }
}

impl fmt::Debug for Vr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    /// In words: text, numbers with `\` between them, tags, or the first bytes in hexadecimal digits.
    pub text: String,
    /// What form it has.
    pub form: Form,
    /// There is more than is shown.
    pub is_cut: bool,
    /// How text was read, if not simply as declared.
    pub reading: Option<Reading>,
    /// What a UID means.
    pub meaning: Option<String>,
    /// BLAKE3 of the bytes, where not all of them are shown: values that differ out of sight differ all the same.
    pub hash: Option<[u8; 32]>,
}

/// The form of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Nothing, or nothing but other nodes.
    #[default]
    Empty,
    /// Text.
    Text,
    /// Numbers.
    Numbers,
    /// Tags.
    Tags,
    /// Bytes.
    Bytes,
}

/// Where a file breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Position in bytes: from the start of the file, or of the inflated data set.
    pub position: u64,
    /// The position counts in the data set that was inflated.
    pub is_inflated: bool,
    /// The cause.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.is_inflated {
            " of the inflated data set"
        } else {
            ""
        };
        write!(f, "at byte {}{place}: {}", self.position, self.reason)
    }
}

/// Reads the elements of a DICOM file. `character_set` is a label of the Encoding Standard (`windows-1251`) that
/// text is read in whatever the file declares.
///
/// # Errors
/// If the file cannot be read, is no DICOM file, or there is no such character set.
pub fn read(path: &Path, character_set: Option<&str>) -> Result<TagTree, Error> {
    let (file, length, head) = open_regular(path)?;
    let bytes = is_dicom(path, length, &head).and_then(|()| read_all(file));
    let bytes = bytes.map_err(|reason| refused(path, reason))?;
    decode(path, &bytes, character_set)
}

/// As [`read`], of bytes in memory; `name` is what messages call them.
///
/// # Errors
/// As [`read`].
pub fn decode(name: &Path, bytes: &[u8], character_set: Option<&str>) -> Result<TagTree, Error> {
    let head = &bytes[..bytes.len().min(super::HEAD_BYTES as usize)];
    is_dicom(name, bytes.len() as u64, head).map_err(|reason| refused(name, reason))?;
    let chosen = match character_set {
        None => None,
        Some(label) => Some(by_label(label).ok_or_else(|| {
            let reason = format!("there is no character set '{label}'; name one such as utf-8, windows-1251 or gbk");
            refused(name, reason)
        })?),
    };
    super::guarded(name, || Ok(reader::read(name, bytes, chosen)))
}

fn is_dicom(name: &Path, length: u64, head: &[u8]) -> Result<(), String> {
    match kind_of(name, length, head) {
        Some(Kind::Dicom) => Ok(()),
        Some(Kind::Raster(_) | Kind::Headerless) => {
            Err("this is a picture, but no DICOM file: it has no tags".to_owned())
        }
        None => Err("this is no DICOM file".to_owned()),
    }
}

fn refused(path: &Path, reason: String) -> Error {
    Error::Undecodable {
        path: path.to_owned(),
        reason,
    }
}

impl TagTree {
    /// Nodes directly below a node, or the top ones.
    pub fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> {
        let (first, end) = match parent.and_then(|index| Some((index, self.nodes.get(index)?))) {
            Some((index, node)) => (index + 1, node.end),
            None => (0, if parent.is_none() { self.nodes.len() } else { 0 }),
        };
        let start = (first < end).then_some(first);
        std::iter::successors(start, move |&index| {
            Some(self.nodes.get(index)?.end).filter(|&next| next < end)
        })
    }

    /// The top-level element of this tag, the last one if there are several.
    pub fn find(&self, tag: Tag) -> Option<&Node> {
        self.nodes.get(self.child(None, tag)?)
    }

    /// The last element of a tag among the children of a node.
    pub(super) fn child(&self, parent: Option<usize>, tag: Tag) -> Option<usize> {
        self.children(parent)
            .filter(|&index| self.nodes[index].tag == tag)
            .last()
    }
}
