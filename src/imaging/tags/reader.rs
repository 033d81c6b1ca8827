//! The walk over a file. Every length is checked against the bytes that are there, nesting and number of elements
//! are bounded, and what comes after a break inside a known length is read all the same.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use encoding_rs::Encoding as TextEncoding;

use super::super::dicom::body;
use super::super::dicom::character_set::Declared;
use super::super::dicom::elements::{
    Encoding, Header, ITEM, ITEM_END, MAX_DEPTH, PIXEL_DATA, Reader, SEQUENCE_END, inner_encoding,
};
use super::value::{self, Room};
use super::{Node, NodeKind, Problem, Tag, TagTree, Value, Vr, dictionary};

/// Most lines of a tree.
const MAX_NODES: usize = 500_000;
/// Most problems that are listed.
const MAX_PROBLEMS: usize = 100;

const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);
const PIXEL_REPRESENTATION: Tag = Tag(0x0028, 0x0103);

/// The walk was broken off; why is said among the problems.
struct Broken;

/// Reads all elements of a DICOM file.
pub(super) fn read(file: &Path, bytes: &[u8], chosen: Option<&'static TextEncoding>) -> TagTree {
    // Zeroes behind the last element are padding of the medium.
    let end_of = |bytes: &[u8]| bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let mut walk = Walk {
        content_end: bytes.len(),
        ..Walk::default()
    };
    let declared = chosen.map_or_else(Declared::default, Declared::chosen);
    let mut transfer_syntax = None;
    if let Ok(start) = walk.meta(bytes, &declared) {
        match body(bytes) {
            Ok((syntax, data, encoding)) => {
                walk.inflated = matches!(data, Cow::Owned(_));
                walk.base = if walk.inflated {
                    0
                } else {
                    (bytes.len() - data.len()) as u64
                };
                walk.content_end = end_of(&data);
                transfer_syntax = Some(syntax);
                let mut reader = Reader { data: &data, at: 0 };
                let _broken = walk.data_set(&mut reader, encoding, Scope::new(declared), false);
            }
            Err(reason) => walk.problem(start, reason),
        }
    }
    TagTree {
        file: file.to_owned(),
        transfer_syntax,
        nodes: walk.nodes,
        problems: walk.problems,
    }
}

/// What holds for the elements of a data set.
struct Scope {
    declared: Declared,
    signed: bool,
    depth: u8,
    creators: HashMap<(u16, u8), Arc<str>>,
}

impl Scope {
    fn new(declared: Declared) -> Self {
        Self {
            declared,
            signed: false,
            depth: 0,
            creators: HashMap::new(),
        }
    }

    /// The scope of an item: character set and sign go on, private blocks are its own.
    fn inner(&self) -> Self {
        Self {
            declared: self.declared.clone(),
            signed: self.signed,
            depth: self.depth + 2,
            creators: HashMap::new(),
        }
    }

    /// Remembers what concerns later elements.
    fn hear(&mut self, tag: Tag, bytes: &[u8], value: &Value) {
        match tag {
            SPECIFIC_CHARACTER_SET if !self.declared.is_chosen() => {
                let terms: String = bytes.iter().take(400).map(|&byte| char::from(byte)).collect();
                self.declared = Declared::new(terms.trim_matches([' ', '\0']));
            }
            PIXEL_REPRESENTATION => self.signed = value.text == "1",
            Tag(group, block @ 0x0010..=0x00ff) if tag.is_private() => {
                self.creators
                    .insert((group, block as u8), Arc::from(value.text.as_str()));
            }
            _ => {}
        }
    }

    fn creator(&self, tag: Tag) -> Option<Arc<str>> {
        let block = (tag.1 >> 8) as u8;
        (tag.is_private() && block >= 0x10)
            .then(|| self.creators.get(&(tag.0, block)).cloned())
            .flatten()
    }
}

#[derive(Default)]
struct Walk {
    nodes: Vec<Node>,
    problems: Vec<Problem>,
    room: Room,
    /// Position of the data set in the file.
    base: u64,
    inflated: bool,
    /// Where the data set's last byte ends that is not zero.
    content_end: usize,
}

impl Walk {
    fn problem(&mut self, at: usize, reason: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                position: self.base + at as u64,
                is_inflated: self.inflated,
                reason,
            });
        }
    }

    /// Adds a node that holds no others yet.
    fn push(&mut self, mut node: Node, at: usize) -> Result<usize, Broken> {
        if self.nodes.len() >= MAX_NODES {
            self.problem(
                at,
                format!("it has more than {MAX_NODES} elements; the others are not listed"),
            );
            return Err(Broken);
        }
        node.end = self.nodes.len() + 1;
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    /// Marks a node's end once all that it holds was read.
    fn close(&mut self, index: usize) {
        let end = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(index) {
            node.end = end;
        }
    }

    /// File meta information; returns where the data set begins.
    fn meta(&mut self, bytes: &[u8], declared: &Declared) -> Result<usize, Broken> {
        let mark = [128, 0].into_iter().find(|&at| bytes.get(at..at + 4) == Some(b"DICM"));
        let mut reader = Reader {
            data: bytes,
            at: mark.map_or(0, |mark| mark + 4),
        };
        let mut scope = Scope::new(declared.clone());
        while bytes.get(reader.at..reader.at.saturating_add(2)) == Some(&[2, 0]) {
            self.element(&mut reader, Encoding::EXPLICIT, &mut scope)?;
        }
        Ok(reader.at)
    }

    /// The elements of the file, or of an item that a delimiter closes.
    fn data_set(
        &mut self,
        reader: &mut Reader,
        encoding: Encoding,
        mut scope: Scope,
        delimited: bool,
    ) -> Result<(), Broken> {
        while reader.at < reader.data.len() && (delimited || reader.at < self.content_end) {
            if delimited && self.closes(reader, encoding, ITEM_END)? {
                return Ok(());
            }
            self.element(reader, encoding, &mut scope)?;
        }
        if delimited {
            self.problem(reader.at, "an item of a sequence is not closed".to_owned());
            return Err(Broken);
        }
        Ok(())
    }

    /// Moves behind the delimiter if it comes next.
    fn closes(&mut self, reader: &mut Reader, encoding: Encoding, delimiter: (u16, u16)) -> Result<bool, Broken> {
        let start = reader.at;
        let header = self.header(reader, encoding)?;
        if header.tag != delimiter {
            reader.at = start;
        }
        Ok(header.tag == delimiter)
    }

    fn header(&mut self, reader: &mut Reader, encoding: Encoding) -> Result<Header, Broken> {
        let start = reader.at;
        reader.header(encoding).map_err(|reason| {
            self.problem(start, reason);
            Broken
        })
    }

    fn element(&mut self, reader: &mut Reader, encoding: Encoding, scope: &mut Scope) -> Result<(), Broken> {
        let start = reader.at;
        let header = self.header(reader, encoding)?;
        let tag = Tag(header.tag.0, header.tag.1);
        let entry = dictionary::entry(tag, scope.signed);
        let given = header.vr.filter(|vr| vr != b"UN");
        let is_nested = header.length.is_none() && header.tag != PIXEL_DATA;
        let vr = given.or(entry.vr).unwrap_or(if is_nested { *b"SQ" } else { *b"UN" });
        let index = self.push(
            Node {
                kind: NodeKind::Element,
                tag,
                depth: scope.depth,
                end: 0,
                vr: Vr(vr),
                vr_is_implied: header.vr != Some(vr),
                keyword: entry.keyword,
                name: entry.name,
                creator: scope.creator(tag),
                length: header.length.map(|length| length as u64),
                position: self.base + start as u64,
                value: Value::default(),
            },
            start,
        )?;
        let inner = inner_encoding(&header, encoding);
        let Some(length) = header.length else {
            let outcome = if is_nested && !matches!(&vr, b"OB" | b"OW") {
                self.items(reader, inner, scope)
            } else {
                self.fragments(reader, inner, scope.depth)
            };
            self.close(index);
            return outcome;
        };
        let outcome = self.defined(reader, index, length, inner, scope);
        self.close(index);
        outcome
    }

    /// A value of known length: what is broken inside does not touch what comes after.
    fn defined(
        &mut self,
        reader: &mut Reader,
        index: usize,
        length: usize,
        encoding: Encoding,
        scope: &mut Scope,
    ) -> Result<(), Broken> {
        let start = reader.at;
        let there = reader.data.len() - start;
        let bytes = &reader.data[start..start + length.min(there)];
        let (tag, vr) = (self.nodes[index].tag, self.nodes[index].vr.0);
        let begins_with_item = bytes.starts_with(&[0xfe, 0xff, 0x00, 0xe0]);
        let mut nested = Reader {
            data: &reader.data[..start + bytes.len()],
            at: start,
        };
        if &vr == b"SQ" {
            // Some writers close a sequence of defined length all the same: that is not seen, and harmless.
            let _broken_inside = self.items(&mut nested, encoding, scope);
        } else if &vr == b"UN" && begins_with_item && length <= there {
            let (nodes, problems) = (self.nodes.len(), self.problems.len());
            let whole = self.items(&mut nested, encoding, scope).is_ok() && self.problems.len() == problems;
            if !whole {
                self.nodes.truncate(nodes);
                self.problems.truncate(problems);
                self.nodes[index].value = value::bytes_of(bytes);
            }
        } else {
            let shown = value::shown(bytes, vr, encoding, &scope.declared, &mut self.room);
            scope.hear(tag, bytes, &shown);
            self.nodes[index].value = shown;
        }
        if length > there {
            let reason = format!("{tag} announces {length} bytes, {there} are there");
            self.problem(start, reason);
            return Err(Broken);
        }
        reader.at = start + length;
        Ok(())
    }

    /// The items of a sequence, up to its delimiter or the end of the bytes.
    fn items(&mut self, reader: &mut Reader, encoding: Encoding, scope: &Scope) -> Result<(), Broken> {
        if usize::from(scope.depth) >= 2 * MAX_DEPTH {
            self.problem(
                reader.at,
                format!("sequences are nested deeper than {MAX_DEPTH}; what lies deeper is not listed"),
            );
            return Err(Broken);
        }
        let mut number = 0;
        while reader.at < reader.data.len() {
            let start = reader.at;
            let header = self.header(reader, encoding)?;
            match header.tag {
                ITEM => {}
                SEQUENCE_END => return Ok(()),
                (group, element) => {
                    self.problem(
                        start,
                        format!("{} stands between the items of a sequence", Tag(group, element)),
                    );
                    return Err(Broken);
                }
            }
            number += 1;
            let index = self.push(
                part(
                    NodeKind::Item(number),
                    scope.depth + 1,
                    self.base + start as u64,
                    &header,
                ),
                start,
            )?;
            let outcome = self.item(reader, &header, encoding, scope);
            self.close(index);
            outcome?;
        }
        Ok(())
    }

    fn item(&mut self, reader: &mut Reader, header: &Header, encoding: Encoding, scope: &Scope) -> Result<(), Broken> {
        let inner = scope.inner();
        let Some(length) = header.length else {
            return self.data_set(reader, encoding, inner, true);
        };
        let (start, there) = (reader.at, reader.data.len() - reader.at);
        let mut item = Reader {
            data: &reader.data[..start + length.min(there)],
            at: start,
        };
        let _broken_inside = self.data_set(&mut item, encoding, inner, false);
        if length > there {
            self.problem(start, format!("an item announces {length} bytes, {there} are there"));
            return Err(Broken);
        }
        reader.at = start + length;
        Ok(())
    }

    /// Offset table and fragments of encapsulated pixels (PS3.5 A.4).
    fn fragments(&mut self, reader: &mut Reader, encoding: Encoding, depth: u8) -> Result<(), Broken> {
        let mut number = 0;
        while reader.at < reader.data.len() {
            let start = reader.at;
            let header = self.header(reader, encoding)?;
            let length = match (header.tag, header.length) {
                (ITEM, Some(length)) => length,
                (SEQUENCE_END, _) => return Ok(()),
                ((group, element), _) => {
                    self.problem(
                        start,
                        format!("{} stands between the fragments of the pixels", Tag(group, element)),
                    );
                    return Err(Broken);
                }
            };
            let index = self.push(
                part(NodeKind::Fragment(number), depth + 1, self.base + start as u64, &header),
                start,
            )?;
            let there = reader.data.len() - reader.at;
            let bytes = &reader.data[reader.at..reader.at + length.min(there)];
            self.nodes[index].value = value::bytes_of(bytes);
            if length > there {
                let reason = format!("a fragment announces {length} bytes, {there} are there");
                self.problem(reader.at, reason);
                return Err(Broken);
            }
            reader.at += length;
            number += 1;
        }
        self.problem(reader.at, "the file ends before the pixels are closed".to_owned());
        Err(Broken)
    }
}

/// An item of a sequence, or a fragment.
fn part(kind: NodeKind, depth: u8, position: u64, header: &Header) -> Node {
    let name = match kind {
        NodeKind::Item(number) => format!("Item {number}").into(),
        NodeKind::Fragment(0) => Cow::Borrowed("Basic Offset Table"),
        NodeKind::Fragment(number) => format!("Fragment {number}").into(),
        NodeKind::Element => Cow::Borrowed(""),
    };
    Node {
        kind,
        tag: Tag(header.tag.0, header.tag.1),
        depth,
        end: 0,
        vr: Vr([0, 0]),
        vr_is_implied: false,
        keyword: None,
        name,
        creator: None,
        length: header.length.map(|length| length as u64),
        position,
        value: Value::default(),
    }
}
