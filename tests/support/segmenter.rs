//! A segmenter's evaluation made by hand.

use recovnet::training::evaluation::{MaskMetrics, Origin, SegmentedImage, SegmenterReport};

/// What a segmenter's evaluation says of images, all of which have a mask.
pub fn segmenter_report(images: &[SegmentedImage]) -> SegmenterReport {
    SegmenterReport {
        data: "data".to_owned(),
        split: "test".to_owned(),
        origin: Origin::default(),
        segmenter: "segmenter-densenet121".to_owned(),
        segmenter_version: "2026.11.1".to_owned(),
        weights_sha256: "ab".repeat(32),
        device: "CPU, 2 threads".to_owned(),
        threshold: 0.5,
        without_mask: 0,
        in_training_part: 0,
        masks: MaskMetrics::by_convention(images.iter().map(|image| (image.group.as_str(), &image.mask))),
        failures: Vec::new(),
    }
}
