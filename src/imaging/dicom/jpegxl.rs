//! JPEG XL (PS3.5 8.2.15). Samples are taken from the decoder's fractions of white, which are exact for integers of up
//! to 16 bits.

use jxl_oxide::image::BitDepth;
use jxl_oxide::{AllocTracker, JxlImage};

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
    let failed = |error| format!("its JPEG XL frame cannot be decoded: {error}");
    let samples = module.pixels() * module.samples;
    let tracker = AllocTracker::with_limit(samples.saturating_mul(BYTES_PER_SAMPLE).saturating_add(LEAST_BYTES));
    let image = JxlImage::builder().alloc_tracker(tracker).read(frame).map_err(failed)?;
    let (columns, rows) = (image.width() as usize, image.height() as usize);
    if (columns, rows) != (module.columns, module.rows) {
        return Err(format!(
            "its compressed frame has {columns} x {rows} pixels where the header says {} x {}",
            module.columns, module.rows
        ));
    }
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
    let render = image.render_frame(0).map_err(failed)?;
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
