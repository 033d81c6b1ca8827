//! What a TIFF file says about itself beyond the general decoder, and pictures in palette colours, which that refuses.

use std::io::{Cursor, Read, Seek};

use ::tiff::TiffError;
use ::tiff::decoder::{Decoder, DecodingResult, Limits};
use ::tiff::tags::{ByteOrder, Tag};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

/// Photometric Interpretation of palette colours, and of grey levels that rise.
const PALETTE: u16 = 3;
const BLACK_IS_ZERO: u16 = 1;
/// Sample Format of floating-point numbers.
const FLOATING: u16 = 3;

/// Facts about the first picture of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// A second picture follows.
    pub more_pages: bool,
    /// Columns and rows.
    pub size: (u32, u32),
    /// Bits of a pixel before it is packed.
    pub bits: u64,
    /// Most bytes of samples that a byte of the file can stand for, `None` where that is not bounded.
    pub expansion: Option<u64>,
    /// Its samples are floating-point numbers.
    pub floating: bool,
    /// Its samples are indices of a palette.
    pub palette: Option<Palette>,
}

/// Where the first directory stands, and how it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    directory: u64,
    order: ByteOrder,
}

/// Looks at the first directory; `None` where it is broken, on which the decoder has the last word.
pub(super) fn facts<R: Read + Seek>(reader: R) -> Option<Facts> {
    let mut decoder = Decoder::new(reader).ok()?;
    let compression = decoder.find_tag_unsigned(Tag::Compression).ok()?.unwrap_or(1_u16);
    let photometric: Option<u16> = decoder.find_tag_unsigned(Tag::PhotometricInterpretation).ok()?;
    let bits: Vec<u16> = decoder
        .find_tag_unsigned_vec(Tag::BitsPerSample)
        .ok()?
        .unwrap_or(vec![1]);
    let formats: Option<Vec<u16>> = decoder.find_tag_unsigned_vec(Tag::SampleFormat).ok()?;
    let directory = decoder.ifd_pointer()?.0;
    let palette = (photometric == Some(PALETTE)).then_some(Palette {
        directory,
        order: decoder.byte_order(),
    });
    Some(Facts {
        size: decoder.dimensions().ok()?,
        bits: bits.into_iter().map(u64::from).sum(),
        expansion: expansion(compression),
        floating: formats.is_some_and(|formats| formats.contains(&FLOATING)),
        palette,
        // A chain of directories that bites its own tail has no second picture.
        more_pages: decoder.more_images() && decoder.next_image().is_ok(),
    })
}

/// By the value of Compression: none, LZW, JPEG (a bit for a block of 64), Deflate, `PackBits`; fax codes have no bound.
fn expansion(compression: u16) -> Option<u64> {
    match compression {
        1 => Some(1),
        5 => Some(4096),
        7 => Some(3 * 512),
        8 | 32_946 => Some(1032),
        32_773 => Some(64),
        _ => None,
    }
}

/// Decodes a picture of indices of 1, 2, 4 or 8 bits whose size was checked. The decoder gives indices only where it
/// takes them for grey levels, so the directory says that they are.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn read_palette(mut bytes: Vec<u8>, facts: Facts) -> Result<(DynamicImage, Orientation), String> {
    let (width, height) = (facts.size.0 as usize, facts.size.1 as usize);
    let bits = facts.bits as usize;
    if !matches!(bits, 1 | 2 | 4 | 8) {
        return Err(format!("palette indices of {bits} bits are not read"));
    }
    let palette = facts.palette.ok_or("it has no palette")?;
    say_grey(&mut bytes, palette).ok_or("its directory is broken")?;
    let mut limits = Limits::default();
    // It bounds the directory's values as well.
    limits.decoding_buffer_size = (width * height).max(limits.ifd_value_size);
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(words)?.with_limits(limits);
    let map = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(words)?;
    let colours = colours(&map, bits)?;
    let orientation = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let DecodingResult::U8(packed) = decoder.read_image().map_err(words)? else {
        return Err("its palette indices are no bytes".to_owned());
    };
    let row_bytes = (width * bits).div_ceil(8);
    let mut pixels = Vec::with_capacity(width * height * 3);
    for row in packed.chunks_exact(row_bytes.max(1)).take(height) {
        for first in (0..width).map(|column| column * bits) {
            // Indices stand from the highest bit of a byte to the lowest.
            let index = row[first / 8] >> (8 - bits - first % 8) & (0xff >> (8 - bits));
            pixels.extend(colours[usize::from(index)]);
        }
    }
    let picture = RgbImage::from_raw(facts.size.0, facts.size.1, pixels).ok_or("its data are cut short")?;
    let orientation = orientation.and_then(Orientation::from_exif);
    Ok((picture.into(), orientation.unwrap_or(Orientation::NoTransforms)))
}

/// Changes the Photometric Interpretation of a directory in place; `None` where it is not found.
fn say_grey(bytes: &mut [u8], palette: Palette) -> Option<()> {
    let little = palette.order == ByteOrder::LittleEndian;
    let short = |two: [u8; 2]| {
        if little {
            u16::from_le_bytes(two)
        } else {
            u16::from_be_bytes(two)
        }
    };
    // Version 43 is BigTIFF, whose counts and offsets have 8 bytes.
    let big = short([*bytes.get(2)?, *bytes.get(3)?]) == 43;
    let (count_bytes, entry_bytes, value_at) = if big { (8, 20, 12) } else { (2, 12, 8) };
    let first = usize::try_from(palette.directory).ok()?.checked_add(count_bytes)?;
    for entry in bytes.get_mut(first..)?.chunks_exact_mut(entry_bytes) {
        if short([entry[0], entry[1]]) == Tag::PhotometricInterpretation.to_u16() {
            let value = if little {
                BLACK_IS_ZERO.to_le_bytes()
            } else {
                BLACK_IS_ZERO.to_be_bytes()
            };
            entry[value_at..value_at + 2].copy_from_slice(&value);
            return Some(());
        }
    }
    None
}

/// The palette: all reds, all greens, all blues of 16 bits (TIFF 6.0, `ColorMap`), as 8 bits.
fn colours(map: &[u16], bits: usize) -> Result<Vec<[u8; 3]>, String> {
    let count = 1 << bits;
    if map.len() != 3 * count {
        return Err(format!("its palette has {} values, not {}", map.len(), 3 * count));
    }
    let eight = |index: usize| (map[index] >> 8) as u8;
    Ok((0..count)
        .map(|index| [eight(index), eight(index + count), eight(index + 2 * count)])
        .collect())
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn words(error: TiffError) -> String {
    error.to_string()
}
