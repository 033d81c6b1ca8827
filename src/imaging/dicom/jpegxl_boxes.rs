//! The boxes around a JPEG XL codestream (ISO/IEC 18181-2 clause 4): only those that the pixels need reach the decoder,
//! which unpacks what is compressed in them without bound.

use std::borrow::Cow;
use std::io::Read;

use brotli_decompressor::Decompressor;
use jxl_bitstream::Bitstream;
use jxl_oxide::jpeg_bitstream::JpegBitstreamHeader;
use jxl_oxide_common::Bundle;

use super::boxes::{self, Block};

/// The box that a container begins with.
const SIGNATURE: &[u8] = b"\0\0\0\x0cJXL \r\n\x87\n";
/// Most bytes that what is compressed in the boxes may have together: twice a segment of Exif and a profile of colours.
const MOST_EXTRA: usize = 1 << 20;
/// Largest window of the compression, as a power of two: what the encoders use.
const MOST_WINDOW: u8 = 22;
/// Bytes that the decompressor takes at a time.
const BUFFER: usize = 4096;

/// What a frame is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The pixels of the codestream.
    Pixels,
    /// The JPEG stream that it was made of, as well.
    Jpeg,
}

/// The frame with no boxes but those of what is wanted, compressed ones unpacked; one without boxes stays as it is.
///
/// # Errors
/// If a length is broken, the JPEG stream comes twice, or what is compressed is broken or too large.
pub(super) fn needed(frame: &[u8], wanted: Wanted) -> Result<Cow<'_, [u8]>, String> {
    let Some(mut rest) = frame.strip_prefix(SIGNATURE) else {
        return Ok(frame.into());
    };
    let mut kept = SIGNATURE.to_vec();
    let mut budget = Budget { left: MOST_EXTRA };
    let mut has_jpeg = false;
    while let Some((Block { whole, kind, content }, after)) = boxes::next(rest) {
        let broken = |cause: &str| format!("the box {} of its JPEG XL frame {cause}", kind.escape_ascii());
        match (&kind, wanted) {
            (b"ftyp" | b"jxlc" | b"jxlp", _) | (b"Exif" | b"xml ", Wanted::Jpeg) => kept.extend_from_slice(whole),
            (b"jbrd", Wanted::Jpeg) => {
                if std::mem::replace(&mut has_jpeg, true) {
                    return Err(broken("comes twice"));
                }
                check_reconstruction(content, &mut budget).map_err(broken)?;
                kept.extend_from_slice(whole);
            }
            (b"brob", Wanted::Jpeg) => {
                if let Some((packed @ (b"Exif" | b"xml "), bytes)) = content.split_first_chunk() {
                    let bytes = budget.unpacked(bytes).map_err(broken)?;
                    kept.extend((bytes.len() as u32 + 8).to_be_bytes());
                    kept.extend(packed);
                    kept.extend(bytes);
                }
            }
            _ => {}
        }
        rest = after;
    }
    Ok(kept.into())
}

/// Whether what belongs to a JPEG stream, and to no pixel, unpacks to what a JPEG can have of it.
fn check_reconstruction(content: &[u8], budget: &mut Budget) -> Result<(), &'static str> {
    let mut bits = Bitstream::new(content);
    JpegBitstreamHeader::parse(&mut bits, ()).map_err(|_| "is broken")?;
    let packed = content.get(bits.num_read_bits().div_ceil(8)..).unwrap_or_default();
    budget.unpacked(packed).map(drop)
}

/// Bytes that may still be unpacked.
struct Budget {
    left: usize,
}

impl Budget {
    fn unpacked(&mut self, packed: &[u8]) -> Result<Vec<u8>, &'static str> {
        const TOO_MUCH: &str = "unpacks to more than a picture has beside its pixels";
        // RFC 7932 9.1; as much room as the window has is made before anything is unpacked.
        let window = match packed.first() {
            None => return Ok(Vec::new()),
            // The large windows, which are no part of it: six more bits say how large.
            Some(first) if first & 0x7f == 0x11 => u8::MAX,
            Some(first) if first & 1 == 1 => 17 + (first >> 1 & 7),
            Some(_) => 16,
        };
        if window > MOST_WINDOW {
            return Err("is compressed in a way that pictures are not");
        }
        // Each takes time, even one with nothing in it.
        self.left = self.left.checked_sub(BUFFER).ok_or(TOO_MUCH)?;
        let mut bytes = Vec::new();
        let reader = Decompressor::new(packed, BUFFER).take(self.left as u64 + 1);
        { reader }.read_to_end(&mut bytes).map_err(|_| "is broken")?;
        self.left = self.left.checked_sub(bytes.len()).ok_or(TOO_MUCH)?;
        Ok(bytes)
    }
}
