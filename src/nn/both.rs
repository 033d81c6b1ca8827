//! Both networks on one picture at the same time: while one has nothing to hand out to a thread, the other has.

use std::time::Duration;

use candle_core::Tensor;

use super::Result;
use super::recovnet::{Classification, Classifier, classification};
use super::segmenter::{Segmenter, probability};

/// What two networks made of their images, and when.
#[derive(Debug, Clone)]
pub struct Both {
    /// As [`Segmenter::predict`] gives it.
    pub lungs: Tensor,
    /// As [`Classifier::predict`] gives it.
    pub classification: Classification,
    /// From the common start to the segmenter's end.
    pub segmenter_took: Duration,
    /// From the common start to the classifier's end.
    pub classifier_took: Duration,
}

/// Evaluates a segmenter and a classifier side by side, each on images `[n, 3, h, w]` of its own.
///
/// # Errors
/// If the shapes do not fit.
pub fn predict_both(segmenter: (&Segmenter, &Tensor), classifier: (&Classifier, &Tensor)) -> Result<Both> {
    let of_classifier = classifier.0.planned(classifier.1)?;
    let [lungs, classes] = segmenter.0.planned(segmenter.1)?.evaluate_beside(of_classifier)?;
    Ok(Both {
        lungs: probability(&lungs.0)?,
        classification: classification(&classes.0)?,
        segmenter_took: lungs.1,
        classifier_took: classes.1,
    })
}
