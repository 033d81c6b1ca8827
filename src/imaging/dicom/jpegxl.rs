//! JPEG XL (PS3.5 8.2.15). Samples are taken from the decoder's fractions of white, which are exact for integers of up
//! to 16 bits. A JPEG packed into it comes out as the JPEG that it was.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use jxl_oxide::image::BitDepth;
use jxl_oxide::{AllocTracker, JpegReconstructionStatus, JxlImage};

use super::jpegxl_boxes::{self, Wanted};
use super::pixel_module::PixelModule;

/// Largest memory of the decoder for each sample: its own buffers are 32-bit numbers, several at a time.
const BYTES_PER_SAMPLE: usize = 24;
/// Memory that a decoder may take for its tables, however small the picture.
const LEAST_BYTES: usize = 16 << 20;

/// Decoded samples of a frame, interleaved, low byte first: one byte each up to 8 bits allocated, else two.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn decode(frame: &[u8], module: &PixelModule) -> Result<Vec<u8>, String> {
    let samples = module.pixels() * module.samples;
    let image = image(frame, Wanted::Pixels, module)?;
    let depth = image.image_header().metadata.bit_depth;
    if matches!(depth, BitDepth::FloatSample { .. }) {
        return Err("its JPEG XL frame has floating-point samples, which are not read".to_owned());
    }
    let bits = depth.bits_per_sample();
    if bits > 16 || bits > u32::from(module.bits.allocated) || module.bits.signed {
        return Err(format!(
            "its JPEG XL frame of {bits} bits does not fit {} bits allocated",
            module.bits.allocated
        ));
    }
    let render = image.render_frame(0).map_err(|error| failed(&*error))?;
    let mut stream = render.stream_no_alpha();
    if stream.channels() as usize != module.samples {
        return Err(format!(
            "its compressed frame has {} channels, not {}",
            stream.channels(),
            module.samples
        ));
    }
    let mut fractions = vec![0_f32; samples];
    let written = stream.write_to_buffer(&mut fractions);
    if written != samples {
        return Err(format!("its compressed frame gives {written} samples, not {samples}"));
    }
    let white = f64::from((1_u32 << bits) - 1);
    let sample = |&fraction: &f32| (f64::from(fraction) * white).round().clamp(0.0, white) as u16;
    Ok(if module.bits.allocated <= 8 {
        fractions.iter().map(|fraction| sample(fraction) as u8).collect()
    } else {
        fractions
            .iter()
            .flat_map(|fraction| sample(fraction).to_le_bytes())
            .collect()
    })
}

/// The JPEG stream that a frame was made of, byte for byte (ISO/IEC 18181-2 clause 9); `None` where the frame lacks what
/// that takes and has its pixels only.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn original_jpeg(frame: &[u8], module: &PixelModule) -> Result<Option<Vec<u8>>, String> {
    let image = image(frame, Wanted::Jpeg, module)?;
    let mut jpeg = Bounded {
        bytes: Vec::new(),
        most: (module.pixels() * module.samples)
            .saturating_mul(4)
            .saturating_add(LEAST_BYTES),
    };
    // The size of a frame may differ from the picture's, and the coefficients of it are not counted by the tracker.
    let fits = |header: &jxl_oxide::FrameHeader| (header.width, header.height) == (image.width(), image.height());
    if !image.frame(0).is_some_and(|frame| fits(frame.header())) {
        return Err("its JPEG XL frame is not the size of its picture".to_owned());
    }
    // Broken tables are taken for granted in there.
    let restored = catch_unwind(AssertUnwindSafe(|| match image.jpeg_reconstruction_status() {
        JpegReconstructionStatus::Unavailable => Ok(false),
        _ => image.reconstruct_jpeg(&mut jpeg).map(|()| true),
    }));
    match restored {
        Ok(Ok(true)) => Ok(Some(jpeg.bytes)),
        Ok(Ok(false)) => Ok(None),
        Ok(Err(error)) => Err(failed(&*error)),
        Err(_) => Err("its JPEG XL frame holds a broken JPEG".to_owned()),
    }
}

/// The image of a frame, not yet rendered, which is of the size that the data set promises.
fn image(frame: &[u8], wanted: Wanted, module: &PixelModule) -> Result<JxlImage, String> {
    let samples = module.pixels() * module.samples;
    let tracker = AllocTracker::with_limit(samples.saturating_mul(BYTES_PER_SAMPLE).saturating_add(LEAST_BYTES));
    let bytes = jpegxl_boxes::needed(frame, wanted)?;
    let image = JxlImage::builder().alloc_tracker(tracker).read(&*bytes);
    let image = image.map_err(|error| failed(&*error))?;
    module.check_size(image.width() as usize, image.height() as usize)?;
    Ok(image)
}

fn failed(error: &dyn std::error::Error) -> String {
    format!("its JPEG XL frame cannot be decoded: {error}")
}

/// A vector that grows to a limit.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::Error::other("the JPEG in it is larger than its pixels"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
