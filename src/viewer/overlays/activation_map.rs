//! The activation map for its texture: 16-bit shares of its maximum.

use crate::findings::ActivationMap;

/// 65535 x value / maximum of each pixel, row-major; all zero for an empty map.
pub fn shares(map: &ActivationMap) -> Vec<u16> {
    let scale = if map.max > 0.0 {
        f32::from(u16::MAX) / map.max
    } else {
        0.0
    };
    map.values.iter().map(|&value| (value * scale).round() as u16).collect()
}

/// Alpha of a share of the maximum: grows with the value, so that the anatomy stays readable where little is.
/// The shader computes the same.
pub fn alpha(share: f32, opacity: f32, threshold: f32) -> f32 {
    if share <= 0.0 || share < threshold {
        0.0
    } else {
        opacity * share.sqrt()
    }
}
