//! Data elements of a DICOM data set as slices of the file (PS3.5 chapter 7).
//!
//! Written for files that lie: nothing is copied, every length is checked against the bytes that are there,
//! nesting is followed with a bounded stack, and values are read by what the caller expects, so that a known
//! attribute in VR UN is as good as any. Knows no images.

/// A tag: group and element number.
pub(super) type Tag = (u16, u16);

/// Pixel Data.
pub(super) const PIXEL_DATA: Tag = (0x7fe0, 0x0010);

const ITEM: Tag = (0xfffe, 0xe000);
const ITEM_END: Tag = (0xfffe, 0xe00d);
const SEQUENCE_END: Tag = (0xfffe, 0xe0dd);
/// Deepest nesting of sequences that is followed; real files stay below 10.
const MAX_DEPTH: usize = 64;
/// Most elements of one data set that are looked at.
const MAX_ELEMENTS: usize = 200_000;
/// Most characters of a text that are kept: the longest short VR has 64 a component.
const MAX_TEXT: usize = 400;
/// Groups whose top-level elements are kept: identification, patient, acquisition, relation, image,
/// encryption, presentation, functional groups, overlays, pixels.
const KEPT_GROUPS: [u16; 10] = [
    0x0002, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x0400, 0x2050, 0x5200, 0x7fe0,
];

/// How elements are written in a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    /// VRs stand in the file.
    pub explicit: bool,
    /// Numbers have their high byte first.
    pub big_endian: bool,
}

impl Encoding {
    /// Implicit VR Little Endian; also what is inside UN.
    pub(super) const IMPLICIT: Self = Self {
        explicit: false,
        big_endian: false,
    };
    /// Explicit VR Little Endian; also the file meta information.
    pub(super) const EXPLICIT: Self = Self {
        explicit: true,
        big_endian: false,
    };

    /// A 16-bit number.
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    /// A 32-bit number.
    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

/// One data element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    /// Its tag.
    pub tag: Tag,
    /// Its VR, `None` where the file does not tell.
    pub vr: Option<[u8; 2]>,
    /// How numbers and items inside are written.
    pub encoding: Encoding,
    /// The value; for sequences and encapsulated pixels, the items without the closing delimiter.
    pub bytes: &'a [u8],
    /// The length was undefined: for pixels, they are encapsulated.
    pub delimited: bool,
}

/// A data set: the elements of the file, or of one sequence item.
#[derive(Debug, Clone, Default)]
pub(super) struct DataSet<'a> {
    elements: Vec<Element<'a>>,
}

struct Header {
    tag: Tag,
    vr: Option<[u8; 2]>,
    /// `None` if undefined.
    length: Option<usize>,
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

#[derive(Clone, Copy)]
enum Open {
    Sequence,
    Item,
}

/// A tag as people write it.
pub(super) fn name((group, element): Tag) -> String {
    format!("({group:04X},{element:04X})")
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let end = self.at + N;
        let bytes = self
            .data
            .get(self.at..end)
            .ok_or("the file ends in the middle of a data element")?;
        self.at = end;
        Ok(bytes.try_into().expect("the slice has N bytes"))
    }

    fn skip(&mut self, length: usize, tag: Tag) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.data.len());
        let end = end.ok_or_else(|| format!("the file ends in the middle of {}", name(tag)))?;
        let bytes = &self.data[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn header(&mut self, encoding: Encoding) -> Result<Header, String> {
        let tag = (encoding.u16(self.take()?), encoding.u16(self.take()?));
        let defined = |length: u32| (length != u32::MAX).then_some(length as usize);
        if tag.0 == 0xfffe || !encoding.explicit {
            let length = defined(encoding.u32(self.take()?));
            return Ok(Header { tag, vr: None, length });
        }
        let vr: [u8; 2] = self.take()?;
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return Err(format!("{} has no valid value representation", name(tag)));
        }
        let long = matches!(
            &vr,
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV"
        );
        let length = if long {
            self.take::<2>()?;
            defined(encoding.u32(self.take()?))
        } else {
            Some(usize::from(encoding.u16(self.take()?)))
        };
        Ok(Header {
            tag,
            vr: Some(vr),
            length,
        })
    }

    /// Moves behind the delimiter that closes a value of undefined length; returns where its content ends.
    fn skip_delimited(&mut self, open: Open, encoding: Encoding) -> Result<usize, String> {
        let mut stack = vec![(open, encoding)];
        loop {
            let &(open, encoding) = stack.last().expect("left as soon as it is empty");
            let start = self.at;
            let header = self.header(encoding)?;
            match (open, header.tag) {
                (Open::Sequence, SEQUENCE_END) | (Open::Item, ITEM_END) => {
                    stack.pop();
                    if stack.is_empty() {
                        return Ok(start);
                    }
                }
                (Open::Sequence, ITEM) | (Open::Item, _) => match (header.length, open) {
                    (Some(length), _) => drop(self.skip(length, header.tag)?),
                    (None, Open::Sequence) => stack.push((Open::Item, encoding)),
                    (None, Open::Item) => stack.push((Open::Sequence, inner_encoding(&header, encoding))),
                },
                (Open::Sequence, tag) => {
                    return Err(format!("{} stands between sequence items", name(tag)));
                }
            }
            if stack.len() > 2 * MAX_DEPTH {
                return Err("its sequences are nested deeper than any real file's".to_owned());
            }
        }
    }

    fn element(&mut self, encoding: Encoding) -> Result<Element<'a>, String> {
        let header = self.header(encoding)?;
        let Header { tag, vr, length } = header;
        let encoding_inside = inner_encoding(&header, encoding);
        if let Some(length) = length {
            // Cut pixels are reported where the frame's size is known.
            let length = if tag == PIXEL_DATA {
                length.min(self.data.len() - self.at)
            } else {
                length
            };
            let bytes = self.skip(length, tag)?;
            return Ok(Element {
                tag,
                vr,
                encoding: encoding_inside,
                bytes,
                delimited: false,
            });
        }
        let start = self.at;
        // The end of encapsulated pixels is found with their fragments; nothing behind them is needed.
        let end = if tag == PIXEL_DATA {
            self.at = self.data.len();
            self.at
        } else {
            self.skip_delimited(Open::Sequence, encoding_inside)?
        };
        Ok(Element {
            tag,
            vr,
            encoding: encoding_inside,
            bytes: &self.data[start..end],
            delimited: true,
        })
    }
}

/// What is inside a UN of unknown content is Implicit VR Little Endian (PS3.5 6.2.2).
fn inner_encoding(header: &Header, encoding: Encoding) -> Encoding {
    if header.vr == Some(*b"UN") {
        Encoding::IMPLICIT
    } else {
        encoding
    }
}

impl<'a> DataSet<'a> {
    /// Reads the elements of a file up to and including Pixel Data.
    ///
    /// # Errors
    /// If an element is cut off or contradicts itself before Pixel Data.
    pub(super) fn read_file(data: &'a [u8], encoding: Encoding) -> Result<Self, String> {
        Self::read(data, encoding, |element| {
            KEPT_GROUPS.contains(&element.tag.0) || (0x6000..0x6020).contains(&element.tag.0)
        })
    }

    /// Reads file meta information at the start of `data`; returns it and its length in bytes.
    pub(super) fn read_meta(data: &'a [u8]) -> Result<(Self, usize), String> {
        let mut reader = Reader { data, at: 0 };
        let mut elements = Vec::new();
        while data.get(reader.at..reader.at + 2) == Some(&[2, 0]) && elements.len() < 64 {
            elements.push(reader.element(Encoding::EXPLICIT)?);
        }
        Ok((Self { elements }, reader.at))
    }

    fn read(data: &'a [u8], encoding: Encoding, keep: impl Fn(&Element) -> bool) -> Result<Self, String> {
        let mut reader = Reader { data, at: 0 };
        let mut elements = Vec::new();
        let mut count = 0;
        while reader.at < data.len() {
            let element = reader.element(encoding)?;
            if keep(&element) {
                elements.push(element);
            }
            if element.tag == PIXEL_DATA {
                break;
            }
            count += 1;
            if count > MAX_ELEMENTS {
                return Err("it has more data elements than any real file".to_owned());
            }
        }
        Ok(Self { elements })
    }

    /// The element with this tag, the last one if there are several.
    pub(super) fn get(&self, tag: Tag) -> Option<&Element<'a>> {
        self.elements.iter().rev().find(|element| element.tag == tag)
    }

    /// Whether an element of this group exists.
    pub(super) fn has_group(&self, groups: std::ops::Range<u16>) -> bool {
        self.elements.iter().any(|element| groups.contains(&element.tag.0))
    }

    /// The items of a sequence, none if it is missing.
    ///
    /// # Errors
    /// If the sequence is broken.
    pub(super) fn items(&self, tag: Tag) -> Result<Vec<DataSet<'a>>, String> {
        let Some(element) = self.get(tag) else {
            return Ok(Vec::new());
        };
        let mut reader = Reader {
            data: element.bytes,
            at: 0,
        };
        let mut items = Vec::new();
        while reader.at < element.bytes.len() && items.len() < MAX_ELEMENTS {
            let header = reader.header(element.encoding)?;
            match header.tag {
                ITEM => {}
                SEQUENCE_END => break,
                other => {
                    return Err(format!("{} stands between the items of {}", name(other), name(tag)));
                }
            }
            let start = reader.at;
            let end = if let Some(length) = header.length {
                reader.skip(length, tag)?;
                reader.at
            } else {
                reader.skip_delimited(Open::Item, element.encoding)?
            };
            items.push(Self::read(&element.bytes[start..end], element.encoding, |_| true)?);
        }
        Ok(items)
    }

    /// The first item of a sequence.
    pub(super) fn first_item(&self, tag: Tag) -> Result<Option<DataSet<'a>>, String> {
        Ok(self.items(tag)?.into_iter().next())
    }

    /// Plain text (CS, UI, DA …) without padding; `None` if missing or empty.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        let text: String = self
            .get(tag)?
            .bytes
            .iter()
            .take(MAX_TEXT)
            .map(|&byte| char::from(byte))
            .collect();
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The raw bytes of a text that depends on the character set, without padding; `None` if empty.
    pub(super) fn raw_text(&self, tag: Tag) -> Option<&'a [u8]> {
        let bytes = self.get(tag)?.bytes;
        let bytes = &bytes[..bytes.len().min(MAX_TEXT)];
        let end = bytes.iter().rposition(|byte| !b" \0".contains(byte))? + 1;
        Some(&bytes[..end])
    }

    /// A number of 0 or more: US, UL, or digits in IS or DS; `None` if missing, empty or no number.
    pub(super) fn unsigned(&self, tag: Tag) -> Option<u32> {
        let element = self.get(tag)?;
        match (element.vr.as_ref(), element.bytes) {
            (Some(b"IS" | b"DS"), _) => self.text(tag)?.parse().ok(),
            (Some(b"UL" | b"SL"), &[a, b, c, d, ..]) => Some(element.encoding.u32([a, b, c, d])),
            (_, &[a, b, ..]) => Some(u32::from(element.encoding.u16([a, b]))),
            _ => None,
        }
    }

    /// The decimal strings of an element (DS, IS), each a finite number or `None`; also FD and FL.
    pub(super) fn decimals(&self, tag: Tag) -> Vec<Option<f64>> {
        let Some(element) = self.get(tag) else {
            return Vec::new();
        };
        let encoding = element.encoding;
        let finite = |value: f64| value.is_finite().then_some(value);
        match element.vr.as_ref() {
            Some(b"FD") => {
                let (eights, _) = element.bytes.as_chunks::<8>();
                let read = |&[a, b, c, d, e, f, g, h]: &[u8; 8]| {
                    let (first, second) = (encoding.u32([a, b, c, d]), encoding.u32([e, f, g, h]));
                    let (low, high) = if encoding.big_endian {
                        (second, first)
                    } else {
                        (first, second)
                    };
                    finite(f64::from_bits(u64::from(high) << 32 | u64::from(low)))
                };
                eights.iter().map(read).collect()
            }
            Some(b"FL") => {
                let (fours, _) = element.bytes.as_chunks::<4>();
                fours
                    .iter()
                    .map(|&four| finite(f64::from(f32::from_bits(encoding.u32(four)))))
                    .collect()
            }
            _ => {
                let text: String = element.bytes.iter().take(4096).map(|&byte| char::from(byte)).collect();
                let text = text.trim_matches([' ', '\0']);
                if text.is_empty() {
                    return Vec::new();
                }
                text.split('\\')
                    .map(|part| part.trim().parse().ok().and_then(finite))
                    .collect()
            }
        }
    }

    /// The 16-bit words of an element, high byte first or last as the file says.
    pub(super) fn words(&self, tag: Tag) -> Vec<u16> {
        let Some(element) = self.get(tag) else {
            return Vec::new();
        };
        let (pairs, _) = element.bytes.as_chunks::<2>();
        pairs.iter().map(|&pair| element.encoding.u16(pair)).collect()
    }
}

/// The items of encapsulated Pixel Data: the offset table, then the fragments (PS3.5 A.4).
///
/// # Errors
/// If a fragment is cut off or something else stands between them.
pub(super) fn fragments<'a>(pixels: &Element<'a>) -> Result<Vec<&'a [u8]>, String> {
    let mut reader = Reader {
        data: pixels.bytes,
        at: 0,
    };
    let mut fragments = Vec::new();
    // Many writers forget the closing delimiter; the end of the file does as well.
    while reader.at + 8 <= pixels.bytes.len() {
        let header = reader.header(pixels.encoding)?;
        match (header.tag, header.length) {
            (ITEM, Some(length)) => fragments.push(reader.skip(length, PIXEL_DATA)?),
            (SEQUENCE_END, _) => break,
            _ => return Err("its encapsulated pixels are not divided into fragments".to_owned()),
        }
    }
    Ok(fragments)
}
