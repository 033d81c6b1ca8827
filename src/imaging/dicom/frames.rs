//! The bytes of one frame: a slice of native Pixel Data, or the fragments that belong to it (PS3.5 A.4).

use std::borrow::Cow;

use super::dataset::{self, DataSet, Element, Encoding, Tag};
use super::pixel_module::PixelModule;

const EXTENDED_OFFSET_TABLE: Tag = (0x7fe0, 0x0001);

/// Bytes of a native frame, low byte first but for grey samples of two bytes, where it says which byte comes first:
/// `true` for the high one.
///
/// # Errors
/// If the file has fewer.
pub(super) fn native<'a>(
    pixels: &Element<'a>,
    module: &PixelModule,
    frame: u32,
    encoding: Encoding,
) -> Result<(Cow<'a, [u8]>, bool), String> {
    if module.bits.allocated == 1 {
        let swapped = encoding.big_endian && pixels.vr == Some(*b"OW");
        let bits = bitmap(pixels.bytes, module, frame, swapped)?;
        return Ok((Cow::Owned(bits), false));
    }
    let sample_bytes = module.bits.sample_bytes();
    let size = native_size(module)?;
    let start = size
        .checked_mul(frame as usize - 1)
        .ok_or("its frames are beyond all bounds")?;
    let bytes = start
        .checked_add(size)
        .and_then(|end| pixels.bytes.get(start..end))
        .ok_or_else(|| cut_short(frame, start + size, pixels.bytes.len()))?;
    // Words have their bytes swapped, also where two 8-bit samples share one (PS3.5 8.1.1).
    let word = match (sample_bytes, pixels.vr) {
        (1, Some(vr)) if vr == *b"OW" => 2,
        (bytes, _) => bytes,
    };
    if !encoding.big_endian || word == 1 {
        return Ok((Cow::Borrowed(bytes), false));
    }
    if sample_bytes == 2 && module.samples == 1 {
        return Ok((Cow::Borrowed(bytes), true));
    }
    if start % word != 0 || size % word != 0 {
        return Err("its 8-bit pixels lie across 16-bit words in big endian, which is not read".to_owned());
    }
    // Words of a known size are turned round many at a time.
    let bytes = match word {
        2 => turned_round(bytes.as_chunks::<2>().0),
        4 => turned_round(bytes.as_chunks::<4>().0),
        _ => turned_round(bytes.as_chunks::<8>().0),
    };
    Ok((Cow::Owned(bytes), false))
}

/// Words with their bytes in the other order.
pub(super) fn turned_round<const N: usize>(words: &[[u8; N]]) -> Vec<u8> {
    let turned = words.iter().map(|&word| {
        let mut turned = word;
        turned.reverse();
        turned
    });
    turned.collect::<Vec<[u8; N]>>().into_flattened()
}

fn cut_short(frame: u32, end: usize, length: usize) -> String {
    format!("its pixels are cut short: frame {frame} ends at byte {end} of {length}")
}

/// A byte for each pixel of a frame of bits; the first pixel is the lowest bit, and a frame may begin inside a byte
/// (PS3.5 8.1.1 and annex D). `swapped` says that bytes lie in words with the high one first.
fn bitmap(bytes: &[u8], module: &PixelModule, frame: u32, swapped: bool) -> Result<Vec<u8>, String> {
    let pixels = module.pixels();
    let start = pixels
        .checked_mul(frame as usize - 1)
        .ok_or("its frames are beyond all bounds")?;
    let mut end = (start + pixels).div_ceil(8);
    if swapped {
        end = end.next_multiple_of(2);
    }
    if end > bytes.len() {
        return Err(cut_short(frame, end, bytes.len()));
    }
    Ok((start..start + pixels)
        .map(|bit| bytes[(bit / 8) ^ usize::from(swapped)] >> (bit % 8) & 1)
        .collect())
}

/// The bytes of a frame, low byte first, from those of an uncompressed frame that stands for itself.
///
/// # Errors
/// If there are too few.
pub(super) fn alone<'a>(bytes: &'a [u8], module: &PixelModule) -> Result<Cow<'a, [u8]>, String> {
    if module.bits.allocated == 1 {
        return bitmap(bytes, module, 1, false).map(Cow::Owned);
    }
    let size = native_size(module)?;
    let frame = bytes.get(..size).ok_or_else(|| cut_short(1, size, bytes.len()))?;
    Ok(Cow::Borrowed(frame))
}

/// Bytes of a native frame. `YBR_FULL_422` has two luma samples and one of each chroma for two pixels, whose number
/// in a row is even (PS3.3 C.7.6.3.1.2).
///
/// # Errors
/// If the colours do not go with uncompressed pixels.
pub(super) fn native_size(module: &PixelModule) -> Result<usize, String> {
    use super::pixel_module::Photometric::{YbrFull422, YbrJpeg2000};
    let samples = match module.photometric {
        YbrFull422 if module.columns.is_multiple_of(2) && !module.planar => module.pixels() * 2,
        YbrFull422 => return Err("its halved colours need an even number of columns and no planes".to_owned()),
        YbrJpeg2000 => return Err("its colours belong to JPEG 2000, but its pixels are not compressed".to_owned()),
        _ => module.pixels() * module.samples,
    };
    Ok(match module.bits.allocated {
        1 => samples.div_ceil(8),
        _ => samples * module.bits.sample_bytes(),
    })
}

/// Fragments of compressed frames, told apart.
pub(super) struct Encapsulated<'a> {
    fragments: Vec<&'a [u8]>,
    /// Index of each frame's first fragment.
    starts: Vec<usize>,
}

impl<'a> Encapsulated<'a> {
    /// Reads all of them.
    ///
    /// # Errors
    /// If the fragments are broken or cannot be told apart.
    pub(super) fn read(data: &DataSet<'a>, pixels: &Element<'a>, module: &PixelModule) -> Result<Self, String> {
        let mut fragments = dataset::fragments(pixels)?;
        if fragments.is_empty() {
            return Err("its encapsulated pixels have no fragments".to_owned());
        }
        let table = fragments.remove(0);
        let frames = module.frames as usize;
        let starts = if frames == 1 {
            vec![0]
        } else if fragments.len() == frames {
            (0..frames).collect()
        } else {
            frame_starts(data, table, &fragments, frames)
                .ok_or("its fragments cannot be told apart: the offset table is missing or wrong")?
        };
        Ok(Self { fragments, starts })
    }

    /// The compressed bytes of a frame, counted from 1.
    ///
    /// # Errors
    /// If it has no fragment.
    pub(super) fn frame(&self, frame: u32) -> Result<Cow<'a, [u8]>, String> {
        let index = frame as usize - 1;
        let start = self.starts.get(index).copied().unwrap_or(self.fragments.len());
        let end = self.starts.get(index + 1).copied().unwrap_or(self.fragments.len());
        match self.fragments.get(start..end).unwrap_or_default() {
            [] => Err(format!("it has no pixels for frame {frame}")),
            [only] => Ok(Cow::Borrowed(only)),
            several => Ok(Cow::Owned(several.concat())),
        }
    }
}

/// The compressed bytes of a frame.
///
/// # Errors
/// If the fragments are broken or cannot be told apart.
pub(super) fn encapsulated<'a>(
    data: &DataSet<'a>,
    pixels: &Element<'a>,
    module: &PixelModule,
    frame: u32,
) -> Result<Cow<'a, [u8]>, String> {
    Encapsulated::read(data, pixels, module)?.frame(frame)
}

/// Index of each frame's first fragment, by an offset table or by the codestreams' own first bytes.
fn frame_starts(data: &DataSet, table: &[u8], fragments: &[&[u8]], frames: usize) -> Option<Vec<usize>> {
    let basic = table
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&four| u64::from(u32::from_le_bytes(four)));
    let extended = data.get(EXTENDED_OFFSET_TABLE).map_or(&[][..], |element| element.bytes);
    let extended = extended
        .as_chunks::<8>()
        .0
        .iter()
        .map(|&eight| u64::from_le_bytes(eight));
    by_offsets(&basic.collect::<Vec<_>>(), fragments, frames)
        .or_else(|| by_offsets(&extended.collect::<Vec<_>>(), fragments, frames))
        .or_else(|| by_marks(fragments, frames))
}

fn by_offsets(offsets: &[u64], fragments: &[&[u8]], frames: usize) -> Option<Vec<usize>> {
    if offsets.len() != frames || offsets.first() != Some(&0) {
        return None;
    }
    let mut position = 0;
    let mut starts = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        if offsets.get(starts.len()) == Some(&position) {
            starts.push(index);
        }
        position += fragment.len() as u64 + 8;
    }
    (starts.len() == frames).then_some(starts)
}

/// JPEG and JPEG-LS begin with FFD8, JPEG 2000 with FF4F or a JP2 box.
fn by_marks(fragments: &[&[u8]], frames: usize) -> Option<Vec<usize>> {
    let begins = |fragment: &&[u8]| {
        [&[0xff, 0xd8, 0xff][..], &[0xff, 0x4f, 0xff, 0x51], b"\0\0\0\x0cjP  "]
            .iter()
            .any(|mark| fragment.starts_with(mark))
    };
    let starts: Vec<usize> = fragments
        .iter()
        .enumerate()
        .filter(|(_, fragment)| begins(fragment))
        .map(|(index, _)| index)
        .collect();
    (starts.len() == frames && starts.first() == Some(&0)).then_some(starts)
}
