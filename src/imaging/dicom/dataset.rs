//! Data elements with typed access: values are read by what the caller expects, so that a known attribute in
//! VR UN is as good as any. Knows no images.

pub(super) use super::elements::{Element, Encoding, PIXEL_DATA, Tag, fragments, name};
use super::elements::{ITEM, Reader, SEQUENCE_END};

/// Most elements of one data set that are looked at.
const MAX_ELEMENTS: usize = 200_000;
/// Most characters of a text that are kept: the longest short VR has 64 a component.
const MAX_TEXT: usize = 400;
/// Groups whose top-level elements are kept: identification, patient, acquisition, relation, image,
/// views, encryption, presentation, functional groups, overlays, pixels.
const KEPT_GROUPS: [u16; 11] = [
    0x0002, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x0054, 0x0400, 0x2050, 0x5200, 0x7fe0,
];

/// A data set: the elements of the file, or of one sequence item.
#[derive(Debug, Clone, Default)]
pub(super) struct DataSet<'a> {
    elements: Vec<Element<'a>>,
}

/// The content of a sequence item.
struct Item<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

impl<'a> Item<'a> {
    fn read(self, tag: Tag) -> Result<DataSet<'a>, String> {
        let read = DataSet::read_item(self.bytes, self.encoding);
        read.map_err(|cause| format!("{cause} of an item of {}", name(tag)))
    }
}

impl<'a> DataSet<'a> {
    /// Reads the elements of a file up to and including Pixel Data.
    ///
    /// # Errors
    /// If an element is cut off or contradicts itself before Pixel Data.
    pub(super) fn read_file(data: &'a [u8], encoding: Encoding) -> Result<Self, String> {
        let read = Self::read(data, encoding, |element| {
            KEPT_GROUPS.contains(&element.tag.0) || (0x6000..0x6020).contains(&element.tag.0)
        });
        read.map_err(|cause| format!("{cause} of the data set"))
    }

    /// Reads all elements of a sequence item from its content.
    ///
    /// # Errors
    /// If an element is cut off or contradicts itself.
    pub(super) fn read_item(data: &'a [u8], encoding: Encoding) -> Result<Self, String> {
        Self::read(data, encoding, |_| true)
    }

    /// Reads file meta information at the start of `data`; returns it and its length in bytes.
    pub(super) fn read_meta(data: &'a [u8]) -> Result<(Self, usize), String> {
        let mut reader = Reader { data, at: 0 };
        let mut elements = Vec::new();
        while data.get(reader.at..reader.at + 2) == Some(&[2, 0]) && elements.len() < 64 {
            let element = reader.element(Encoding::EXPLICIT);
            elements.push(element.map_err(|cause| format!("{cause} of the file meta information"))?);
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
                return Err(format!(
                    "it has more data elements than any real file at byte {}",
                    reader.at
                ));
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
        let mut elements = 0;
        let read = |item: Item<'a>| {
            let item = item.read(tag)?;
            elements += item.elements.len();
            if elements > MAX_ELEMENTS {
                return Err(format!("{} has more data elements than any real file's", name(tag)));
            }
            Ok(item)
        };
        self.item_bytes(tag)?.into_iter().map(read).collect()
    }

    /// An item of a sequence, counted from 0; the others are not looked into.
    ///
    /// # Errors
    /// If the sequence is broken.
    pub(super) fn item(&self, tag: Tag, index: usize) -> Result<Option<DataSet<'a>>, String> {
        let item = self.item_bytes(tag)?.into_iter().nth(index);
        item.map(|item| item.read(tag)).transpose()
    }

    /// The first item of a sequence.
    ///
    /// # Errors
    /// If the sequence is broken.
    pub(super) fn first_item(&self, tag: Tag) -> Result<Option<DataSet<'a>>, String> {
        self.item(tag, 0)
    }

    fn item_bytes(&self, tag: Tag) -> Result<Vec<Item<'a>>, String> {
        let Some(element) = self.get(tag) else {
            return Ok(Vec::new());
        };
        let encoding = element.encoding;
        let mut reader = Reader {
            data: element.bytes,
            at: 0,
        };
        let within = |cause: String| format!("{cause} of {}", name(tag));
        let mut items = Vec::new();
        while reader.at < element.bytes.len() && items.len() < MAX_ELEMENTS {
            let start = reader.at;
            let header = reader.header(encoding).map_err(within)?;
            match header.tag {
                ITEM => {}
                SEQUENCE_END => break,
                other => {
                    let other = name(other);
                    return Err(within(format!("{other} stands between the items at byte {start}")));
                }
            }
            let bytes = match header.length {
                Some(length) => reader.skip(length, tag),
                None => reader.skip_item(encoding),
            };
            items.push(Item {
                bytes: bytes.map_err(within)?,
                encoding,
            });
        }
        Ok(items)
    }

    /// Plain text (CS, UI, DA …) without padding, with spaces for control characters; `None` if missing or empty.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        let bytes = self.get(tag)?.bytes.iter().take(MAX_TEXT);
        // It comes into sentences, which no file may break into lines or send escapes with.
        let characters = bytes.map(|&byte| match char::from(byte) {
            control if control.is_control() => ' ',
            character => character,
        });
        let text: String = characters.collect();
        let text = text.trim_matches(' ');
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

    /// A count in digits (IS), also where the file does not tell the VR; `None` if missing, empty or no number.
    pub(super) fn count(&self, tag: Tag) -> Option<u32> {
        let number = self.decimals(tag).first().copied().flatten()?;
        (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
    }

    /// The decimal strings of an element (DS, IS), each a finite number or `None`; also FD and FL.
    pub(super) fn decimals(&self, tag: Tag) -> Vec<Option<f64>> {
        self.decimals_of(tag, *b"DS")
    }

    /// The same of an attribute that is defined with this VR, FL and FD included: implicit VR and UN do not say it.
    pub(super) fn decimals_of(&self, tag: Tag, vr: [u8; 2]) -> Vec<Option<f64>> {
        let Some(element) = self.get(tag) else {
            return Vec::new();
        };
        let encoding = element.encoding;
        let finite = |value: f64| value.is_finite().then_some(value);
        match &element.vr.filter(|vr| vr != b"UN").unwrap_or(vr) {
            b"FD" => {
                let (eights, _) = element.bytes.as_chunks::<8>();
                eights
                    .iter()
                    .map(|&eight| finite(f64::from_bits(encoding.u64(eight))))
                    .collect()
            }
            b"FL" => {
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
