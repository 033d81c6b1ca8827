//! The frames of a DICOM file as plain samples one after the other, for who has to change and write them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::codec::{self, Family};
use super::dataset::DataSet;
use super::decode;
use super::frames::Encapsulated;
use super::part10::Part10;
use super::pixel_module::PixelModule;

/// Most bytes that the frames of a file may have together.
const MOST_BYTES: usize = 1 << 30;

/// Samples of all frames, low byte first.
pub struct Unpacked {
    /// The samples, frame by frame.
    pub bytes: Vec<u8>,
    /// Bytes of a sample: 1, 2, 4 or 8.
    pub sample_bytes: usize,
    /// Bits of a sample below its value.
    pub shift: u8,
    /// Colours are luma and chroma in full range.
    pub is_ybr: bool,
    /// Two pixels share their chroma samples: luma, luma, blue, red.
    pub is_halved: bool,
    /// One colour plane after the other in each frame.
    pub by_plane: bool,
}

/// Decodes every frame of a file.
///
/// # Errors
/// One sentence with the cause; also if the frames are larger than 1 GiB together, or the file holds no whole bytes a
/// sample.
pub fn unpack(file: &[u8]) -> Result<Unpacked, String> {
    let unpacked = catch_unwind(AssertUnwindSafe(|| all_frames(file)));
    unpacked.unwrap_or_else(|_| Err("its data are broken in a way that no decoder copes with".to_owned()))
}

fn all_frames(file: &[u8]) -> Result<Unpacked, String> {
    let part10 = Part10::read(file)?;
    let family = Family::of(&part10.transfer_syntax)?;
    let data = DataSet::read_file(&part10.bytes, part10.encoding)?;
    let module = PixelModule::read(&data, &mut Vec::new())?;
    if module.bits.allocated == 1 {
        return Err("its pixels are single bits".to_owned());
    }
    // Told apart once: there may be as many fragments as frames.
    let delimited = data.get(module.element).filter(|pixels| pixels.delimited);
    let encapsulated = delimited.map(|pixels| Encapsulated::read(&data, pixels, &module));
    let encapsulated = encapsulated.transpose()?;
    let (mut bytes, mut laid_out) = (Vec::new(), None);
    for frame in 1..=module.frames {
        let (decoded, _) = match &encapsulated {
            Some(frames) => codec::decode(family, &part10.transfer_syntax, frames.frame(frame)?, &module)?,
            None => decode(&data, family, &part10, &module, frame)?,
        };
        let this = (
            decoded.sample_bytes,
            decoded.shift,
            decoded.is_ybr,
            decoded.is_halved,
            decoded.by_plane,
        );
        if *laid_out.get_or_insert(this) != this {
            return Err(format!("its frame {frame} is of another kind than the first"));
        }
        bytes.extend_from_slice(&decoded.low_byte_first());
        if bytes.len() > MOST_BYTES {
            return Err("its frames are larger than 1 GiB together".to_owned());
        }
    }
    let (sample_bytes, shift, is_ybr, is_halved, by_plane) = laid_out.ok_or("this DICOM object holds no picture")?;
    Ok(Unpacked {
        bytes,
        sample_bytes,
        shift,
        is_ybr,
        is_halved,
        by_plane,
    })
}
