//! Data elements of a DICOM data set as slices of the file (PS3.5 chapter 7).
//!
//! Written for files that lie: nothing is copied, every length is checked against the bytes that are there, and
//! nesting is followed with a bounded stack. Knows no attribute but Pixel Data, and no images.

/// A tag: group and element number.
pub(in crate::imaging) type Tag = (u16, u16);

/// Pixel Data.
pub(in crate::imaging) const PIXEL_DATA: Tag = (0x7fe0, 0x0010);

/// An item of a sequence, or a fragment of encapsulated pixels.
pub(in crate::imaging) const ITEM: Tag = (0xfffe, 0xe000);
/// Item Delimitation Item.
pub(in crate::imaging) const ITEM_END: Tag = (0xfffe, 0xe00d);
/// Sequence Delimitation Item.
pub(in crate::imaging) const SEQUENCE_END: Tag = (0xfffe, 0xe0dd);
/// Deepest nesting of sequences that is followed; real files stay below 10.
pub(in crate::imaging) const MAX_DEPTH: usize = 64;

/// How elements are written in a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imaging) struct Encoding {
    /// VRs stand in the file.
    pub explicit: bool,
    /// Numbers have their high byte first.
    pub big_endian: bool,
}

impl Encoding {
    /// Implicit VR Little Endian; also what is inside UN.
    pub(in crate::imaging) const IMPLICIT: Self = Self {
        explicit: false,
        big_endian: false,
    };
    /// Explicit VR Little Endian; also the file meta information.
    pub(in crate::imaging) const EXPLICIT: Self = Self {
        explicit: true,
        big_endian: false,
    };

    /// A 16-bit number.
    pub(in crate::imaging) fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    /// A 64-bit number.
    pub(in crate::imaging) fn u64(self, bytes: [u8; 8]) -> u64 {
        if self.big_endian {
            u64::from_be_bytes(bytes)
        } else {
            u64::from_le_bytes(bytes)
        }
    }

    /// A 32-bit number.
    pub(in crate::imaging) fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    /// The bytes of a 16-bit number.
    pub(in crate::imaging) fn u16_bytes(self, value: u16) -> [u8; 2] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    /// The bytes of a 32-bit number.
    pub(in crate::imaging) fn u32_bytes(self, value: u32) -> [u8; 4] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    /// Whether lengths of this VR take 32 bits where VRs stand in the file (PS3.5 table 7.1-1).
    pub(in crate::imaging) fn has_long_length(vr: [u8; 2]) -> bool {
        matches!(
            &vr,
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV"
        )
    }
}

/// One data element.
#[derive(Debug, Clone, Copy)]
pub(in crate::imaging) struct Element<'a> {
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

/// What stands before a value.
pub(in crate::imaging) struct Header {
    /// The element's tag.
    pub tag: Tag,
    /// Its VR, `None` where the file does not tell.
    pub vr: Option<[u8; 2]>,
    /// Length of the value in bytes, `None` if undefined.
    pub length: Option<usize>,
}

/// A position in bytes that hold data elements.
pub(in crate::imaging) struct Reader<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// Where the next element begins.
    pub at: usize,
}

/// What is closed by a delimiter.
#[derive(Clone, Copy)]
pub(in crate::imaging) enum Open {
    /// A sequence, or the fragments of encapsulated pixels.
    Sequence,
    /// An item of a sequence.
    Item,
}

/// A tag as people write it.
pub(in crate::imaging) fn name((group, element): Tag) -> String {
    format!("({group:04X},{element:04X})")
}

impl<'a> Reader<'a> {
    /// The next `N` bytes.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let end = self.at + N;
        let bytes = self
            .data
            .get(self.at..end)
            .ok_or_else(|| format!("the file ends in the middle of a data element at byte {}", self.at))?;
        self.at = end;
        Ok(bytes.try_into().expect("the slice has N bytes"))
    }

    /// Moves behind a value of `length` bytes and returns it.
    ///
    /// # Errors
    /// If there are not as many.
    pub(in crate::imaging) fn skip(&mut self, length: usize, tag: Tag) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.data.len());
        let cut = || {
            format!(
                "the file ends in the middle of {} at byte {}",
                name(tag),
                self.data.len()
            )
        };
        let end = end.ok_or_else(cut)?;
        let bytes = &self.data[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    /// Moves behind the header of an element.
    ///
    /// # Errors
    /// If it is cut off, or has no VR where one must stand.
    pub(in crate::imaging) fn header(&mut self, encoding: Encoding) -> Result<Header, String> {
        let tag = (encoding.u16(self.take()?), encoding.u16(self.take()?));
        let defined = |length: u32| (length != u32::MAX).then_some(length as usize);
        if tag.0 == 0xfffe || !encoding.explicit {
            let length = defined(encoding.u32(self.take()?));
            return Ok(Header { tag, vr: None, length });
        }
        let vr: [u8; 2] = self.take()?;
        if !vr.iter().all(u8::is_ascii_uppercase) {
            let at = self.at - 6;
            return Err(format!("{} has no valid value representation at byte {at}", name(tag)));
        }
        let length = if Encoding::has_long_length(vr) {
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
    pub(in crate::imaging) fn skip_delimited(&mut self, open: Open, encoding: Encoding) -> Result<usize, String> {
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
                    return Err(format!("{} stands between sequence items at byte {start}", name(tag)));
                }
            }
            if stack.len() > 2 * MAX_DEPTH {
                return Err(format!(
                    "its sequences are nested deeper than any real file's at byte {start}"
                ));
            }
        }
    }

    /// Moves behind the delimiter of an item of undefined length and returns what is inside.
    ///
    /// # Errors
    /// If it is cut off.
    pub(in crate::imaging) fn skip_item(&mut self, encoding: Encoding) -> Result<&'a [u8], String> {
        let start = self.at;
        let end = self.skip_delimited(Open::Item, encoding)?;
        Ok(&self.data[start..end])
    }

    /// Moves behind an element and returns it.
    ///
    /// # Errors
    /// If it is cut off or contradicts itself.
    pub(in crate::imaging) fn element(&mut self, encoding: Encoding) -> Result<Element<'a>, String> {
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
pub(in crate::imaging) fn inner_encoding(header: &Header, encoding: Encoding) -> Encoding {
    if header.vr == Some(*b"UN") {
        Encoding::IMPLICIT
    } else {
        encoding
    }
}

/// The items of encapsulated Pixel Data: the offset table, then the fragments (PS3.5 A.4).
///
/// # Errors
/// If a fragment is cut off or something else stands between them.
pub(in crate::imaging) fn fragments<'a>(pixels: &Element<'a>) -> Result<Vec<&'a [u8]>, String> {
    let mut reader = Reader {
        data: pixels.bytes,
        at: 0,
    };
    let mut fragments = Vec::new();
    // Many writers forget the closing delimiter; the end of the file does as well.
    while reader.at + 8 <= pixels.bytes.len() {
        let start = reader.at;
        let header = reader.header(pixels.encoding)?;
        match (header.tag, header.length) {
            (ITEM, Some(length)) => fragments.push(reader.skip(length, PIXEL_DATA)?),
            (SEQUENCE_END, _) => break,
            (tag, _) => {
                let what = if tag == ITEM {
                    "a fragment without a length"
                } else {
                    "no fragment"
                };
                return Err(format!("{what} stands at byte {start} of its encapsulated pixels"));
            }
        }
    }
    Ok(fragments)
}
