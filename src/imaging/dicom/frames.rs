//! The bytes of one frame: a slice of native Pixel Data, or the fragments that belong to it (PS3.5 A.4).

use std::borrow::Cow;

use super::dataset::{self, DataSet, Element, Encoding, Tag};
use super::pixel_module::PixelModule;

const EXTENDED_OFFSET_TABLE: Tag = (0x7fe0, 0x0001);

/// Bytes of a native frame, low byte first.
///
/// # Errors
/// If the file has fewer.
pub(super) fn native<'a>(
    pixels: &Element<'a>,
    module: &PixelModule,
    frame: u32,
    encoding: Encoding,
) -> Result<Cow<'a, [u8]>, String> {
    let sample_bytes = usize::from(module.bits.allocated / 8);
    let size = module.pixels() * native_samples(module)? * sample_bytes;
    let start = size
        .checked_mul(frame as usize - 1)
        .ok_or("its frames are beyond all bounds")?;
    let bytes = start
        .checked_add(size)
        .and_then(|end| pixels.bytes.get(start..end))
        .ok_or_else(|| {
            format!(
                "its pixels are cut short: frame {frame} ends at byte {} of {}",
                start + size,
                pixels.bytes.len()
            )
        })?;
    // Words have their bytes swapped, also where two 8-bit samples share one (PS3.5 8.1.1).
    let words = sample_bytes == 2 || pixels.vr == Some(*b"OW");
    if !(encoding.big_endian && words) {
        return Ok(Cow::Borrowed(bytes));
    }
    if start % 2 == 1 || size % 2 == 1 {
        return Err("its 8-bit pixels lie across 16-bit words in big endian, which is not read".to_owned());
    }
    Ok(Cow::Owned(
        bytes
            .as_chunks::<2>()
            .0
            .iter()
            .flat_map(|&[high, low]| [low, high])
            .collect(),
    ))
}

/// Stored samples per pixel; `YBR_FULL_422` would have two, but only compressed files keep to that.
fn native_samples(module: &PixelModule) -> Result<usize, String> {
    use super::pixel_module::Photometric::{YbrFull422, YbrJpeg2000};
    match module.photometric {
        YbrFull422 | YbrJpeg2000 => {
            Err("its colours are subsampled without compression, which is not shown".to_owned())
        }
        _ => Ok(module.samples),
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
    let items = dataset::fragments(pixels)?;
    let Some((&table, fragments)) = items.split_first() else {
        return Err("its encapsulated pixels have no fragments".to_owned());
    };
    let frames = module.frames as usize;
    let index = frame as usize - 1;
    let belonging: &[&[u8]] = if frames == 1 {
        fragments
    } else if fragments.len() == frames {
        &fragments[index..=index]
    } else {
        let starts = frame_starts(data, table, fragments, frames)
            .ok_or("its fragments cannot be told apart: the offset table is missing or wrong")?;
        &fragments[starts[index]..starts.get(index + 1).copied().unwrap_or(fragments.len())]
    };
    match belonging {
        [] => Err(format!("it has no pixels for frame {frame}")),
        [only] => Ok(Cow::Borrowed(only)),
        several => Ok(Cow::Owned(several.concat())),
    }
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
