//! The activation map as a PNG file.

use image::ExtendedColorType;

use crate::findings::ActivationMap;

use super::{Error, png};

/// 16-bit grey PNG of the image's size: 65535 x value / maximum, all 0 for an empty map.
///
/// # Errors
/// If the map has no pixels.
pub fn map_png(map: &ActivationMap) -> Result<Vec<u8>, Error> {
    let full = f64::from(u16::MAX);
    let scale = if map.max > 0.0 { full / f64::from(map.max) } else { 0.0 };
    let sample = |&value: &f32| (f64::from(value) * scale).round().clamp(0.0, full) as u16;
    let bytes: Vec<u8> = map
        .values
        .iter()
        .flat_map(|value| sample(value).to_ne_bytes())
        .collect();
    png(&bytes, map.width, map.height, ExtendedColorType::L16)
}
