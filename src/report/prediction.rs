//! One line of `predict --json`: the findings as plain values. No identity of a patient or of an instance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::findings::Findings;
use crate::imaging::Radiograph;

/// The result of one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The file as it was named or found.
    pub file: String,
    /// Name of the classifier.
    pub classifier: String,
    /// SHA-256 of the classifier's weights, lower-case hexadecimal.
    pub weights_sha256: String,
    /// What computed it.
    pub device: String,
    /// Softmax output.
    pub probability: Probability,
    /// Logit of COVID-19 minus logit of control.
    pub margin: f64,
    /// Threshold on the COVID-19 probability.
    pub threshold: f64,
    /// `covid19` or `control`.
    pub decision: String,
    /// Mask pixels over image pixels, in 0..=1.
    pub lung_area_fraction: f64,
    /// Share of the activation inside the mask, in 0..=1; null where map or mask is empty.
    pub in_lung_activation: Option<f64>,
    /// The mask's share of the area that the network saw, in 0..=1.
    pub in_lung_chance: Option<f64>,
    /// Where the mask was written.
    pub mask_file: Option<String>,
    /// Where the map was written.
    pub map_file: Option<String>,
    /// Largest value of the activation map: what 65535 in the map file stands for.
    pub map_max: f64,
    /// Wall-clock time of each stage.
    pub time_ms: Milliseconds,
    /// Sentences for the reader.
    pub warnings: Vec<String>,
}

/// The line of an image that several classifiers scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Predictions {
    /// The file as it was named or found.
    pub file: String,
    /// One of each classifier, in the order they were asked for.
    pub findings: Vec<Prediction>,
}

/// Softmax output of the classifier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Probability {
    /// Neuron 1, in 0..=1.
    pub covid19: f64,
    /// Neuron 0, in 0..=1.
    pub control: f64,
}

/// Milliseconds of each stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Milliseconds {
    /// File to radiograph.
    pub decode: f64,
    /// Radiograph to network input.
    pub preprocess: f64,
    /// Segmenter, mask, components.
    pub segment: f64,
    /// Classifier.
    pub classify: f64,
    /// Grad-CAM and in-lung activation.
    pub explain: f64,
    /// All of it.
    pub total: f64,
}

/// What stands in place of a prediction for a file that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The file as it was named or found.
    pub file: String,
    /// One sentence with the cause.
    pub error: String,
}

impl Prediction {
    /// The line of an image; `decode` is the time from file to radiograph.
    pub fn new(file: String, image: &Radiograph, findings: &Findings, decode: Duration) -> Self {
        let warnings = image.warnings.iter().chain(&findings.warnings).cloned().collect();
        Self {
            file,
            classifier: findings.classifier.name.clone(),
            weights_sha256: findings.classifier.weights_sha256.clone(),
            device: findings.device.clone(),
            probability: Probability {
                covid19: findings.probabilities.covid19,
                control: findings.probabilities.control,
            },
            margin: findings.margin,
            threshold: findings.threshold,
            decision: findings.decision.name().to_owned(),
            lung_area_fraction: findings.lung_area_fraction,
            in_lung_activation: findings.in_lung.ratio,
            in_lung_chance: findings.in_lung.chance,
            mask_file: None,
            map_file: None,
            map_max: f64::from(findings.activation.max),
            time_ms: Milliseconds {
                decode: ms(decode),
                preprocess: ms(findings.timings.preprocess),
                segment: ms(findings.timings.segment),
                classify: ms(findings.timings.classify),
                explain: ms(findings.timings.explain),
                total: ms(decode + findings.timings.total),
            },
            warnings,
        }
    }
}

/// Milliseconds to the microsecond.
fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
