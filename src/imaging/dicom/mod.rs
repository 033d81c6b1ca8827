//! DICOM files (PS3.3, PS3.5, PS3.10) to [`Radiograph`]s. What is not surely shown right is refused in words.

mod boxes;
pub(super) mod character_set;
mod codec;
mod codestream;
mod dataset;
pub(super) mod dicomdir;
pub(super) mod elements;
mod frames;
pub(super) mod header;
mod inflate;
mod jpeg;
mod jpeg2000;
mod jpegxl;
mod jpegxl_boxes;
mod look_ups;
mod metadata;
mod mislabelled;
mod overlay;
mod palette;
mod part10;
mod pixel_module;
mod rle;
mod samples;
mod scope;
mod shutter;
mod text;
pub mod tree;
pub mod unpacked;

use std::borrow::Cow;
use std::path::Path;

use super::colour::{self, Coloured};
use super::lut::{ModalityLut, Polarity, VoiLut};
use super::overlay::OverlayPlane;
use super::radiograph::{Original, Radiograph, Samples, StoredValues};
use super::shutter::Shutter;
use codec::{Decoded, Family};
use dataset::{DataSet, PIXEL_DATA, Tag};
use look_ups::FrameAttributes;
use metadata::Compression;
use mislabelled::Found;
use part10::Part10;
use pixel_module::{DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, Photometric, PixelModule};
use text::CharacterSets;

pub use character_set::Reading;
pub(super) use character_set::by_label;
pub(super) use codestream::jpeg_channels;
pub(super) use part10::looks_like_dataset;

const MEDIA_STORAGE_SOP_CLASS_UID: Tag = (0x0002, 0x0002);
const PRESENTATION_INTENT_TYPE: Tag = (0x0008, 0x0068);
const BURNED_IN_ANNOTATION: Tag = (0x0028, 0x0301);

/// Reads one frame, counted from 1, of a DICOM file.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn read(path: &Path, bytes: &[u8], frame: u32) -> Result<Radiograph, String> {
    let part10 = Part10::read_for_picture(bytes)?;
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
    let mut warnings = Vec::new();
    let module = PixelModule::read(&data, &mut warnings)?;
    if frame == 0 || frame > module.frames {
        return Err(format!("there is no frame {frame}, it has {}", module.frames));
    }
    let decoded = decode(&data, family, &part10, &module, frame);
    let (decoded, found) = decoded.map_err(|cause| format!("Pixel Data {}: {cause}", dataset::name(module.element)))?;
    let compression = Compression {
        syntax: found.as_ref().map_or(&part10.transfer_syntax, |found| found.uid),
        is_lossy: found.as_ref().is_some_and(|found| found.is_lossy),
    };
    if found.is_some() {
        let warning = "The pixels are compressed otherwise than the file's transfer syntax says.";
        warnings.push(warning.to_owned());
    }
    if part10.guessed {
        warnings.push("The file names no transfer syntax; it was guessed.".to_owned());
    }
    let attributes = FrameAttributes::new(data, frame)?;
    let is_lossy = metadata::lossy(&attributes.file, &compression).is_some();
    // Before the bits that are not stored values are dropped: old files have overlays there.
    let overlay_planes = overlay::planes(&attributes.file, &module, frame, &decoded, &mut warnings);
    let shutter = shutter::shutter(&attributes, &overlay_planes, &mut warnings);
    let picture = picture(&decoded, &module, is_lossy, &attributes, &mut warnings)?;
    let radiograph = radiograph(path, frame, &module, picture, &attributes, &compression, warnings)?;
    Ok(with_graphics(radiograph, overlay_planes, shutter))
}

/// The picture with what the file draws on it; a shutter that leaves nothing of it is none.
fn with_graphics(
    mut radiograph: Radiograph,
    overlay_planes: Vec<OverlayPlane>,
    shutter: Option<Shutter>,
) -> Radiograph {
    radiograph.overlay_planes = overlay_planes;
    radiograph.shutter = shutter;
    let hidden = radiograph.hidden_by_shutter();
    if hidden.is_some_and(|hidden| hidden.iter().all(|&hidden| hidden == 1)) {
        radiograph.shutter = None;
        let warning = "The file's shutter would hide the whole picture and is left out.";
        radiograph.warnings.push(warning.to_owned());
    }
    radiograph
}

/// Transfer Syntax UID, bytes of the data set, inflated where they were deflated, and how they are written.
///
/// # Errors
/// If the meta information is broken, or the data set not recognised.
pub(super) fn body(file: &[u8]) -> Result<(String, Cow<'_, [u8]>, elements::Encoding), String> {
    let Part10 {
        transfer_syntax,
        bytes,
        encoding,
        ..
    } = Part10::read(file)?;
    Ok((transfer_syntax, bytes, encoding))
}

fn has_pixels(data: &DataSet) -> bool {
    [PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA]
        .iter()
        .any(|&tag| data.get(tag).is_some())
}

fn media_class(bytes: &[u8]) -> Option<String> {
    let (meta, _) = DataSet::read_meta(bytes.get(132..)?).ok()?;
    meta.text(MEDIA_STORAGE_SOP_CLASS_UID)
}

/// The samples of a frame, and what its codestream is where the file names another.
fn decode<'a>(
    data: &DataSet<'a>,
    family: Family,
    part10: &Part10,
    module: &PixelModule,
    frame: u32,
) -> Result<(Decoded<'a>, Option<Found>), String> {
    let pixels = data.get(module.element).ok_or("this DICOM object holds no picture")?;
    if pixels.delimited {
        let bytes = frames::encapsulated(data, pixels, module, frame)?;
        return codec::decode(family, &part10.transfer_syntax, bytes, module);
    }
    if family != Family::Native {
        return Err("its compressed pixels are not encapsulated".to_owned());
    }
    let (bytes, high_byte_first) = frames::native(pixels, module, frame, part10.encoding)?;
    let decoded = Decoded {
        high_byte_first,
        ..Decoded::native(bytes, module)
    };
    Ok((decoded, None))
}

/// The samples of a frame with the look-ups that make them visible.
struct Picture {
    samples: Samples,
    network_grey: Option<StoredValues>,
    original: Option<Original>,
    bits_stored: u8,
    modality_lut: ModalityLut,
    voi_luts: Vec<VoiLut>,
    polarity: Polarity,
    padding: Option<(f64, f64)>,
}

fn picture(
    decoded: &Decoded<'_>,
    module: &PixelModule,
    is_lossy: bool,
    attributes: &FrameAttributes,
    warnings: &mut Vec<String>,
) -> Result<Picture, String> {
    if module.samples == 3 {
        let (coloured, original) = samples::colours(decoded, module, is_lossy, warnings);
        return Ok(Picture::coloured(coloured, original));
    }
    if module.photometric == Photometric::Palette {
        let indices = samples::stored_values(decoded, module.bits);
        let colours = palette::colours(&attributes.file, &indices)?;
        let coloured = colour::exactly(colours, false, warnings);
        return Ok(Picture::coloured(coloured, Some(Original::Indices(indices))));
    }
    let samples = samples::grey(decoded, module, warnings);
    let modality_lut = look_ups::modality(attributes, module, &samples, warnings)?;
    Ok(Picture {
        network_grey: None,
        original: None,
        bits_stored: module.bits.stored,
        voi_luts: look_ups::voi(attributes, &modality_lut, module, &samples, warnings)?,
        modality_lut,
        polarity: look_ups::polarity(&attributes.file, module.photometric),
        padding: look_ups::padding(&attributes.file, module),
        samples,
    })
}

impl Picture {
    /// Colours, or the grey that they came out to, are shown as they are.
    fn coloured(coloured: Coloured, original: Option<Original>) -> Self {
        Self {
            samples: coloured.samples,
            network_grey: coloured.network_grey,
            original,
            bits_stored: 8,
            modality_lut: ModalityLut::IDENTITY,
            voi_luts: vec![colour::as_stored()],
            polarity: Polarity::Normal,
            padding: None,
        }
    }
}

fn radiograph(
    path: &Path,
    frame: u32,
    module: &PixelModule,
    picture: Picture,
    attributes: &FrameAttributes,
    compression: &Compression,
    mut warnings: Vec<String>,
) -> Result<Radiograph, String> {
    let file = &attributes.file;
    let sets = CharacterSets::of(file);
    let acquisition = metadata::acquisition(file, &sets, compression);
    let spacing = metadata::spacing(attributes, &mut warnings)?;
    let pixel_aspect = metadata::pixel_aspect(file, spacing, &mut warnings);
    let is_colour = matches!(picture.samples, Samples::Colour(_)) && picture.network_grey.is_none();
    let scope = scope::scope(file, &acquisition, module.frames, is_colour);
    warn(file, &mut warnings);
    Ok(Radiograph {
        file: path.to_owned(),
        frame,
        frames: module.frames,
        width: module.columns as u32,
        height: module.rows as u32,
        samples: picture.samples,
        network_grey: picture.network_grey,
        original: picture.original,
        bits_stored: picture.bits_stored,
        modality_lut: picture.modality_lut,
        voi_luts: picture.voi_luts,
        polarity: picture.polarity,
        padding: picture.padding,
        overlay_planes: Vec::new(),
        shutter: None,
        spacing,
        pixel_aspect,
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
    if file.text(BURNED_IN_ANNOTATION).as_deref() == Some("YES") {
        warnings.push("The pixels may carry the patient's identity.".to_owned());
    }
}
