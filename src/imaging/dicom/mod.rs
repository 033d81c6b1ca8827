//! DICOM files (PS3.3, PS3.5, PS3.10) to [`Radiograph`]s. What is not surely shown right is refused in words.

mod codec;
mod codestream;
mod dataset;
mod frames;
mod jpeg12;
mod look_ups;
mod metadata;
mod part10;
mod pixel_module;
mod rle;
mod scope;
mod text;

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::colour;
use super::lut::{ModalityLut, Polarity, VoiLut};
use super::radiograph::{Radiograph, Samples, StoredValues};
use codec::{Decoded, Family};
use dataset::{DataSet, PIXEL_DATA, Tag};
use look_ups::FrameAttributes;
use part10::Part10;
use pixel_module::{Bits, Photometric, PixelModule};
use text::CharacterSets;

pub(super) use codestream::jpeg_channels;
pub(super) use part10::looks_like_dataset;

const MEDIA_STORAGE_SOP_CLASS_UID: Tag = (0x0002, 0x0002);
const PRESENTATION_INTENT_TYPE: Tag = (0x0008, 0x0068);
const BURNED_IN_ANNOTATION: Tag = (0x0028, 0x0301);
const FLOAT_PIXEL_DATA: std::ops::RangeInclusive<u16> = 0x0008..=0x0009;

/// Reads one frame, counted from 1, of a DICOM file.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn read(path: &Path, bytes: &[u8], frame: u32) -> Result<Radiograph, String> {
    let part10 = Part10::read(bytes)?;
    // Asked first, because an unknown transfer syntax may hide everything else.
    let family = Family::of(&part10.transfer_syntax);
    let data = DataSet::read_file(&part10.bytes, part10.encoding).map_err(|cause| {
        family
            .clone()
            .err()
            .unwrap_or(format!("the DICOM file is broken: {cause}"))
    })?;
    if !has_pixels(&data) {
        let class = data.text(metadata::SOP_CLASS_UID).or_else(|| media_class(bytes));
        let modality = data.text(metadata::MODALITY);
        return Err(scope::without_picture(class.as_deref(), modality.as_deref()));
    }
    let family = family?;
    let module = PixelModule::read(&data)?;
    if frame == 0 || frame > module.frames {
        return Err(format!("there is no frame {frame}, it has {}", module.frames));
    }
    let decoded = decode(&data, family, &part10, &module, frame)?;
    let mut warnings = Vec::new();
    if part10.guessed {
        warnings.push("The file names no transfer syntax; it was guessed.".to_owned());
    }
    let attributes = FrameAttributes::new(data, frame)?;
    let picture = picture(decoded, &module, &attributes, &mut warnings)?;
    radiograph(
        path,
        frame,
        &module,
        picture,
        &attributes,
        &part10.transfer_syntax,
        warnings,
    )
}

fn has_pixels(data: &DataSet) -> bool {
    data.get(PIXEL_DATA).is_some()
        || FLOAT_PIXEL_DATA
            .into_iter()
            .any(|element| data.get((PIXEL_DATA.0, element)).is_some())
}

fn media_class(bytes: &[u8]) -> Option<String> {
    let (meta, _) = DataSet::read_meta(bytes.get(132..)?).ok()?;
    meta.text(MEDIA_STORAGE_SOP_CLASS_UID)
}

fn decode<'a>(
    data: &DataSet<'a>,
    family: Family,
    part10: &Part10,
    module: &PixelModule,
    frame: u32,
) -> Result<Decoded<'a>, String> {
    let pixels = data.get(PIXEL_DATA).ok_or("this DICOM object holds no picture")?;
    if pixels.delimited {
        let bytes = frames::encapsulated(data, pixels, module, frame)?;
        return codec::decode(family, &part10.transfer_syntax, &bytes, module);
    }
    if family != Family::Native {
        return Err("its compressed pixels are not encapsulated".to_owned());
    }
    Ok(Decoded {
        bytes: frames::native(pixels, module, frame, part10.encoding)?,
        sample_bytes: usize::from(module.bits.allocated / 8),
        precision: module.bits.stored,
        is_ybr: module.photometric == Photometric::YbrFull,
        by_plane: module.planar,
    })
}

/// The samples of a frame with the look-ups that make them visible.
struct Picture {
    samples: Samples,
    bits_stored: u8,
    modality_lut: ModalityLut,
    voi_luts: Vec<VoiLut>,
    polarity: Polarity,
    padding: Option<(i32, i32)>,
}

fn picture(
    decoded: Decoded<'_>,
    module: &PixelModule,
    attributes: &FrameAttributes,
    warnings: &mut Vec<String>,
) -> Result<Picture, String> {
    if module.samples == 3 {
        let bytes = interleaved(decoded, module)?;
        let (samples, bits_stored) = colour::from_rgb8(bytes.as_chunks().0, warnings);
        return Ok(Picture {
            samples,
            bits_stored,
            modality_lut: ModalityLut::IDENTITY,
            voi_luts: vec![colour::as_stored()],
            polarity: Polarity::Normal,
            padding: None,
        });
    }
    let modality_lut = look_ups::modality(attributes)?;
    Ok(Picture {
        samples: Samples::Grey(stored_values(&decoded, module.bits)),
        bits_stored: module.bits.stored,
        modality_lut,
        voi_luts: look_ups::voi(attributes, modality_lut, module.bits, warnings)?,
        polarity: look_ups::polarity(&attributes.file, module.photometric),
        padding: look_ups::padding(&attributes.file, module.bits),
    })
}

/// The lowest Bits Stored of every sample, extended by its sign; the bits above may hold anything (PS3.5 8.1.1).
fn stored_values(decoded: &Decoded<'_>, bits: Bits) -> StoredValues {
    let mask = ((1_u32 << bits.stored) - 1) as u16;
    // In offset binary, turning the sign bit over is all that sign extension takes.
    let sign = if bits.signed { 1_u16 << (bits.stored - 1) } else { 0 };
    let sample = |word: u16| (word & mask) ^ sign;
    let bytes = &*decoded.bytes;
    let values = if decoded.sample_bytes == 1 {
        made_of(bytes, |&byte| sample(u16::from(byte)))
    } else {
        made_of(bytes.as_chunks::<2>().0, |&pair| sample(u16::from_le_bytes(pair)))
    };
    StoredValues {
        values,
        offset: -i32::from(sign),
    }
}

/// Samples that a thread makes at a time.
const BLOCK: usize = 1 << 16;

/// A sample of each of `items`, on all cores.
fn made_of<T: Sync>(items: &[T], sample: impl Fn(&T) -> u16 + Sync) -> Arc<Vec<u16>> {
    let mut values = vec![0; items.len()];
    let blocks = values.par_chunks_mut(BLOCK).zip(items.par_chunks(BLOCK));
    blocks.for_each(|(values, items)| {
        for (value, item) in values.iter_mut().zip(items) {
            *value = sample(item);
        }
    });
    Arc::new(values)
}

/// RGB triples of a colour frame.
fn interleaved(decoded: Decoded<'_>, module: &PixelModule) -> Result<Vec<u8>, String> {
    if decoded.sample_bytes != 1 {
        return Err("colour of more than 8 bits a channel is not shown".to_owned());
    }
    let Decoded {
        bytes,
        is_ybr,
        by_plane,
        ..
    } = decoded;
    let mut bytes = bytes.into_owned();
    if by_plane {
        let (red, rest) = bytes.split_at(module.pixels());
        let (green, blue) = rest.split_at(module.pixels());
        bytes = red
            .iter()
            .zip(green)
            .zip(blue)
            .flat_map(|((&r, &g), &b)| [r, g, b])
            .collect();
    }
    if is_ybr {
        for triple in bytes.as_chunks_mut::<3>().0 {
            *triple = colour::rgb_from_ybr(*triple);
        }
    }
    Ok(bytes)
}

fn radiograph(
    path: &Path,
    frame: u32,
    module: &PixelModule,
    picture: Picture,
    attributes: &FrameAttributes,
    transfer_syntax: &str,
    mut warnings: Vec<String>,
) -> Result<Radiograph, String> {
    let file = &attributes.file;
    let sets = CharacterSets::of(file);
    let acquisition = metadata::acquisition(file, &sets, transfer_syntax);
    let spacing = metadata::spacing(attributes, &mut warnings)?;
    let is_colour = matches!(picture.samples, Samples::Colour(_));
    let scope = scope::scope(file, &acquisition, module.frames, is_colour);
    warn(file, &mut warnings);
    let Picture {
        samples,
        bits_stored,
        modality_lut,
        voi_luts,
        polarity,
        padding,
    } = picture;
    Ok(Radiograph {
        file: path.to_owned(),
        frame,
        frames: module.frames,
        width: module.columns as u32,
        height: module.rows as u32,
        samples,
        bits_stored,
        modality_lut,
        voi_luts,
        polarity,
        padding,
        spacing,
        identity: metadata::identity(file, &sets),
        acquisition,
        scope,
        content_hash: [0; 32],
        warnings,
    }
    .sealed())
}

fn warn(file: &DataSet, warnings: &mut Vec<String>) {
    if file.text(PRESENTATION_INTENT_TYPE).as_deref() == Some("FOR PROCESSING") {
        warnings.push("These are raw detector data, not meant for reading.".to_owned());
    }
    if file.has_group(0x6000..0x6020) {
        warnings.push("The file's overlays are not drawn.".to_owned());
    }
    if file.text(BURNED_IN_ANNOTATION).as_deref() == Some("YES") {
        warnings.push("The pixels may carry the patient's identity.".to_owned());
    }
}
