//! Overlay planes of a data set (PS3.3 C.9.2, C.9.3): bits of their own, or unused bits of the pixels as files had
//! until the standard of 2004 retired that.

use std::sync::Arc;

use super::codec::Decoded;
use super::dataset::{DataSet, Element, Tag};
use super::pixel_module::PixelModule;
use super::text::CharacterSets;
use crate::imaging::overlay::{OverlayPlane, OverlayType};

/// The repeating groups; even ones have planes (PS3.5 7.6).
const GROUPS: std::ops::Range<u16> = 0x6000..0x6020;
const ROWS: u16 = 0x0010;
const COLUMNS: u16 = 0x0011;
const NUMBER_OF_FRAMES: u16 = 0x0015;
const DESCRIPTION: u16 = 0x0022;
const TYPE: u16 = 0x0040;
const SUBTYPE: u16 = 0x0045;
const ORIGIN: u16 = 0x0050;
const IMAGE_FRAME_ORIGIN: u16 = 0x0051;
const BIT_POSITION: u16 = 0x0102;
const LABEL: u16 = 0x1500;
const DATA: u16 = 0x3000;

/// Planes of a frame, counted from 1; what is unusable is left out with a warning, for a picture is worth showing
/// without them. `decoded` are the frame's samples with all of their bits.
pub(super) fn planes(
    file: &DataSet,
    module: &PixelModule,
    frame: u32,
    decoded: &Decoded<'_>,
    warnings: &mut Vec<String>,
) -> Vec<OverlayPlane> {
    let mut planes = Vec::new();
    for group in GROUPS.step_by(2).filter(|&group| file.has_group(group..group + 1)) {
        let source = Source {
            file,
            group,
            module,
            decoded,
        };
        match source.plane(frame) {
            Ok(plane) => planes.extend(plane),
            Err(cause) => warnings.push(format!("Overlay plane {group:04X} is left out: {cause}.")),
        }
    }
    planes
}

/// Where a plane is read from.
struct Source<'a> {
    file: &'a DataSet<'a>,
    group: u16,
    module: &'a PixelModule,
    decoded: &'a Decoded<'a>,
}

impl Source<'_> {
    fn tag(&self, element: u16) -> Tag {
        (self.group, element)
    }

    fn number(&self, element: u16) -> Option<u32> {
        self.file.unsigned(self.tag(element))
    }

    /// The plane, if the group has one for this frame.
    fn plane(&self, frame: u32) -> Result<Option<OverlayPlane>, String> {
        let data = self.file.get(self.tag(DATA));
        let size = [ROWS, COLUMNS].map(|element| self.number(element));
        if data.is_none() && size == [None; 2] {
            // Elements that describe nothing.
            return Ok(None);
        }
        let Some(index) = self.frame_of_overlay(frame) else {
            return Ok(None);
        };
        let [Some(rows @ 1..), Some(columns @ 1..)] = size else {
            return Err("it has no rows and columns".to_owned());
        };
        let bits = match data {
            Some(element) => own_bits(element, [rows, columns], index)?,
            None => self.bits_of_pixels([rows, columns])?,
        };
        let sets = CharacterSets::of(self.file);
        let text = |element| sets.text(self.file, self.tag(element));
        Ok(Some(OverlayPlane {
            group: self.group,
            kind: match self.file.text(self.tag(TYPE)).as_deref() {
                Some("R") => OverlayType::Region,
                _ => OverlayType::Graphics,
            },
            subtype: text(SUBTYPE),
            label: text(LABEL),
            description: text(DESCRIPTION),
            origin: self.origin(),
            rows,
            columns,
            in_pixels: data.is_none(),
            bits,
        }))
    }

    /// Which frame of the overlay, from 0, lies on a frame of the picture: a single one without an Image Frame Origin
    /// lies on all (PS3.3 C.9.3).
    fn frame_of_overlay(&self, frame: u32) -> Option<u32> {
        let count = self
            .file
            .decimals(self.tag(NUMBER_OF_FRAMES))
            .first()
            .copied()
            .flatten();
        let first = self.number(IMAGE_FRAME_ORIGIN).filter(|&first| first > 0);
        let count = match (count, first) {
            (None, _) => return Some(0),
            (Some(count), None) if count <= 1.0 => return Some(0),
            (Some(count), _) => count.max(1.0),
        };
        let index = frame.checked_sub(first.unwrap_or(1))?;
        (f64::from(index) < count).then_some(index)
    }

    fn origin(&self) -> [i32; 2] {
        match self.file.words(self.tag(ORIGIN))[..] {
            [row, column, ..] => [row, column].map(|word| i32::from(word.cast_signed())),
            _ => [1, 1],
        }
    }

    /// One bit of every sample, packed.
    fn bits_of_pixels(&self, [rows, columns]: [u32; 2]) -> Result<Arc<[u8]>, String> {
        let Self { module, decoded, .. } = self;
        let position = self.number(BIT_POSITION).unwrap_or(0);
        let value = u32::from(module.bits.shift)..u32::from(module.bits.shift + module.bits.stored);
        if module.samples != 1 || module.is_float() || value.contains(&position) {
            return Err("it has no Overlay Data".to_owned());
        }
        if position >= u32::from(decoded.precision) {
            return Err(format!("the pixels have no bit {position}"));
        }
        if [rows as usize, columns as usize] != [module.rows, module.columns] {
            return Err(format!(
                "it lies in the pixels, but has {columns} x {rows} of {} x {}",
                module.columns, module.rows
            ));
        }
        let mut byte = position as usize / 8;
        if decoded.high_byte_first {
            byte = decoded.sample_bytes - 1 - byte;
        }
        let samples = decoded.bytes.chunks_exact(decoded.sample_bytes);
        let mut bits = vec![0; module.pixels().div_ceil(8)];
        for (index, sample) in samples.take(module.pixels()).enumerate() {
            bits[index / 8] |= (sample[byte] >> (position % 8) & 1) << (index % 8);
        }
        Ok(bits.into())
    }
}

/// The bits of a frame of Overlay Data, which follow each other without a gap, the first pixel in the lowest bit
/// (PS3.5 8.1.2).
fn own_bits(element: &Element, [rows, columns]: [u32; 2], index: u32) -> Result<Arc<[u8]>, String> {
    let count = u64::from(rows) * u64::from(columns);
    let end = count.checked_mul(u64::from(index) + 1).map(|bits| bits.div_ceil(8));
    let length = element.bytes.len();
    let end = end.filter(|&end| end <= length as u64).ok_or_else(|| {
        format!(
            "its data end after {length} bytes, before frame {} of {columns} x {rows} bits",
            u64::from(index) + 1
        )
    })?;
    let start = count * u64::from(index);
    let (first, shift) = ((start / 8) as usize, (start % 8) as u32);
    // Big endian has the bytes of a word swapped; OB has none to swap.
    let is_swapped = element.encoding.big_endian && element.vr != Some(*b"OB");
    let byte = |at: usize| {
        let at = if is_swapped { at ^ 1 } else { at };
        element.bytes.get(at).copied().unwrap_or(0)
    };
    let packed = |at: usize| {
        let two = u16::from(byte(at)) | u16::from(if at + 1 < end as usize { byte(at + 1) } else { 0 }) << 8;
        (two >> shift) as u8
    };
    let bytes = count.div_ceil(8) as usize;
    let mut bits: Vec<u8> = (first..first + bytes).map(packed).collect();
    let unused = bytes as u64 * 8 - count;
    if let Some(last) = bits.last_mut() {
        *last &= u8::MAX >> unused;
    }
    Ok(bits.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::dicom::dataset::Encoding;

    #[test]
    fn words_of_big_endian_are_swapped_and_bytes_are_not() {
        let bits = |vr, big_endian, index| {
            let element = Element {
                tag: (0x6000, DATA),
                vr: Some(vr),
                encoding: Encoding {
                    explicit: true,
                    big_endian,
                },
                bytes: &[0x12, 0x34, 0x56, 0x78],
                delimited: false,
            };
            own_bits(&element, [3, 4], index).unwrap().to_vec()
        };
        assert_eq!(bits(*b"OW", false, 0), [0x12, 0x04]);
        assert_eq!(bits(*b"OW", false, 1), [0x63, 0x05]);
        assert_eq!(bits(*b"OW", true, 0), [0x34, 0x02]);
        assert_eq!(bits(*b"OW", true, 1), [0x81, 0x07]);
        assert_eq!(bits(*b"OB", true, 1), [0x63, 0x05]);
    }
}
