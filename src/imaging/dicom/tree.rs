//! A DICOM file as a tree of its data elements, to be changed and written again (PS3.5 chapter 7, PS3.10): values that
//! nobody changes are written byte by byte as they were read. Knows no attribute's meaning.

use std::borrow::Cow;
use std::io::Write;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag as DictionaryTag, VR};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_encoding::transfer_syntax::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::elements::{
    Element, Encoding, ITEM, ITEM_END, MAX_DEPTH, PIXEL_DATA, Reader, SEQUENCE_END, fragments, name,
};
use super::part10::{DEFLATED, Part10};

/// Most elements of a file, those in sequences counted.
const MAX_ELEMENTS: usize = 1_000_000;
/// Padding of values of odd length where it is not a space.
const NULL_PADDED: [&[u8; 2]; 6] = [b"UI", b"OB", b"UN", b"OW", b"OF", b"OD"];

/// A file, read as far as its encoding.
pub struct DicomFile<'a> {
    part10: Part10<'a>,
}

/// How the elements of a file are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    /// Transfer Syntax UID that names what the bytes are.
    pub uid: String,
    /// VRs stand in the file.
    pub explicit: bool,
    /// Numbers have their high byte first.
    pub big_endian: bool,
}

impl Syntax {
    /// Explicit VR Little Endian, which has no compression.
    pub fn explicit_little_endian() -> Self {
        Self {
            uid: "1.2.840.10008.1.2.1".to_owned(),
            explicit: true,
            big_endian: false,
        }
    }

    /// The data set is deflated.
    pub fn is_deflated(&self) -> bool {
        self.uid == DEFLATED
    }

    /// Bytes of an unsigned 16-bit number.
    pub fn u16_bytes(&self, value: u16) -> [u8; 2] {
        self.encoding().u16_bytes(value)
    }

    /// A 16-bit number.
    pub fn u16(&self, bytes: [u8; 2]) -> u16 {
        self.encoding().u16(bytes)
    }

    fn encoding(&self) -> Encoding {
        Encoding {
            explicit: self.explicit,
            big_endian: self.big_endian,
        }
    }
}

/// A data element with what is inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<'a> {
    /// Group and element number.
    pub tag: (u16, u16),
    /// The VR that stands in the file, else the dictionary's; `UN` where neither tells.
    pub vr: [u8; 2],
    /// Its value.
    pub value: Value<'a>,
}

/// Value of a data element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Anything but a sequence, as it stands in the file.
    Bytes(Cow<'a, [u8]>),
    /// The items of a sequence.
    Items(Vec<Vec<Node<'a>>>),
    /// Encapsulated pixels: the offset table, then the fragments.
    Fragments(Vec<&'a [u8]>),
}

impl<'a> Node<'a> {
    /// An element with a value of its own.
    pub fn new(tag: (u16, u16), vr: [u8; 2], bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            tag,
            vr,
            value: Value::Bytes(Cow::Owned(bytes.into())),
        }
    }

    /// A sequence.
    pub fn sequence(tag: (u16, u16), items: Vec<Vec<Node<'a>>>) -> Self {
        Self {
            tag,
            vr: *b"SQ",
            value: Value::Items(items),
        }
    }

    /// The bytes of the value; `None` for sequences and encapsulated pixels.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Items(_) | Value::Fragments(_) => None,
        }
    }

    /// The value as plain text without padding, bytes as Latin-1; `None` for sequences and empty values.
    pub fn text(&self) -> Option<String> {
        let text: String = self.bytes()?.iter().map(|&byte| char::from(byte)).collect();
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// The VR that the data dictionary (PS3.6) gives a tag; of several, the one that binary data have.
pub fn dictionary_vr(tag: (u16, u16)) -> Option<[u8; 2]> {
    let entry = StandardDataDictionary.by_tag(DictionaryTag(tag.0, tag.1))?;
    let vr = match entry.vr() {
        VirtualVr::Exact(vr) => vr,
        VirtualVr::Xs => VR::US,
        _ => VR::OW,
    };
    vr.to_string().as_bytes().first_chunk().copied()
}

/// Keyword of a tag in the data dictionary.
pub fn keyword(tag: (u16, u16)) -> Option<&'static str> {
    let entry = StandardDataDictionary.by_tag(DictionaryTag(tag.0, tag.1))?;
    Some(entry.alias)
}

impl<'a> DicomFile<'a> {
    /// Reads the file meta information and inflates what is deflated.
    ///
    /// # Errors
    /// A sentence with the cause.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        Ok(Self {
            part10: Part10::read(bytes)?,
        })
    }

    /// How the file is written; the UID is corrected where the file names one encoding and uses another.
    pub fn syntax(&self) -> Syntax {
        let Encoding { explicit, big_endian } = self.part10.encoding;
        let named = self.part10.transfer_syntax.as_str();
        let uid = match (named, explicit) {
            ("1.2.840.10008.1.2", true) => "1.2.840.10008.1.2.1",
            ("1.2.840.10008.1.2.1", false) => "1.2.840.10008.1.2",
            _ => named,
        };
        Syntax {
            uid: uid.to_owned(),
            explicit,
            big_endian,
        }
    }

    /// Every element of the data set, without group lengths and without what stands behind encapsulated pixels.
    ///
    /// # Errors
    /// If an element is cut off or contradicts itself, sequences are nested more than 64 deep, or there are more than a
    /// million elements.
    pub fn elements(&self) -> Result<Vec<Node<'_>>, String> {
        let mut room = MAX_ELEMENTS;
        nodes(&self.part10.bytes, self.part10.encoding, 0, &mut room)
    }
}

fn nodes<'a>(data: &'a [u8], encoding: Encoding, depth: usize, room: &mut usize) -> Result<Vec<Node<'a>>, String> {
    let mut reader = Reader { data, at: 0 };
    let mut nodes = Vec::new();
    let mut has_pixels = false;
    while reader.at < data.len() {
        let element = match reader.element(encoding) {
            Ok(element) => element,
            // Padding without a tag, as some writers leave it behind the pixels.
            Err(_) if has_pixels => break,
            Err(cause) => return Err(format!("the DICOM file is broken: {cause}")),
        };
        *room = room
            .checked_sub(1)
            .ok_or("it has more data elements than any real file")?;
        has_pixels |= element.tag == PIXEL_DATA;
        if element.tag.1 != 0 {
            nodes.push(node(&element, depth, room)?);
        }
    }
    Ok(nodes)
}

fn node<'a>(element: &Element<'a>, depth: usize, room: &mut usize) -> Result<Node<'a>, String> {
    let tag = element.tag;
    let known = dictionary_vr(tag);
    let vr = element.vr.or(known).unwrap_or(*b"UN");
    let unsure = element.vr.is_none() || element.vr == Some(*b"UN");
    let is_sequence = vr == *b"SQ" || (unsure && (known == Some(*b"SQ") || element.delimited));
    let value = if tag == PIXEL_DATA && element.delimited {
        Value::Fragments(fragments(element)?)
    } else if is_sequence {
        Value::Items(items(element, depth + 1, room)?)
    } else {
        Value::Bytes(Cow::Borrowed(element.bytes))
    };
    // In an implicit file nothing tells a private sequence but its undefined length.
    let vr = if is_sequence && element.vr.is_none() {
        *b"SQ"
    } else {
        vr
    };
    Ok(Node { tag, vr, value })
}

fn items<'a>(element: &Element<'a>, depth: usize, room: &mut usize) -> Result<Vec<Vec<Node<'a>>>, String> {
    if depth > MAX_DEPTH {
        return Err("the DICOM file is broken: its sequences are nested deeper than any real file's".to_owned());
    }
    let mut reader = Reader {
        data: element.bytes,
        at: 0,
    };
    let broken = |cause: String| format!("the DICOM file is broken: {cause}");
    let mut items = Vec::new();
    while reader.at < element.bytes.len() {
        let header = reader.header(element.encoding).map_err(broken)?;
        match header.tag {
            ITEM => {}
            SEQUENCE_END => break,
            other => {
                let (other, tag) = (name(other), name(element.tag));
                return Err(broken(format!("{other} stands between the items of {tag}")));
            }
        }
        let content = match header.length {
            Some(length) => reader.skip(length, element.tag).map_err(broken)?,
            None => reader.skip_item(element.encoding).map_err(broken)?,
        };
        *room = room
            .checked_sub(1)
            .ok_or("it has more data elements than any real file")?;
        items.push(nodes(content, element.encoding, depth, room)?);
    }
    Ok(items)
}

/// The bytes of a file: preamble of zeros, `meta` (without its group length), then `elements` as `syntax` says.
///
/// # Errors
/// If a value is too long for its element, or the data set cannot be deflated.
pub fn file_bytes(meta: &[Node], elements: &[Node], syntax: &Syntax) -> Result<Vec<u8>, String> {
    let mut group = Vec::new();
    write_nodes(&mut group, meta, Encoding::EXPLICIT)?;
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    let length = u32::try_from(group.len()).map_err(|_| "its file meta information is too long")?;
    write_node(
        &mut file,
        &Node::new((2, 0), *b"UL", length.to_le_bytes()),
        Encoding::EXPLICIT,
    )?;
    file.extend(group);
    if !syntax.is_deflated() {
        write_nodes(&mut file, elements, syntax.encoding())?;
        return Ok(file);
    }
    let mut plain = Vec::new();
    write_nodes(&mut plain, elements, syntax.encoding())?;
    deflate(&mut file, &plain)?;
    Ok(file)
}

fn deflate(file: &mut Vec<u8>, plain: &[u8]) -> Result<(), String> {
    let syntax = TransferSyntaxRegistry.get(DEFLATED);
    let Some(Codec::Dataset(Some(adapter))) = syntax.map(TransferSyntax::codec) else {
        return Err("this build cannot deflate data sets".to_owned());
    };
    let mut deflated = Vec::new();
    {
        let mut writer = adapter.adapt_writer(Box::new(&mut deflated));
        let written = writer.write_all(plain).and_then(|()| writer.flush());
        written.map_err(|error| format!("its data set cannot be deflated: {error}"))?;
    }
    if deflated.len() % 2 == 1 {
        deflated.push(0);
    }
    file.extend(deflated);
    Ok(())
}

fn write_nodes(out: &mut Vec<u8>, nodes: &[Node], encoding: Encoding) -> Result<(), String> {
    nodes.iter().try_for_each(|node| write_node(out, node, encoding))
}

fn write_node(out: &mut Vec<u8>, node: &Node, encoding: Encoding) -> Result<(), String> {
    let Node { tag, vr, value } = node;
    match value {
        Value::Bytes(bytes) => {
            let odd = bytes.len() % 2;
            write_header(out, *tag, *vr, Some(bytes.len() + odd), encoding)?;
            out.extend_from_slice(bytes);
            if odd == 1 {
                out.push(if NULL_PADDED.contains(&vr) { 0 } else { b' ' });
            }
        }
        Value::Items(items) => {
            write_header(out, *tag, *vr, None, encoding)?;
            // What is inside UN is Implicit VR Little Endian (PS3.5 6.2.2).
            let inside = if vr == b"UN" { Encoding::IMPLICIT } else { encoding };
            for item in items {
                write_header(out, ITEM, *b"  ", None, inside)?;
                write_nodes(out, item, inside)?;
                write_header(out, ITEM_END, *b"  ", Some(0), inside)?;
            }
            write_header(out, SEQUENCE_END, *b"  ", Some(0), inside)?;
        }
        Value::Fragments(fragments) => {
            write_header(out, *tag, *vr, None, encoding)?;
            for fragment in fragments {
                let odd = fragment.len() % 2;
                write_header(out, ITEM, *b"  ", Some(fragment.len() + odd), encoding)?;
                out.extend_from_slice(fragment);
                out.extend_from_slice(&[0][..odd]);
            }
            write_header(out, SEQUENCE_END, *b"  ", Some(0), encoding)?;
        }
    }
    Ok(())
}

/// Tag, VR and length; a length of `None` is undefined.
fn write_header(
    out: &mut Vec<u8>,
    tag: (u16, u16),
    vr: [u8; 2],
    length: Option<usize>,
    encoding: Encoding,
) -> Result<(), String> {
    let too_long = |_| format!("{} is too long to be written", name(tag));
    let length = length.map_or(Ok(u32::MAX), |length| u32::try_from(length).map_err(too_long))?;
    out.extend(encoding.u16_bytes(tag.0));
    out.extend(encoding.u16_bytes(tag.1));
    if tag.0 == ITEM.0 || !encoding.explicit {
        out.extend(encoding.u32_bytes(length));
        return Ok(());
    }
    out.extend(vr);
    if Encoding::has_long_length(vr) {
        out.extend([0, 0]);
        out.extend(encoding.u32_bytes(length));
    } else {
        let length = u16::try_from(length).map_err(|_| format!("{} is too long to be written", name(tag)))?;
        out.extend(encoding.u16_bytes(length));
    }
    Ok(())
}
