//! The Image Pixel Module (PS3.3 C.7.6.3): what the pixels are, checked so that later steps can rely on it.

use super::dataset::{DataSet, PIXEL_DATA, Tag, name};

const SAMPLES_PER_PIXEL: Tag = (0x0028, 0x0002);
const PHOTOMETRIC_INTERPRETATION: Tag = (0x0028, 0x0004);
const PLANAR_CONFIGURATION: Tag = (0x0028, 0x0006);
const NUMBER_OF_FRAMES: Tag = (0x0028, 0x0008);
const ROWS: Tag = (0x0028, 0x0010);
const COLUMNS: Tag = (0x0028, 0x0011);
const BITS_ALLOCATED: Tag = (0x0028, 0x0100);
const BITS_STORED: Tag = (0x0028, 0x0101);
const HIGH_BIT: Tag = (0x0028, 0x0102);
const PIXEL_REPRESENTATION: Tag = (0x0028, 0x0103);
const FLOAT_PIXEL_DATA: Tag = (0x7fe0, 0x0008);
const DOUBLE_FLOAT_PIXEL_DATA: Tag = (0x7fe0, 0x0009);
/// Most pixels a frame may have.
const MAX_PIXELS: usize = 200_000_000;

/// Photometric Interpretation (0028,0004), as far as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Photometric {
    Monochrome1,
    Monochrome2,
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
    /// 1 for grey, 3 for colour.
    pub samples: usize,
    /// Colour by plane, not by pixel.
    pub planar: bool,
    /// At least 1.
    pub frames: u32,
    /// At least 1.
    pub rows: usize,
    /// At least 1.
    pub columns: usize,
    /// Format of a sample.
    pub bits: Bits,
}

/// Bits of one sample; the value occupies the lowest ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    /// 8 or 16.
    pub allocated: u8,
    /// 1 to `allocated`.
    pub stored: u8,
    /// Two's complement.
    pub signed: bool,
}

impl PixelModule {
    /// Reads and checks the module.
    ///
    /// # Errors
    /// A sentence that names the attribute and its value.
    pub(super) fn read(data: &DataSet) -> Result<Self, String> {
        if data.get(PIXEL_DATA).is_none() {
            let float = [FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA]
                .iter()
                .any(|&tag| data.get(tag).is_some());
            return Err(if float {
                "its pixels are floating-point numbers, which are not shown".to_owned()
            } else {
                "this DICOM object holds no picture".to_owned()
            });
        }
        let photometric = photometric(data)?;
        let grey = matches!(photometric, Photometric::Monochrome1 | Photometric::Monochrome2);
        let samples = if grey { 1 } else { 3 };
        let stated = data.unsigned(SAMPLES_PER_PIXEL).unwrap_or(samples);
        if stated != samples {
            return Err(format!(
                "Samples per Pixel is {stated} where its colours need {samples}"
            ));
        }
        let module = Self {
            photometric,
            samples: samples as usize,
            planar: planar(data, grey)?,
            frames: frames(data)?,
            rows: required(data, ROWS, "Rows")? as usize,
            columns: required(data, COLUMNS, "Columns")? as usize,
            bits: bits(data)?,
        };
        module.check_size()?;
        Ok(module)
    }

    /// Pixels in a frame.
    pub(super) fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    fn check_size(&self) -> Result<(), String> {
        let Self { rows, columns, .. } = self;
        if *rows == 0 || *columns == 0 {
            return Err(format!("its size is {columns} x {rows} pixels"));
        }
        if self.pixels() > MAX_PIXELS {
            return Err(format!("{columns} x {rows} pixels are more than this program opens"));
        }
        if self.samples == 3 && (self.bits.allocated, self.bits.stored) != (8, 8) {
            return Err(format!("colour of {} bits a channel is not shown", self.bits.stored));
        }
        Ok(())
    }
}

fn required(data: &DataSet, tag: Tag, keyword: &str) -> Result<u32, String> {
    data.unsigned(tag)
        .ok_or_else(|| format!("{keyword} {} is missing", name(tag)))
}

fn photometric(data: &DataSet) -> Result<Photometric, String> {
    let stated = data.text(PHOTOMETRIC_INTERPRETATION);
    match stated.as_deref() {
        Some("MONOCHROME1") => Ok(Photometric::Monochrome1),
        Some("MONOCHROME2") => Ok(Photometric::Monochrome2),
        Some("RGB") => Ok(Photometric::Rgb),
        Some("YBR_FULL") => Ok(Photometric::YbrFull),
        Some("YBR_FULL_422") => Ok(Photometric::YbrFull422),
        Some("YBR_ICT" | "YBR_RCT") => Ok(Photometric::YbrJpeg2000),
        Some(other) => Err(format!("Photometric Interpretation {other} is not shown")),
        None => Err(format!(
            "Photometric Interpretation {} is missing",
            name(PHOTOMETRIC_INTERPRETATION)
        )),
    }
}

fn planar(data: &DataSet, grey: bool) -> Result<bool, String> {
    match data.unsigned(PLANAR_CONFIGURATION).unwrap_or(0) {
        _ if grey => Ok(false),
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!("Planar Configuration is {other}, neither 0 nor 1")),
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

fn bits(data: &DataSet) -> Result<Bits, String> {
    let allocated = required(data, BITS_ALLOCATED, "Bits Allocated")?;
    if allocated != 8 && allocated != 16 {
        return Err(format!("pixels of {allocated} bits are not shown"));
    }
    let stored = required(data, BITS_STORED, "Bits Stored")?;
    if stored == 0 || stored > allocated {
        return Err(format!("Bits Stored is {stored} of {allocated} allocated"));
    }
    let high = data.unsigned(HIGH_BIT).unwrap_or(stored - 1);
    if high != stored - 1 {
        return Err(format!(
            "High Bit {high} with {stored} bits stored is an obsolete layout that is not shown"
        ));
    }
    let signed = match required(data, PIXEL_REPRESENTATION, "Pixel Representation")? {
        0 => false,
        1 => true,
        other => return Err(format!("Pixel Representation is {other}, neither 0 nor 1")),
    };
    Ok(Bits {
        allocated: allocated as u8,
        stored: stored as u8,
        signed,
    })
}
