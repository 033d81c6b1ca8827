//! What the networks found on one image, in image pixels: plain data, knows nothing of networks or windows.

use std::time::Duration;

/// A binary mask of the lungs, one byte a pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Columns, in image pixels.
    pub width: u32,
    /// Rows, in image pixels.
    pub height: u32,
    /// Row-major, 1 inside a lung, 0 outside.
    pub pixels: Vec<u8>,
}

impl Mask {
    /// Number of pixels inside a lung.
    pub fn area_px(&self) -> u64 {
        // A block is short enough for a byte, and many bytes are added at once.
        let inside = |count: u8, pixel: &u8| count.wrapping_add(u8::from(*pixel != 0));
        let of_block = |block: &[u8]| block.iter().fold(0, inside);
        self.pixels
            .chunks(usize::from(u8::MAX))
            .map(|block| u64::from(of_block(block)))
            .sum()
    }
}

/// One connected component of a [`Mask`] taken as a lung.
#[derive(Debug, Clone, PartialEq)]
pub struct Lung {
    /// Pixels it covers.
    pub area_px: u64,
    /// Centre of its pixels, in image pixels (x, y).
    pub centroid: (f64, f64),
}

/// The lungs that were told apart; the right lung lies on the left of a PA picture as it is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Lungs {
    /// The mask is empty.
    None,
    /// One component only: one lung, or both merged. It is shown as one.
    Merged(Lung),
    /// The two largest components, the patient's right lung first (by position on a frontal picture).
    Pair {
        /// Component with the smaller x centroid.
        right: Lung,
        /// Component with the larger x centroid.
        left: Lung,
    },
}

/// Softmax output of a classifier; the two add up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probabilities {
    /// Neuron 0, in 0..=1.
    pub control: f64,
    /// Neuron 1, in 0..=1.
    pub covid19: f64,
}

/// The class a score stands for against its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Score at or above the threshold.
    Covid19,
    /// Score below the threshold.
    Control,
}

impl Decision {
    /// The word used on the command line and in files: `covid19` or `control`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Covid19 => "covid19",
            Self::Control => "control",
        }
    }
}

/// Grad-CAM of the COVID-19 logit after `ReLU`: where the network responded.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationMap {
    /// Columns, in image pixels.
    pub width: u32,
    /// Rows, in image pixels.
    pub height: u32,
    /// Row-major values in image pixels, at least 0; 0 where the network did not look (padding).
    pub values: Vec<f32>,
    /// The network's own grid before resizing, row-major, at least 0.
    pub cells: Vec<f32>,
    /// Columns and rows of `cells`.
    pub grid: (u32, u32),
    /// Largest of `values`.
    pub max: f32,
}

/// Share of the activation that lies inside the lung mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InLungActivation {
    /// Sum of the map inside the mask over its whole sum, in 0..=1; `None` where map or mask is empty.
    pub ratio: Option<f64>,
    /// The mask's share of the area that the network saw, in 0..=1: what a blind map would score.
    pub chance: Option<f64>,
}

/// Which weights produced a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelId {
    /// Name on the command line, such as `recovnet-v1` or `segmenter-densenet121`.
    pub name: String,
    /// Version from the model card.
    pub version: String,
    /// SHA-256 of the weights file, lower-case hexadecimal.
    pub weights_sha256: String,
}

/// Wall-clock time of each stage. Segmenter and classifier run side by side where they can, and both times then count
/// from their common start: the stages add up to more than the total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Radiograph to network input.
    pub preprocess: Duration,
    /// Segmenter, mask back to image pixels, components.
    pub segment: Duration,
    /// Classifier.
    pub classify: Duration,
    /// Grad-CAM, back to image pixels, in-lung activation.
    pub explain: Duration,
    /// All of it.
    pub total: Duration,
}

/// Everything found on one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// `Radiograph::content_hash` of the image.
    pub content_hash: [u8; 32],
    /// SOP Instance UID, if the image has one.
    pub sop_instance_uid: Option<String>,
    /// The lung mask.
    pub mask: Mask,
    /// Its components.
    pub lungs: Lungs,
    /// Mask pixels over image pixels, in 0..=1.
    pub lung_area_fraction: f64,
    /// The classifier's output.
    pub probabilities: Probabilities,
    /// Logit of COVID-19 minus logit of control.
    pub margin: f64,
    /// Threshold on the COVID-19 probability, from this model version's card.
    pub threshold: f64,
    /// Probability against threshold.
    pub decision: Decision,
    /// The activation map of class COVID-19.
    pub activation: ActivationMap,
    /// How much of it lies in the lungs.
    pub in_lung: InLungActivation,
    /// The classifier's weights.
    pub classifier: ModelId,
    /// The segmenter's weights.
    pub segmenter: ModelId,
    /// What computed it, such as `CPU, 2 threads`.
    pub device: String,
    /// How long it took.
    pub timings: Timings,
    /// Sentences for the reader.
    pub warnings: Vec<String>,
}
