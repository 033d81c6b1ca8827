//! Marker segments (ITU-T T.81 annex B): the frame header, the scan headers and the tables before them.

use super::broken;
use super::huffman::{Definition, Huffman, Symbols};

/// Order of the coefficients in a block (T.81 figure A.6).
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// The segments of a codestream, one after the other: low byte of the marker, and what stands behind the length.
pub(in crate::imaging::dicom) struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    /// Those from `bytes` on, which begin with a marker.
    pub(in crate::imaging::dicom) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes behind the last segment.
    pub(in crate::imaging::dicom) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    /// `None` at the end of the image, and where the bytes are no segment.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let [0xff, marker, after @ ..] = self.rest else {
                return None;
            };
            match marker {
                // Any number of fill bytes may stand before a marker.
                0xff => self.rest = &self.rest[1..],
                0x01 | 0xd0..=0xd8 => self.rest = after,
                0xd9 => return None,
                _ => {
                    let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
                    let segment = after.get(2..length)?;
                    self.rest = &after[length..];
                    return Some((*marker, segment));
                }
            }
        }
    }
}

/// A component of the frame (T.81 B.2.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    pub id: u8,
    /// Horizontal and vertical sampling factor, in four bits each.
    pub sampling: u8,
    pub quantisation: u8,
}

/// The frame header (T.81 B.2.2).
#[derive(Debug)]
pub(super) struct Frame {
    pub precision: u8,
    pub rows: usize,
    pub columns: usize,
    pub components: Vec<Component>,
}

/// The header of a scan (T.81 B.2.3).
#[derive(Debug)]
pub(super) struct ScanHeader {
    /// Index of each component in the frame, and its selectors of tables, DC and AC in four bits each.
    pub components: Vec<(usize, u8)>,
    /// Start of spectral selection, or the predictor.
    pub start: u8,
    /// End of spectral selection.
    pub end: u8,
    /// High bit position of successive approximation, and the point transform, in four bits each.
    pub approximation: u8,
}

/// What the segments up to a scan define; a later definition takes the place of an earlier one.
#[derive(Default)]
pub(super) struct Tables<'a> {
    pub frame: Option<Frame>,
    /// Minimal coded units between restart markers; 0 for none.
    pub restart_interval: usize,
    quantisation: [Option<[u16; 64]>; 4],
    /// Huffman tables of class 0, for DC coefficients and differences, and of class 1, for AC coefficients.
    huffman: [[Option<Definition<'a>>; 4]; 2],
}

impl<'a> Tables<'a> {
    /// Takes the segments up to the next scan; returns its header.
    ///
    /// # Errors
    /// If one is broken, or no scan follows.
    pub(super) fn read(&mut self, segments: &mut Segments<'a>) -> Result<ScanHeader, String> {
        loop {
            let (marker, segment) = segments.next().ok_or_else(|| broken("a scan is missing"))?;
            match marker {
                0xdb => self.read_quantisation(segment)?,
                0xc4 => self.read_huffman(segment)?,
                0xc1 | 0xc3 if self.frame.is_none() => self.frame = Some(frame(segment)?),
                0xc0..=0xcf | 0xdc | 0xde | 0xdf => return Err(broken("it has segments that its process has not")),
                0xdd => {
                    let interval = segment.first_chunk().ok_or_else(|| broken("a segment is too short"))?;
                    self.restart_interval = usize::from(u16::from_be_bytes(*interval));
                }
                0xda => return self.scan(segment),
                _ => {}
            }
        }
    }

    /// The quantisation table of a component, in the order of the block's rows.
    ///
    /// # Errors
    /// If it was not defined.
    pub(super) fn quantisation(&self, selector: u8) -> Result<&[u16; 64], String> {
        let table = self.quantisation.get(usize::from(selector)).and_then(Option::as_ref);
        table.ok_or_else(|| broken("a quantisation table is missing"))
    }

    /// The Huffman table of a selector.
    ///
    /// # Errors
    /// If it was not defined, or its codes are none.
    pub(super) fn huffman(&self, selector: u8, symbols: Symbols) -> Result<Box<Huffman>, String> {
        let class = usize::from(symbols == Symbols::Ac);
        let table = self.huffman[class].get(usize::from(selector)).copied().flatten();
        Huffman::new(table.ok_or_else(|| broken("a Huffman table is missing"))?, symbols)
    }

    fn read_quantisation(&mut self, mut segment: &[u8]) -> Result<(), String> {
        while let Some((&head, rest)) = segment.split_first() {
            let wide = head >> 4 != 0;
            let size = if wide { 128 } else { 64 };
            let table = self.quantisation.get_mut(usize::from(head & 15));
            let (Some(values), Some(table)) = (rest.get(..size), table) else {
                return Err(broken("a quantisation table is none"));
            };
            let table = table.insert([0; 64]);
            for (index, place) in ZIGZAG.into_iter().enumerate() {
                table[usize::from(place)] = if wide {
                    u16::from_be_bytes([values[2 * index], values[2 * index + 1]])
                } else {
                    u16::from(values[index])
                };
            }
            segment = &rest[size..];
        }
        Ok(())
    }

    fn read_huffman(&mut self, mut segment: &'a [u8]) -> Result<(), String> {
        while let Some((&head, rest)) = segment.split_first() {
            let none = || broken("a Huffman table is none");
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(none)?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (values, rest) = rest.split_at_checked(total).ok_or_else(none)?;
            let tables = self.huffman.get_mut(usize::from(head >> 4)).ok_or_else(none)?;
            let table = tables.get_mut(usize::from(head & 15)).ok_or_else(none)?;
            *table = Some(Definition { counts, values });
            segment = rest;
        }
        Ok(())
    }

    fn scan(&self, segment: &[u8]) -> Result<ScanHeader, String> {
        let none = || broken("a scan has no header");
        let frame = self.frame.as_ref().ok_or_else(none)?;
        let (&count, rest) = segment.split_first().ok_or_else(none)?;
        let (chosen, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or_else(none)?;
        let &[start, end, approximation, ..] = rest else {
            return Err(none());
        };
        let components = chosen.as_chunks::<2>().0.iter().map(|&[id, tables]| {
            let index = frame.components.iter().position(|component| component.id == id);
            index.map(|index| (index, tables)).ok_or_else(none)
        });
        Ok(ScanHeader {
            components: components.collect::<Result<_, _>>()?,
            start,
            end,
            approximation,
        })
    }
}

fn frame(segment: &[u8]) -> Result<Frame, String> {
    let none = || broken("it has no frame header");
    let &[precision, r0, r1, c0, c1, count] = segment.first_chunk().ok_or_else(none)?;
    let components = segment[6..].as_chunks::<3>().0;
    let components = components.get(..usize::from(count)).ok_or_else(none)?;
    Ok(Frame {
        precision,
        rows: usize::from(u16::from_be_bytes([r0, r1])),
        columns: usize::from(u16::from_be_bytes([c0, c1])),
        components: components
            .iter()
            .map(|&[id, sampling, quantisation]| Component {
                id,
                sampling,
                quantisation,
            })
            .collect(),
    })
}
