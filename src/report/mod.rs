//! Radiograph and findings, evaluations and audits to files, one file a format: pure functions to bytes. Identity is
//! never written.

pub mod chart;
pub mod colormap;
mod drawing;
mod evaluation;
mod figure;
mod map;
mod mask;
mod npy;
mod prediction;
mod segmentation;
mod text;

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

pub use chart::{Chart, Matrix, Series};
pub use drawing::Drawing;
pub use evaluation::{audit_drawings, evaluation_drawings};
pub use figure::figure_png;
pub use map::map_png;
pub use mask::mask_png;
pub use npy::npy;
pub use prediction::{Failure, Milliseconds, Prediction, Predictions, Probability};
pub use segmentation::segmenter_drawings;

/// The sentence on everything that a reader sees.
pub const NOTICE: &str = "Research use only, not a diagnosis";

/// Why a file could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be encoded: {0}")]
pub struct Error(#[from] image::ImageError);

/// A picture as it is shown: one byte a pixel for grey, three for RGB.
///
/// # Errors
/// If the picture has no pixels.
pub fn display_png(display: &[u8], width: u32, height: u32) -> Result<Vec<u8>, Error> {
    let is_colour = display.len() > width as usize * height as usize;
    let color = if is_colour {
        ExtendedColorType::Rgb8
    } else {
        ExtendedColorType::L8
    };
    png(display, width, height, color)
}

/// Row-major samples (16-bit ones in the machine's byte order) to a PNG file.
fn png(bytes: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Result<Vec<u8>, Error> {
    let mut file = Cursor::new(Vec::new());
    let encoder = PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive);
    encoder.write_image(bytes, width, height, color)?;
    Ok(file.into_inner())
}
