//! Radiograph to network input and back: one implementation for training and inference. Display settings of the
//! reader never come in here; the file's own VOI does.

mod placement;
mod region;
mod resample;

use candle_core::{Device, Tensor};

use crate::imaging::{Radiograph, Samples, VoiTransform};
use crate::nn::{InputSpec, Region};

pub use placement::{PixelBox, Placement};
pub use region::lung_box;
pub use resample::bilinear;

/// Why a picture gives no network input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The networks read grey pictures only.
    #[error("the picture is in colour; the networks read grey radiographs only")]
    Colour,
    /// The tensor could not be made.
    #[error("the network input could not be made: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// A picture at the size of a network's input, before normalisation.
#[derive(Debug, Clone, PartialEq)]
pub struct GreyInput {
    /// Row-major grey in 0..=1, air dark; 0 where the picture does not reach.
    pub pixels: Vec<f32>,
    /// Where the picture lies on the input.
    pub placement: Placement,
}

/// Grey network input of a whole picture: modality LUT, the file's own VOI (a robust window where it has none), polarity
/// so that air is dark, anti-aliased bilinear resize.
///
/// # Errors
/// If the picture is in colour.
pub fn grey(image: &Radiograph, spec: &InputSpec) -> Result<GreyInput, Error> {
    let placement = Placement::new(image.width as usize, image.height as usize, spec);
    placed(image, placement, None)
}

/// As [`grey`], of the part of the picture that the spec names. `lungs` is a mask in image pixels (0 is outside); where
/// it is empty, the whole picture is taken.
///
/// # Errors
/// If the picture is in colour.
///
/// # Panics
/// If the mask has not the size of the picture.
pub fn grey_of_region(image: &Radiograph, spec: &InputSpec, lungs: &[u8]) -> Result<GreyInput, Error> {
    let (width, height) = (image.width as usize, image.height as usize);
    assert_eq!(lungs.len(), width * height, "the mask has the size of the picture");
    let part = match spec.region {
        Region::LungCrop { margin } => lung_box(lungs, width, margin),
        Region::Full | Region::LungMask => None,
    };
    let placement = match part {
        Some(part) => Placement::of_part(width, height, &part, spec),
        None => Placement::new(width, height, spec),
    };
    let is_masked = spec.region == Region::LungMask && lungs.iter().any(|&pixel| pixel != 0);
    placed(image, placement, is_masked.then_some(lungs))
}

/// The picture at its place; black outside the mask, if there is one.
fn placed(image: &Radiograph, placement: Placement, mask: Option<&[u8]>) -> Result<GreyInput, Error> {
    let (x, y) = (placement.x, placement.y);
    let pixels = match &image.samples {
        Samples::Grey(stored) => {
            let voi = image.network_voi();
            let table = stored.table(|value| display_value(image, value, &voi));
            if mask.is_none() {
                resample::to_input(&stored.values, |sample| table[usize::from(sample)], x, y)
            } else {
                let greys = stored.values.iter().map(|&sample| table[usize::from(sample)]);
                resample::to_input(&masked(greys, mask), |grey| grey, x, y)
            }
        }
        Samples::Wide(wide) => {
            let voi = image.network_voi();
            let greys = wide.values.iter().map(|&stored| display_value(image, stored, &voi));
            resample::to_input(&masked(greys, mask), |grey| grey, x, y)
        }
        Samples::Colour(_) => {
            let stored = image.network_grey.as_ref().ok_or(Error::Colour)?;
            let greys = stored.values.iter().map(|&level| f32::from(level) / 255.0);
            resample::to_input(&masked(greys, mask), |grey| grey, x, y)
        }
    };
    Ok(GreyInput { pixels, placement })
}

/// Greys of the pixels, black outside the mask.
fn masked(greys: impl Iterator<Item = f32>, mask: Option<&[u8]>) -> Vec<f32> {
    match mask {
        None => greys.collect(),
        Some(mask) => greys
            .zip(mask)
            .map(|(grey, &inside)| if inside == 0 { 0.0 } else { grey })
            .collect(),
    }
}

/// The network input itself: `[1, 3, height, width]`, f32, normalised, grey in every channel.
///
/// # Errors
/// If the device refuses the tensor.
pub fn tensor(input: &GreyInput, spec: &InputSpec, device: &Device) -> Result<Tensor, Error> {
    let mut values = Vec::with_capacity(3 * input.pixels.len());
    normalise(&input.pixels, spec, &mut values);
    Ok(Tensor::from_vec(values, (1, 3, spec.height, spec.width), device)?)
}

/// Appends the three normalised channels of a grey plane (values in 0..=1) to `out`.
pub fn normalise(grey: &[f32], spec: &InputSpec, out: &mut Vec<f32>) {
    for (mean, std) in spec.mean.iter().zip(&spec.std) {
        out.extend(grey.iter().map(|value| (value - mean) / std));
    }
}

/// Brings a mask in image pixels (0 or 1) to the network input: the same resize as the picture's, then a pixel is
/// inside from one half on.
///
/// # Panics
/// If the mask has not the size of the placed image.
pub fn mask(pixels: &[u8], placement: &Placement) -> Vec<u8> {
    let (width, height) = placement.image_size();
    assert_eq!(pixels.len(), width * height, "the mask has the size of the image");
    let soft = resample::to_input(pixels, f32::from, placement.x, placement.y);
    soft.iter().map(|&value| u8::from(value >= 0.5)).collect()
}

/// Display value in 0..=1 of a stored value; padding and what is no number, which are no picture, are dark.
fn display_value(image: &Radiograph, stored: f64, voi: &VoiTransform) -> f32 {
    let is_padding = image.padding.is_some_and(|(low, high)| (low..=high).contains(&stored));
    if is_padding || stored.is_nan() {
        return 0.0;
    }
    image.display_value(stored, voi) as f32
}
