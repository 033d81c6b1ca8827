//! Frames of every transfer syntax that is read, to plain samples. The codecs are those of dicom-rs, behind
//! checks of what they are given; RLE, lossless and 12-bit JPEG, where it fails or is slow, are ours, 8-bit JPEG goes
//! past it, because it guesses the colours, and JPEG 2000, because it copies much and uses one core.

use std::borrow::Cow;
use std::io::Read;

use dicom_encoding::adapters::{PixelDataObject, RawPixelData};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::codestream::{self, Codestream, Jpeg2000};
use super::frames;
use super::mislabelled::{self, Found};
use super::pixel_module::{Bits, Photometric, PixelModule};
use super::{jpeg, jpeg2000, jpegxl, rle};

/// Families of transfer syntaxes (PS3.5 chapter 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Uncompressed, the frames encapsulated or not.
    Native,
    /// Each frame deflated for itself.
    DeflatedFrames,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
    JpegXl,
}

impl Family {
    /// The family of a Transfer Syntax UID.
    ///
    /// # Errors
    /// A sentence that names the UID.
    pub(super) fn of(uid: &str) -> Result<Self, String> {
        let tail = uid.strip_prefix("1.2.840.10008.1.2").ok_or_else(|| unknown(uid))?;
        match tail {
            "" | ".1" | ".2" | ".1.98" | ".1.99" => Ok(Self::Native),
            ".8.1" => Ok(Self::DeflatedFrames),
            ".5" => Ok(Self::Rle),
            // Two are retired, with frames that are coded by several scans.
            ".4.50" | ".4.51" | ".4.53" | ".4.55" | ".4.57" | ".4.70" => Ok(Self::Jpeg),
            ".4.80" | ".4.81" => Ok(Self::JpegLs),
            ".4.90" | ".4.91" | ".4.201" | ".4.202" | ".4.203" => Ok(Self::Jpeg2000),
            ".4.110" | ".4.111" | ".4.112" => Ok(Self::JpegXl),
            ".4.100" | ".4.101" | ".4.102" | ".4.103" | ".4.104" | ".4.105" | ".4.106" | ".4.107" | ".4.108" => {
                Err(format!("it is a video (transfer syntax {uid}), which is not played"))
            }
            _ => Err(unknown(uid)),
        }
    }
}

fn unknown(uid: &str) -> String {
    if let Some(syntax) = TransferSyntaxRegistry.get(uid) {
        format!("its transfer syntax (0002,0010) {uid} ({}) is not read", syntax.name())
    } else {
        // A broken length may make the next elements a part of it, which nobody wants to read here.
        let is_uid = |character: &char| character.is_ascii_digit() || *character == '.';
        let known: String = uid.chars().take_while(is_uid).take(64).collect();
        let more = if known == uid { "" } else { "…" };
        format!("its transfer syntax (0002,0010) {known}{more} is not known to this program")
    }
}

/// Decoded samples of one frame, low byte first unless it says otherwise.
#[allow(clippy::struct_excessive_bools)] // each is a way of its own to lay out samples
pub(super) struct Decoded<'a> {
    pub bytes: Cow<'a, [u8]>,
    /// 1, 2, 4 or 8.
    pub sample_bytes: usize,
    /// Bits of a sample in the codestream, or those allocated where there is none.
    pub precision: u8,
    /// Bits below the value, which no codestream has.
    pub shift: u8,
    /// Colour samples are luma and chroma in full range, still to be turned into RGB.
    pub is_ybr: bool,
    /// Two pixels share their chroma samples: luma, luma, blue, red.
    pub is_halved: bool,
    /// One colour plane after the other, not interleaved.
    pub by_plane: bool,
    /// Grey samples of two bytes as a file in big endian has them: turning them round takes as long as reading them.
    pub high_byte_first: bool,
}

impl<'a> Decoded<'a> {
    /// Samples as native Pixel Data has them.
    pub(super) fn native(bytes: Cow<'a, [u8]>, module: &PixelModule) -> Self {
        Self {
            bytes,
            sample_bytes: module.bits.sample_bytes(),
            precision: module.bits.allocated,
            shift: module.bits.shift,
            is_ybr: matches!(module.photometric, Photometric::YbrFull | Photometric::YbrFull422),
            is_halved: module.photometric == Photometric::YbrFull422,
            by_plane: module.planar,
            high_byte_first: false,
        }
    }

    /// The samples, low byte first.
    pub(super) fn low_byte_first(&self) -> Cow<'_, [u8]> {
        if self.high_byte_first {
            frames::turned_round(self.bytes.as_chunks::<2>().0).into()
        } else {
            Cow::Borrowed(&self.bytes)
        }
    }

    /// Samples that a codec made, interleaved.
    pub(super) fn coded(bytes: Vec<u8>, precision: u8, is_ybr: bool) -> Decoded<'static> {
        Decoded {
            bytes: bytes.into(),
            sample_bytes: if precision > 8 { 2 } else { 1 },
            precision,
            shift: 0,
            is_ybr,
            is_halved: false,
            by_plane: false,
            high_byte_first: false,
        }
    }
}

/// Decodes an encapsulated frame; says what its codestream is where its data set names another.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn decode<'a>(
    family: Family,
    uid: &str,
    frame: Cow<'a, [u8]>,
    module: &PixelModule,
) -> Result<(Decoded<'a>, Option<Found>), String> {
    let found = mislabelled::found(family, uid, &frame);
    let (family, uid) = found.as_ref().map_or((family, uid), |found| (found.family, found.uid));
    Ok((decode_as(family, uid, frame, module)?, found))
}

/// Decodes a frame that is what it is called.
fn decode_as<'a>(family: Family, uid: &str, frame: Cow<'a, [u8]>, module: &PixelModule) -> Result<Decoded<'a>, String> {
    let bits = module.bits;
    let compresses = !matches!(family, Family::Native | Family::DeflatedFrames);
    if compresses && module.is_float() {
        return Err("its floating-point pixels are compressed as integers".to_owned());
    }
    if compresses && family != Family::Rle && bits.allocated > 16 {
        return Err(format!(
            "its compressed pixels have {} bits allocated, which no codec here has",
            bits.allocated
        ));
    }
    let mut decoded = match family {
        // An encapsulated frame has whole bytes of its own, as the first one of native pixels has (PS3.5 A.4.11).
        Family::Native if uid == ENCAPSULATED_UNCOMPRESSED => return alone(frame, module),
        Family::Native => {
            return Err("its pixels are encapsulated in a transfer syntax that has none such".into());
        }
        Family::DeflatedFrames => return alone(inflated(&frame, module)?.into(), module),
        Family::Rle if bits.allocated == 1 => {
            return Err("its bits are compressed by RLE, which has whole bytes only".to_owned());
        }
        Family::Rle => {
            let bytes = rle::decode(&frame, module.pixels(), module.samples, bits.sample_bytes())?;
            Decoded {
                is_ybr: untouched_ybr(module)?,
                is_halved: false,
                by_plane: false,
                ..Decoded::native(bytes.into(), module)
            }
        }
        Family::Jpeg => decode_jpeg(&frame, module)?,
        Family::JpegLs => decode_jpeg_ls(uid, &frame, module)?,
        Family::Jpeg2000 => decode_jpeg2000(&frame, module)?,
        Family::JpegXl => decode_jpegxl(uid, &frame, module)?,
    };
    let expected = module.pixels() * module.samples * decoded.sample_bytes;
    if decoded.bytes.len() != expected {
        return Err(format!(
            "its compressed frame gives {} bytes, not {expected}",
            decoded.bytes.len()
        ));
    }
    if family == Family::Rle {
        return Ok(decoded);
    }
    // A codestream of whole words has the value where High Bit says.
    if bits.shift > 0 && decoded.precision >= bits.stored + bits.shift {
        decoded.shift = bits.shift;
    } else if LOSSY.contains(&uid) && decoded.precision > bits.stored {
        // One of just the stored bits cannot overshoot, and its words may be two's complement of that width.
        match decoded.sample_bytes {
            2 => clamp(decoded.bytes.to_mut(), bits),
            _ if !bits.signed => clamp_bytes(decoded.bytes.to_mut(), bits),
            _ => {}
        }
    }
    Ok(decoded)
}

const ENCAPSULATED_UNCOMPRESSED: &str = "1.2.840.10008.1.2.1.98";
/// JPEG XL JPEG Recompression.
const PACKED_JPEG: &str = "1.2.840.10008.1.2.4.111";

/// A frame of uncompressed pixels that stands for itself.
fn alone<'a>(frame: Cow<'a, [u8]>, module: &PixelModule) -> Result<Decoded<'a>, String> {
    let bytes = match frame {
        Cow::Borrowed(bytes) => frames::alone(bytes, module)?,
        Cow::Owned(bytes) => Cow::Owned(frames::alone(&bytes, module)?.into_owned()),
    };
    Ok(Decoded::native(bytes, module))
}

/// The bytes of a frame that was deflated (PS3.5 10.20); no more are made than it has pixels for.
fn inflated(frame: &[u8], module: &PixelModule) -> Result<Vec<u8>, String> {
    let most = frames::native_size(module)?;
    let mut bytes = Vec::new();
    let read = flate2::read::DeflateDecoder::new(frame)
        .take(most as u64)
        .read_to_end(&mut bytes);
    read.map_err(|error| format!("its deflated frame is broken: {error}"))?;
    Ok(bytes)
}

/// Transfer syntaxes that may lose something: their values may overshoot Bits Stored where the codestream has more.
pub(super) const LOSSY: [&str; 9] = [
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.91",
    PACKED_JPEG,
    "1.2.840.10008.1.2.4.112",
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

fn clamp_bytes(bytes: &mut [u8], bits: Bits) {
    let highest = ((1_u16 << bits.stored.min(8)) - 1) as u8;
    for byte in bytes {
        *byte = (*byte).min(highest);
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

fn decode_jpeg(frame: &[u8], module: &PixelModule) -> Result<Decoded<'static>, String> {
    let header = codestream::jpeg(frame)?;
    let size = jpeg::Size {
        columns: module.columns,
        rows: module.rows,
        components: module.samples,
    };
    match (header.process, header.precision) {
        (0xc1, 12) if module.samples == 1 => {
            header.check(module)?;
            let samples = jpeg::extended::decode(frame, size)?;
            Ok(Decoded::coded(samples, header.precision, false))
        }
        (0xc0..=0xc2, 8) => {
            header.check(module)?;
            let samples = jpeg::eight_bit::decode(frame, module, &header)?;
            let is_ybr = matches!(module.photometric, Photometric::YbrFull | Photometric::YbrFull422);
            Ok(Decoded::coded(samples, header.precision, is_ybr))
        }
        (0xc3, 2..=16) => {
            header.check(module)?;
            let samples = jpeg::lossless::decode(frame, size)?;
            Ok(Decoded::coded(samples, header.precision, untouched_ybr(module)?))
        }
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

fn decode_jpeg2000(frame: &[u8], module: &PixelModule) -> Result<Decoded<'static>, String> {
    let codestream = Jpeg2000::read(frame)?;
    let header = codestream.header;
    let signs_agree =
        header.signed == module.bits.signed || (module.bits.signed && header.precision == module.bits.stored);
    if !signs_agree {
        return Err("its JPEG 2000 frame and its header disagree about the sign".to_owned());
    }
    if module.photometric == Photometric::YbrFull422 {
        return Err("its colours do not fit its compression".to_owned());
    }
    header.check(module)?;
    codestream.check_tiles()?;
    // A sign goes up to the last of the bits stored, of which the codestream may have fewer.
    let precision = if header.signed {
        header.precision.max(module.bits.stored)
    } else {
        header.precision
    };
    let sample_bytes = if precision > 8 { 2 } else { 1 };
    let samples = jpeg2000::decode(codestream.bytes, module, sample_bytes)?;
    let is_ybr = module.photometric == Photometric::YbrFull;
    Ok(Decoded::coded(samples, precision, is_ybr))
}

/// A packed JPEG is unpacked and decoded as one, so that its pixels are those of the file it was.
fn decode_jpegxl(uid: &str, frame: &[u8], module: &PixelModule) -> Result<Decoded<'static>, String> {
    if uid == PACKED_JPEG
        && let Some(jpeg) = jpegxl::original_jpeg(frame, module)?
    {
        return decode_jpeg(&jpeg, module);
    }
    let samples = jpegxl::decode(frame, module)?;
    Ok(Decoded::coded(samples, module.bits.allocated.max(8), false))
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
    Ok(Decoded::coded(bytes, header.precision, is_ybr))
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
