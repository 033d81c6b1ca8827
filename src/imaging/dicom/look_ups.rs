//! The look-ups of a data set (PS3.3 C.11, C.7.6.16.2): modality, VOI, polarity and padding of one frame.

use std::sync::Arc;

use super::dataset::{DataSet, Element, Tag, name};
use super::pixel_module::{DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, Photometric, PixelModule};
use super::text::CharacterSets;
use crate::imaging::lut::{
    ModalityLut, ModalityTable, Polarity, VoiLut, VoiLutFunction, VoiTable, VoiTransform, Window,
};
use crate::imaging::radiograph::Samples;

const MODALITY_LUT_SEQUENCE: Tag = (0x0028, 0x3000);
const RESCALE_INTERCEPT: Tag = (0x0028, 0x1052);
const RESCALE_SLOPE: Tag = (0x0028, 0x1053);
const PIXEL_VALUE_TRANSFORMATION_SEQUENCE: Tag = (0x0028, 0x9145);
const VOI_LUT_SEQUENCE: Tag = (0x0028, 0x3010);
const FRAME_VOI_LUT_SEQUENCE: Tag = (0x0028, 0x9132);
const LUT_DESCRIPTOR: Tag = (0x0028, 0x3002);
const LUT_EXPLANATION: Tag = (0x0028, 0x3003);
const LUT_DATA: Tag = (0x0028, 0x3006);
const WINDOW_CENTER: Tag = (0x0028, 0x1050);
const WINDOW_WIDTH: Tag = (0x0028, 0x1051);
const WINDOW_EXPLANATION: Tag = (0x0028, 0x1055);
const VOI_LUT_FUNCTION: Tag = (0x0028, 0x1056);
const PRESENTATION_LUT_SHAPE: Tag = (0x2050, 0x0020);
/// Pixel Padding Value, then those of float and of double pixels.
const PIXEL_PADDING_VALUE: [Tag; 3] = [(0x0028, 0x0120), (0x0028, 0x0122), (0x0028, 0x0123)];
/// Pixel Padding Range Limit, likewise.
const PIXEL_PADDING_RANGE_LIMIT: [Tag; 3] = [(0x0028, 0x0121), (0x0028, 0x0124), (0x0028, 0x0125)];
const SHARED_FUNCTIONAL_GROUPS: Tag = (0x5200, 0x9229);
const PER_FRAME_FUNCTIONAL_GROUPS: Tag = (0x5200, 0x9230);

/// The data set of a frame: the file's own attributes and its functional groups.
pub(super) struct FrameAttributes<'a> {
    /// Attributes of the whole file.
    pub file: DataSet<'a>,
    shared: DataSet<'a>,
    own: DataSet<'a>,
}

impl<'a> FrameAttributes<'a> {
    /// Collects what concerns the frame, counted from 1.
    ///
    /// # Errors
    /// If a functional group is broken.
    pub(super) fn new(file: DataSet<'a>, frame: u32) -> Result<Self, String> {
        let shared = file.first_item(SHARED_FUNCTIONAL_GROUPS)?.unwrap_or_default();
        let own = file
            .item(PER_FRAME_FUNCTIONAL_GROUPS, frame as usize - 1)?
            .unwrap_or_default();
        Ok(Self { file, shared, own })
    }

    /// The data set that holds `attribute`: the file, else the functional group `sequence`, shared or the
    /// frame's own; the file where it is nowhere.
    ///
    /// # Errors
    /// If the sequence is broken.
    pub(super) fn holding(&self, attribute: Tag, sequence: Tag) -> Result<DataSet<'a>, String> {
        if self.file.get(attribute).is_none_or(|element| element.bytes.is_empty()) {
            for group in [&self.shared, &self.own] {
                match group.first_item(sequence)? {
                    Some(item) if item.get(attribute).is_some_and(|element| !element.bytes.is_empty()) => {
                        return Ok(item);
                    }
                    _ => {}
                }
            }
        }
        Ok(self.file.clone())
    }
}

/// Stored values to modality values: the Modality LUT Sequence where it is usable, else rescale, else as they are
/// (PS3.3 C.11.1).
///
/// # Errors
/// If the rescale is unusable, or a table is to be applied to samples that it cannot have an entry for each of.
pub(super) fn modality(
    frame: &FrameAttributes,
    module: &PixelModule,
    samples: &Samples,
    warnings: &mut Vec<String>,
) -> Result<ModalityLut, String> {
    if let Some(item) = frame.file.first_item(MODALITY_LUT_SEQUENCE)? {
        match look_up_table(&item, module.bits.signed) {
            Some(_) if matches!(samples, Samples::Wide(_)) => {
                return Err("it maps wide samples by a Modality LUT Sequence, which is not shown".to_owned());
            }
            Some(table) => {
                return Ok(ModalityLut::Table(ModalityTable {
                    first: table.first,
                    entries: table.entries,
                }));
            }
            None => warnings.push("The file's Modality LUT is unusable and left out.".to_owned()),
        }
    }
    rescale(frame, warnings)
}

/// Rescale Slope and Intercept; as they are where these are no numbers.
fn rescale(frame: &FrameAttributes, warnings: &mut Vec<String>) -> Result<ModalityLut, String> {
    let number = |tag: Tag, default: f64| -> Result<Option<f64>, String> {
        let group = frame.holding(tag, PIXEL_VALUE_TRANSFORMATION_SEQUENCE)?;
        Ok(group.decimals(tag).first().copied().unwrap_or(Some(default)))
    };
    let (slope, intercept) = (number(RESCALE_SLOPE, 1.0)?, number(RESCALE_INTERCEPT, 0.0)?);
    let (Some(slope), Some(intercept)) = (slope, intercept) else {
        let broken = [(slope, RESCALE_SLOPE), (intercept, RESCALE_INTERCEPT)].into_iter();
        let broken: Vec<String> = broken
            .filter(|(number, _)| number.is_none())
            .map(|(_, tag)| name(tag))
            .collect();
        let are = if broken.len() == 1 {
            "is no number"
        } else {
            "are no numbers"
        };
        warnings.push(format!(
            "The file's rescale is left out, as {} {are}; its windows may not fit the stored values.",
            broken.join(" and ")
        ));
        return Ok(ModalityLut::IDENTITY);
    };
    if slope == 0.0 {
        let tag = name(RESCALE_SLOPE);
        return Err(format!(
            "its Rescale Slope {tag} is 0, which makes every pixel the same"
        ));
    }
    Ok(ModalityLut::linear(slope, intercept))
}

/// The file's VOI LUTs, then its windows, in its order; unusable ones are left out with a warning.
///
/// # Errors
/// If a sequence is broken.
pub(super) fn voi(
    frame: &FrameAttributes,
    modality: &ModalityLut,
    module: &PixelModule,
    samples: &Samples,
    warnings: &mut Vec<String>,
) -> Result<Vec<VoiLut>, String> {
    let (lowest, highest) = module.bits.range();
    let has_negative = match modality {
        ModalityLut::Rescale(_) => modality.apply(lowest).min(modality.apply(highest)) < 0.0,
        ModalityLut::Table(_) => false,
    };
    let sets = CharacterSets::of(&frame.file);
    let mut voi_luts = Vec::new();
    for item in frame
        .holding(VOI_LUT_SEQUENCE, FRAME_VOI_LUT_SEQUENCE)?
        .items(VOI_LUT_SEQUENCE)?
    {
        match look_up_table(&item, has_negative) {
            Some(table) if matches!(samples, Samples::Grey(_)) => voi_luts.push(VoiLut {
                explanation: sets
                    .text(&item, LUT_EXPLANATION)
                    .unwrap_or_else(|| "VOI LUT".to_owned()),
                transform: VoiTransform::Table(table),
            }),
            _ => warnings.push("A VOI LUT of the file is unusable and left out.".to_owned()),
        }
    }
    voi_luts.extend(windows(
        &frame.holding(WINDOW_CENTER, FRAME_VOI_LUT_SEQUENCE)?,
        &sets,
        warnings,
    ));
    Ok(voi_luts)
}

/// An item of a Modality or VOI LUT Sequence; `None` if it is unusable. `has_negative` says that what it maps may be
/// below 0, so that the first value mapped is signed.
fn look_up_table(item: &DataSet, has_negative: bool) -> Option<VoiTable> {
    let (count, first, bits) = table_descriptor(item, LUT_DESCRIPTOR, has_negative)?;
    let bits = u8::try_from(bits).ok().filter(|bits| (1..=16).contains(bits))?;
    let entries: Arc<[u16]> = table_entries(item.get(LUT_DATA)?, count, bits)?.into();
    let largest = entries.iter().copied().max()?;
    let white = largest.max(((1_u32 << bits) - 1) as u16);
    Some(VoiTable {
        first,
        bits,
        white,
        entries,
    })
}

/// Number of entries, first value mapped and bits of an entry of a look-up table; `None` without a descriptor.
pub(super) fn table_descriptor(data: &DataSet, tag: Tag, has_negative: bool) -> Option<(usize, i32, u16)> {
    let &[count, first, bits] = data.words(tag).first_chunk()?;
    let count = if count == 0 { 1 << 16 } else { usize::from(count) };
    let is_signed = has_negative || data.get(tag).is_some_and(|element| element.vr == Some(*b"SS"));
    let first = if is_signed {
        i32::from(first.cast_signed())
    } else {
        i32::from(first)
    };
    Some((count, first, bits))
}

/// Entries of a look-up table; those of 8 bits may be packed two to a word (PS3.3 C.11.1.1). `None` if there are too few.
pub(super) fn table_entries(data: &Element, count: usize, bits: u8) -> Option<Vec<u16>> {
    if let Some(words) = data.bytes.as_chunks::<2>().0.get(..count) {
        return Some(words.iter().map(|&pair| data.encoding.u16(pair)).collect());
    }
    let packed = data.bytes.get(..count).filter(|_| bits <= 8)?;
    let in_words = data.encoding.big_endian && data.bytes.len().is_multiple_of(2) && data.vr != Some(*b"OB");
    let entry = |at: usize| u16::from(if in_words { data.bytes[at ^ 1] } else { packed[at] });
    Some((0..count).map(entry).collect())
}

fn windows(group: &DataSet, sets: &CharacterSets, warnings: &mut Vec<String>) -> Vec<VoiLut> {
    let function = match group.text(VOI_LUT_FUNCTION).as_deref() {
        None | Some("LINEAR") => VoiLutFunction::Linear,
        Some("LINEAR_EXACT") => VoiLutFunction::LinearExact,
        Some("SIGMOID") => VoiLutFunction::Sigmoid,
        Some(other) => {
            warnings.push(format!(
                "VOI LUT Function {other:.32} is unknown; its windows are taken as linear."
            ));
            VoiLutFunction::Linear
        }
    };
    let narrowest = if function == VoiLutFunction::Linear {
        1.0
    } else {
        f64::MIN_POSITIVE
    };
    let (centers, widths) = (group.decimals(WINDOW_CENTER), group.decimals(WINDOW_WIDTH));
    let explanations = sets.text(group, WINDOW_EXPLANATION).unwrap_or_default();
    let mut explanations = explanations.split('\\').map(str::trim);
    let mut windows = Vec::new();
    for (index, pair) in centers.iter().zip(&widths).enumerate() {
        let explanation = explanations.next().filter(|text| !text.is_empty());
        match pair {
            (&Some(center), &Some(width)) if width >= narrowest => windows.push(VoiLut {
                explanation: explanation.map_or_else(|| format!("Window {}", index + 1), str::to_owned),
                transform: VoiTransform::Window(Window {
                    center,
                    width,
                    function,
                }),
            }),
            _ => warnings.push("A window of the file has no usable width and is left out.".to_owned()),
        }
    }
    if centers.len() != widths.len() {
        warnings.push("The file has not as many window centres as widths.".to_owned());
    }
    windows
}

/// One inversion for MONOCHROME1 or Presentation LUT Shape INVERSE; both together are the usual pair of a DX
/// image and still one (PS3.3 C.8.11.3.1.2).
pub(super) fn polarity(file: &DataSet, photometric: Photometric) -> Polarity {
    let shape = file.text(PRESENTATION_LUT_SHAPE);
    if photometric == Photometric::Monochrome1 || shape.as_deref() == Some("INVERSE") {
        Polarity::Inverse
    } else {
        Polarity::Normal
    }
}

/// Inclusive range of stored values that are padding (PS3.3 C.7.5.1.1.2).
pub(super) fn padding(file: &DataSet, module: &PixelModule) -> Option<(f64, f64)> {
    let value = |[integer, float, double]: [Tag; 3]| match module.element {
        FLOAT_PIXEL_DATA => file.decimals_of(float, *b"FL").first().copied().flatten(),
        DOUBLE_FLOAT_PIXEL_DATA => file.decimals_of(double, *b"FD").first().copied().flatten(),
        _ => match file.words(integer)[..] {
            [] => None,
            // Samples of 32 bits have padding of 32.
            [low, high] if module.bits.allocated == 32 => {
                let word = u32::from(high) << 16 | u32::from(low);
                let signed = f64::from(word.cast_signed());
                Some(if module.bits.signed { signed } else { f64::from(word) })
            }
            [word, ..] if module.bits.signed => Some(f64::from(word.cast_signed())),
            [word, ..] => Some(f64::from(word)),
        },
    };
    let one = value(PIXEL_PADDING_VALUE)?;
    let other = value(PIXEL_PADDING_RANGE_LIMIT).unwrap_or(one);
    Some((one.min(other), one.max(other)))
}
