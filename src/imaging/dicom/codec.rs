//! Frames of every transfer syntax that is read, to plain samples. The codecs are those of dicom-rs, behind
//! checks of what they are given; RLE and 12-bit JPEG, where it fails, are ours.

use std::borrow::Cow;

use dicom_encoding::adapters::{PixelDataObject, RawPixelData};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::codestream::{self, Codestream};
use super::pixel_module::{Bits, Photometric, PixelModule};
use super::{jpeg12, rle};

/// Families of transfer syntaxes (PS3.5 chapter 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Native,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
}

impl Family {
    /// The family of a Transfer Syntax UID.
    ///
    /// # Errors
    /// A sentence that names the UID.
    pub(super) fn of(uid: &str) -> Result<Self, String> {
        let tail = uid.strip_prefix("1.2.840.10008.1.2").ok_or_else(|| unknown(uid))?;
        match tail {
            "" | ".1" | ".2" | ".1.99" => Ok(Self::Native),
            ".5" => Ok(Self::Rle),
            ".4.50" | ".4.51" | ".4.57" | ".4.70" => Ok(Self::Jpeg),
            ".4.80" | ".4.81" => Ok(Self::JpegLs),
            ".4.90" | ".4.91" | ".4.201" | ".4.202" | ".4.203" => Ok(Self::Jpeg2000),
            ".4.100" | ".4.101" | ".4.102" | ".4.103" | ".4.104" | ".4.105" | ".4.106" | ".4.107" | ".4.108" => {
                Err(format!("it is a video (transfer syntax {uid}), which is not played"))
            }
            _ => Err(unknown(uid)),
        }
    }
}

fn unknown(uid: &str) -> String {
    match TransferSyntaxRegistry.get(uid) {
        Some(syntax) => format!("its transfer syntax {uid} ({}) is not read", syntax.name()),
        None => format!("its transfer syntax {uid} is not known to this program"),
    }
}

/// Decoded samples of one frame, low byte first.
pub(super) struct Decoded<'a> {
    pub bytes: Cow<'a, [u8]>,
    /// 1 or 2.
    pub sample_bytes: usize,
    /// Bits of a sample in the codestream.
    pub precision: u8,
    /// Colour samples are luma and chroma in full range, still to be turned into RGB.
    pub is_ybr: bool,
    /// One colour plane after the other, not interleaved.
    pub by_plane: bool,
}

/// Decodes a compressed frame.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn decode(
    family: Family,
    uid: &str,
    frame: &[u8],
    module: &PixelModule,
) -> Result<Decoded<'static>, String> {
    let mut decoded = match family {
        Family::Native => {
            return Err("its pixels are encapsulated in a transfer syntax that has none such".into());
        }
        Family::Rle => {
            let sample_bytes = usize::from(module.bits.allocated / 8);
            let bytes = rle::decode(frame, module.pixels(), module.samples, sample_bytes)?;
            Decoded {
                bytes: bytes.into(),
                sample_bytes,
                precision: module.bits.stored,
                is_ybr: untouched_ybr(module)?,
                by_plane: false,
            }
        }
        Family::Jpeg => decode_jpeg(uid, frame, module)?,
        Family::JpegLs => decode_jpeg_ls(uid, frame, module)?,
        Family::Jpeg2000 => decode_jpeg2000(uid, frame, module)?,
    };
    // A codestream of just the stored bits cannot overshoot, and its words may be two's complement of that width.
    if LOSSY.contains(&uid) && decoded.sample_bytes == 2 && decoded.precision > module.bits.stored {
        clamp(decoded.bytes.to_mut(), module.bits);
    }
    Ok(decoded)
}

/// Transfer syntaxes whose decoded values may overshoot Bits Stored, because the codestream has more.
const LOSSY: [&str; 5] = [
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.203",
];

fn clamp(bytes: &mut [u8], bits: Bits) {
    let span = (1_i32 << bits.stored) - 1;
    let lowest = if bits.signed { -(1 << (bits.stored - 1)) } else { 0 };
    for pair in bytes.as_chunks_mut::<2>().0 {
        let word = u16::from_le_bytes(*pair);
        let value = if bits.signed {
            i32::from(word.cast_signed())
        } else {
            i32::from(word)
        };
        *pair = (value.clamp(lowest, lowest + span) as u16).to_le_bytes();
    }
}

/// Whether colour that a codec leaves alone is luma and chroma.
fn untouched_ybr(module: &PixelModule) -> Result<bool, String> {
    match module.photometric {
        Photometric::YbrFull => Ok(true),
        Photometric::YbrFull422 | Photometric::YbrJpeg2000 => Err("its colours do not fit its compression".to_owned()),
        _ => Ok(false),
    }
}

fn decode_jpeg(uid: &str, frame: &[u8], module: &PixelModule) -> Result<Decoded<'static>, String> {
    let header = codestream::jpeg(frame)?;
    match (header.process, header.precision) {
        (0xc1, 12) => {
            header.check(module)?;
            let samples = jpeg12::decode(frame, module.columns, module.rows)?;
            let bytes: Vec<u8> = samples.into_iter().flat_map(u16::to_le_bytes).collect();
            Ok(Decoded {
                bytes: bytes.into(),
                sample_bytes: 2,
                precision: header.precision,
                is_ybr: false,
                by_plane: false,
            })
        }
        (0xc0..=0xc2, 8) => {
            // The decoder guesses from the codestream; the guess has to agree with the data set.
            if module.samples == 3 && header.is_ycc == (module.photometric == Photometric::Rgb) {
                return Err("its JPEG frame and its header disagree about the colours".to_owned());
            }
            through_registry(uid, frame, module, header, false)
        }
        (0xc3, 2..=16) => through_registry(uid, frame, module, header, untouched_ybr(module)?),
        (process, precision) => Err(format!(
            "JPEG process FF{process:02X} with {precision} bits is not read"
        )),
    }
}

fn decode_jpeg_ls(uid: &str, frame: &[u8], module: &PixelModule) -> Result<Decoded<'static>, String> {
    let header = codestream::jpeg(frame)?;
    if header.process != 0xf7 {
        return Err("its compressed frame is no JPEG-LS codestream".to_owned());
    }
    let mut decoded = through_registry(uid, frame, module, header, untouched_ybr(module)?)?;
    decoded.by_plane = module.samples == 3 && header.scan_components == 1;
    Ok(decoded)
}

fn decode_jpeg2000(uid: &str, frame: &[u8], module: &PixelModule) -> Result<Decoded<'static>, String> {
    let header = codestream::jpeg2000(frame)?;
    let signs_agree =
        header.signed == module.bits.signed || (module.bits.signed && header.precision == module.bits.stored);
    if !signs_agree {
        return Err("its JPEG 2000 frame and its header disagree about the sign".to_owned());
    }
    if module.photometric == Photometric::YbrFull422 {
        return Err("its colours do not fit its compression".to_owned());
    }
    let is_ybr = module.photometric == Photometric::YbrFull;
    through_registry(uid, frame, module, header, is_ybr)
}

fn through_registry(
    uid: &str,
    frame: &[u8],
    module: &PixelModule,
    header: Codestream,
    is_ybr: bool,
) -> Result<Decoded<'static>, String> {
    header.check(module)?;
    let sample_bytes = if header.precision > 8 { 2 } else { 1 };
    let size = module.pixels() * module.samples * sample_bytes;
    let reader = TransferSyntaxRegistry
        .get(uid)
        .and_then(|syntax| syntax.pixel_data_reader());
    let reader = reader.ok_or_else(|| unknown(uid))?;
    let source = SingleFrame {
        uid,
        module,
        sample_bytes,
        bytes: with_room(frame, size),
    };
    let mut bytes = Vec::new();
    reader
        .decode_frame(&source, 0, &mut bytes)
        .map_err(|error| format!("its compressed frame cannot be decoded: {}", causes(&error)))?;
    if bytes.len() != size {
        return Err(format!("its compressed frame gives {} bytes, not {size}", bytes.len()));
    }
    Ok(Decoded {
        bytes: bytes.into(),
        sample_bytes,
        precision: header.precision,
        is_ybr,
        by_plane: false,
    })
}

/// The registry refuses frames that expand more than a certain factor, as blank ones rightly do. Their size is
/// checked here, so they get zeros behind their end, which no codec reads.
fn with_room(frame: &[u8], size: usize) -> Cow<'_, [u8]> {
    const LARGEST_FACTOR: usize = 8;
    if frame.len() >= size / LARGEST_FACTOR {
        return Cow::Borrowed(frame);
    }
    let mut padded = frame.to_vec();
    padded.resize(size / LARGEST_FACTOR + 1, 0);
    Cow::Owned(padded)
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// One compressed frame, in the form that the registry's codecs ask for.
struct SingleFrame<'a> {
    uid: &'a str,
    module: &'a PixelModule,
    sample_bytes: usize,
    bytes: Cow<'a, [u8]>,
}

impl PixelDataObject for SingleFrame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.uid
    }

    fn rows(&self) -> Option<u16> {
        self.module.rows.try_into().ok()
    }

    fn cols(&self) -> Option<u16> {
        self.module.columns.try_into().ok()
    }

    fn samples_per_pixel(&self) -> Option<u16> {
        Some(self.module.samples as u16)
    }

    fn bits_allocated(&self) -> Option<u16> {
        Some(self.sample_bytes as u16 * 8)
    }

    fn bits_stored(&self) -> Option<u16> {
        Some(u16::from(self.module.bits.stored))
    }

    fn photometric_interpretation(&self) -> Option<&str> {
        Some(if self.module.samples == 1 { "MONOCHROME2" } else { "RGB" })
    }

    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }

    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }

    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then(|| Cow::Borrowed(&*self.bytes))
    }

    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        Some(Cow::Borrowed(&[]))
    }

    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        Some(RawPixelData {
            fragments: vec![self.bytes.to_vec()].into(),
            offset_table: Vec::new().into(),
        })
    }
}
