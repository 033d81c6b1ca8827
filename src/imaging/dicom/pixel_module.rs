//! The Image Pixel Module (PS3.3 C.7.6.3): what the pixels are, checked so that later steps can rely on it.

use super::dataset::{DataSet, PIXEL_DATA, Tag, name};
use super::frames;
use crate::imaging::MAX_PIXELS;

pub(super) const SAMPLES_PER_PIXEL: Tag = (0x0028, 0x0002);
const PHOTOMETRIC_INTERPRETATION: Tag = (0x0028, 0x0004);
const PLANAR_CONFIGURATION: Tag = (0x0028, 0x0006);
pub(super) const NUMBER_OF_FRAMES: Tag = (0x0028, 0x0008);
pub(super) const ROWS: Tag = (0x0028, 0x0010);
pub(super) const COLUMNS: Tag = (0x0028, 0x0011);
pub(super) const BITS_ALLOCATED: Tag = (0x0028, 0x0100);
const BITS_STORED: Tag = (0x0028, 0x0101);
const HIGH_BIT: Tag = (0x0028, 0x0102);
const PIXEL_REPRESENTATION: Tag = (0x0028, 0x0103);
/// Float Pixel Data.
pub(super) const FLOAT_PIXEL_DATA: Tag = (0x7fe0, 0x0008);
/// Double Float Pixel Data.
pub(super) const DOUBLE_FLOAT_PIXEL_DATA: Tag = (0x7fe0, 0x0009);

/// Photometric Interpretation (0028,0004), as far as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Photometric {
    Monochrome1,
    Monochrome2,
    /// PALETTE COLOR: one sample, an index.
    Palette,
    Rgb,
    YbrFull,
    /// `YBR_FULL_422`: half as many chroma samples.
    YbrFull422,
    /// `YBR_ICT` and `YBR_RCT`: a JPEG 2000 decoder turns them into RGB itself.
    YbrJpeg2000,
}

/// Size and sample format of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct PixelModule {
    pub photometric: Photometric,
    /// 1 for grey and indices, 3 for colour.
    pub samples: usize,
    /// Colour by plane, not by pixel.
    pub planar: bool,
    /// At least 1.
    pub frames: u32,
    /// At least 1.
    pub rows: usize,
    /// At least 1.
    pub columns: usize,
    /// Element that holds the pixels: Pixel Data, Float Pixel Data or Double Float Pixel Data.
    pub element: Tag,
    /// Format of a sample; of floating-point numbers only `allocated` has a meaning.
    pub bits: Bits,
}

/// Bits of one integer sample (PS3.5 8.1.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    /// 1, 8, 16, 32 or 64.
    pub allocated: u8,
    /// 1 to `allocated`.
    pub stored: u8,
    /// Bits below the value: High Bit + 1 - Bits Stored, 0 in all but obsolete files.
    pub shift: u8,
    /// Two's complement.
    pub signed: bool,
}

impl PixelModule {
    /// Reads and checks the module; what is missing and can be assumed is said in `assumed`.
    ///
    /// # Errors
    /// A sentence that names the attribute and its value.
    pub(super) fn read(data: &DataSet, assumed: &mut Vec<String>) -> Result<Self, String> {
        let elements = [PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA];
        let element = elements.into_iter().find(|&tag| data.get(tag).is_some());
        let element = element.ok_or("this DICOM object holds no picture")?;
        let photometric = photometric(data, assumed)?;
        let samples = photometric.samples();
        let module = Self {
            photometric,
            samples: samples as usize,
            planar: planar(data, samples == 1)?,
            frames: frames(data)?,
            rows: required(data, ROWS, "Rows")? as usize,
            columns: required(data, COLUMNS, "Columns")? as usize,
            element,
            bits: match element {
                FLOAT_PIXEL_DATA => Bits::of_floats(32),
                DOUBLE_FLOAT_PIXEL_DATA => Bits::of_floats(64),
                _ => bits(data, assumed)?,
            },
        };
        module.check()?;
        module.check_samples(data, assumed)?;
        Ok(module)
    }

    /// Samples per Pixel has to be what the colours need, unless the length of native pixels says that they have it.
    fn check_samples(&self, data: &DataSet, assumed: &mut Vec<String>) -> Result<(), String> {
        let needed = self.photometric.samples();
        let tag = name(SAMPLES_PER_PIXEL);
        match data.unsigned(SAMPLES_PER_PIXEL) {
            Some(stated) if stated != needed && self.has_length_of(data) => assumed.push(format!(
                "Samples per Pixel {tag} is {stated}; {needed} was assumed, which its pixels have."
            )),
            Some(stated) if stated != needed => {
                return Err(format!(
                    "Samples per Pixel {tag} is {stated} where its colours need {needed}"
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether native pixels have just the bytes that these samples take, with at most one more that pads.
    fn has_length_of(&self, data: &DataSet) -> bool {
        let frames = u128::from(self.frames);
        let bytes = match frames::native_size(self) {
            // Frames of single bits follow one another without a gap.
            Ok(_) if self.bits.allocated == 1 => ((self.pixels() * self.samples) as u128 * frames).div_ceil(8),
            Ok(bytes) => bytes as u128 * frames,
            Err(_) => return false,
        };
        let pixels = data.get(self.element).filter(|pixels| !pixels.delimited);
        pixels.is_some_and(|pixels| [bytes, bytes + bytes % 2].contains(&(pixels.bytes.len() as u128)))
    }

    /// Whether a compressed frame of this size is the one that is announced.
    ///
    /// # Errors
    /// One sentence with both sizes.
    pub(super) fn check_size(&self, columns: usize, rows: usize) -> Result<(), String> {
        if (columns, rows) == (self.columns, self.rows) {
            return Ok(());
        }
        Err(format!(
            "its compressed frame has {columns} x {rows} pixels where the header says {} x {}",
            self.columns, self.rows
        ))
    }

    /// Pixels in a frame.
    pub(super) fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Whether the samples are floating-point numbers.
    pub(super) fn is_float(&self) -> bool {
        self.element != PIXEL_DATA
    }

    fn check(&self) -> Result<(), String> {
        let Self { rows, columns, .. } = self;
        if *rows == 0 || *columns == 0 {
            let tags = [ROWS, COLUMNS].map(name).join(" and ");
            return Err(format!("its size {tags} is {columns} x {rows} pixels"));
        }
        if self.pixels() > MAX_PIXELS {
            let tags = [ROWS, COLUMNS].map(name).join(" and ");
            return Err(format!(
                "its size {tags} is {columns} x {rows} pixels, more than this program opens"
            ));
        }
        let Bits { allocated, shift, .. } = self.bits;
        if self.samples == 3 && (!matches!(allocated, 8 | 16) || shift != 0 || self.bits.signed) {
            return Err(format!(
                "colour of {allocated} bits allocated (0028,0100), {} stored, High Bit {} is not shown",
                self.bits.stored,
                self.bits.stored + shift - 1
            ));
        }
        if self.is_float() && !matches!(self.photometric, Photometric::Monochrome1 | Photometric::Monochrome2) {
            return Err("its colours are floating-point numbers, which are not shown".to_owned());
        }
        if self.photometric == Photometric::Palette && (allocated > 16 || self.bits.signed) {
            return Err(format!(
                "its palette indices have {allocated} bits or a sign, which is not shown"
            ));
        }
        Ok(())
    }
}

impl Photometric {
    /// Samples per Pixel that go with it.
    fn samples(self) -> u32 {
        match self {
            Self::Monochrome1 | Self::Monochrome2 | Self::Palette => 1,
            Self::Rgb | Self::YbrFull | Self::YbrFull422 | Self::YbrJpeg2000 => 3,
        }
    }
}

impl Bits {
    fn of_floats(allocated: u8) -> Self {
        Self {
            allocated,
            stored: allocated,
            shift: 0,
            signed: true,
        }
    }

    /// Bytes of a sample in native Pixel Data; 1 where eight samples share a byte.
    pub(super) fn sample_bytes(self) -> usize {
        usize::from(self.allocated.div_ceil(8))
    }

    /// Smallest and largest value that fits.
    pub(super) fn range(self) -> (f64, f64) {
        let span = 2_f64.powi(i32::from(self.stored));
        let lowest = if self.signed { -span / 2.0 } else { 0.0 };
        (lowest, lowest + span - 1.0)
    }
}

fn required(data: &DataSet, tag: Tag, keyword: &str) -> Result<u32, String> {
    data.unsigned(tag)
        .ok_or_else(|| format!("{keyword} {} is missing", name(tag)))
}

fn photometric(data: &DataSet, assumed: &mut Vec<String>) -> Result<Photometric, String> {
    let stated = data.text(PHOTOMETRIC_INTERPRETATION);
    match stated.as_deref() {
        Some("MONOCHROME1") => Ok(Photometric::Monochrome1),
        Some("MONOCHROME2") => Ok(Photometric::Monochrome2),
        Some("PALETTE COLOR") => Ok(Photometric::Palette),
        // A JPEG XL decoder turns its own XYB into RGB.
        Some("RGB" | "XYB") => Ok(Photometric::Rgb),
        Some("YBR_FULL") => Ok(Photometric::YbrFull),
        Some("YBR_FULL_422") => Ok(Photometric::YbrFull422),
        Some("YBR_ICT" | "YBR_RCT") => Ok(Photometric::YbrJpeg2000),
        // No defined term is longer (PS3.3 C.7.6.3.1.2); a broken length may reach into other attributes.
        Some(other) => Err(format!(
            "Photometric Interpretation {} {:.16} is not shown",
            name(PHOTOMETRIC_INTERPRETATION),
            other
        )),
        None => {
            let is_colour = data.unsigned(SAMPLES_PER_PIXEL) == Some(3);
            let (photometric, term) = if is_colour {
                (Photometric::Rgb, "RGB")
            } else {
                (Photometric::Monochrome2, "MONOCHROME2")
            };
            let missing = name(PHOTOMETRIC_INTERPRETATION);
            assumed.push(format!(
                "Photometric Interpretation {missing} is missing; {term} was assumed, so that black and white may be exchanged."
            ));
            Ok(photometric)
        }
    }
}

fn planar(data: &DataSet, grey: bool) -> Result<bool, String> {
    match data.unsigned(PLANAR_CONFIGURATION).unwrap_or(0) {
        _ if grey => Ok(false),
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!(
            "Planar Configuration {} is {other}, neither 0 nor 1",
            name(PLANAR_CONFIGURATION)
        )),
    }
}

fn frames(data: &DataSet) -> Result<u32, String> {
    if data.text(NUMBER_OF_FRAMES).is_none() {
        return Ok(1);
    }
    match data.decimals(NUMBER_OF_FRAMES).first() {
        Some(&Some(count)) if (0.0..=f64::from(u32::MAX)).contains(&count) => Ok((count as u32).max(1)),
        _ => Err(format!("Number of Frames {} is no number", name(NUMBER_OF_FRAMES))),
    }
}

fn bits(data: &DataSet, assumed: &mut Vec<String>) -> Result<Bits, String> {
    let allocated = required(data, BITS_ALLOCATED, "Bits Allocated")?;
    if !matches!(allocated, 1 | 8 | 16 | 32 | 64) {
        let tag = name(BITS_ALLOCATED);
        return Err(format!("pixels of {allocated} bits {tag} are not shown"));
    }
    let stored = data.unsigned(BITS_STORED).unwrap_or_else(|| {
        let high = data.unsigned(HIGH_BIT).filter(|&high| high < allocated);
        let stored = high.map_or(allocated, |high| high + 1);
        let missing = name(BITS_STORED);
        assumed.push(format!("Bits Stored {missing} is missing; {stored} was assumed."));
        stored
    });
    if stored == 0 || stored > allocated {
        let tag = name(BITS_STORED);
        return Err(format!("Bits Stored {tag} is {stored} of {allocated} allocated"));
    }
    let high = high_bit(data, [allocated, stored], assumed);
    Ok(Bits {
        allocated: allocated as u8,
        stored: stored as u8,
        shift: (high + 1 - stored) as u8,
        signed: is_signed(data, assumed)?,
    })
}

/// High Bit of pixels of so many bits allocated and stored: the last one stored, if it is missing or has no room.
fn high_bit(data: &DataSet, [allocated, stored]: [u32; 2], assumed: &mut Vec<String>) -> u32 {
    match data.unsigned(HIGH_BIT) {
        None => stored - 1,
        Some(high) if (stored - 1..allocated).contains(&high) => high,
        Some(high) => {
            let tag = name(HIGH_BIT);
            assumed.push(format!(
                "High Bit {tag} is {high}, which leaves no room for {stored} bits stored; {} was assumed.",
                stored - 1
            ));
            stored - 1
        }
    }
}

fn is_signed(data: &DataSet, assumed: &mut Vec<String>) -> Result<bool, String> {
    let representation = data.unsigned(PIXEL_REPRESENTATION).unwrap_or_else(|| {
        let missing = name(PIXEL_REPRESENTATION);
        assumed.push(format!(
            "Pixel Representation {missing} is missing; values without a sign were assumed."
        ));
        0
    });
    match representation {
        0 => Ok(false),
        1 => Ok(true),
        other => {
            let tag = name(PIXEL_REPRESENTATION);
            Err(format!("Pixel Representation {tag} is {other}, neither 0 nor 1"))
        }
    }
}
