//! The lung mask as a PNG file.

use image::ExtendedColorType;

use crate::findings::Mask;

use super::{Error, png};

/// 8-bit grey PNG of the image's size: 255 inside a lung, 0 outside.
///
/// # Errors
/// If the mask has no pixels.
pub fn mask_png(mask: &Mask) -> Result<Vec<u8>, Error> {
    let samples: Vec<u8> = mask
        .pixels
        .iter()
        .map(|&pixel| if pixel == 0 { 0 } else { u8::MAX })
        .collect();
    png(&samples, mask.width, mask.height, ExtendedColorType::L8)
}
