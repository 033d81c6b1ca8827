//! Runs the networks over labelled images, one record each. A file that cannot be used is named and left out; a mask
//! that cannot be used costs the image's mask only.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::findings::Mask;
use crate::imaging::{self, Radiograph};
use crate::inference::models::{LoadedSegmenter, Models, Opened};
use crate::inference::pipeline;
use crate::training::manifest::{Class, Manifest, MaskFile, Row};
use crate::training::metrics::Confusion;
use crate::training::sample;
use crate::training::split::Part;

use super::{
    Evaluation, Failed, MaskMetrics, MaskRecord, Origin, Record, Report, SegmentedImage, SegmenterReport, Selection,
    Subject, is_child, is_early, surface,
};

/// What [`records`] tells while it works: images done, and the failure of the last one.
pub type Progress<'a> = &'a mut dyn FnMut(usize, Option<&Failed>);

/// Records of images, and the files that have none (or no mask).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measurement {
    /// One an image that could be predicted, in the order of the rows.
    pub records: Vec<Record>,
    /// Files that could not be used.
    pub failures: Vec<Failed>,
}

/// The images of a split, laterals apart.
#[derive(Debug, Clone)]
pub struct Chosen<'a> {
    /// Name of the split.
    pub split_id: &'a str,
    /// What is evaluated.
    pub rows: Vec<&'a Row>,
    /// Laterals, which are left out.
    pub laterals: usize,
}

impl<'a> Chosen<'a> {
    /// The frontal images of a part.
    pub fn of(manifest: &'a Manifest, split: Selection) -> Self {
        let in_split = manifest.rows.iter().filter(|row| split.has(row));
        let (laterals, rows): (Vec<&Row>, Vec<&Row>) = in_split.partition(|row| row.is_left_out());
        Self {
            split_id: &manifest.split.id,
            rows,
            laterals: laterals.len(),
        }
    }

    /// Images whose group is in the training part.
    pub fn in_training_part(&self) -> usize {
        let in_training = |row: &&&Row| row.part() == Part::Train;
        self.rows.iter().filter(in_training).count()
    }
}

/// Predicts every row; ends early, with what is there, once `cancel` is set.
pub fn records(models: &mut Models, rows: &[&Row], cancel: &AtomicBool, progress: Progress<'_>) -> Measurement {
    let mut measurement = Measurement::default();
    for (done, row) in (1..).zip(rows) {
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        let failure = match record(models, row) {
            Ok((record, failure)) => {
                measurement.records.push(record);
                failure
            }
            Err(error) => Some(error),
        };
        let failure = failure.map(|error| Failed {
            file: row.file.clone(),
            error,
        });
        progress(done, failure.as_ref());
        measurement.failures.extend(failure);
    }
    measurement
}

/// One image's record, and why its mask is missing from it; or why there is none.
fn record(models: &mut Models, row: &Row) -> Result<(Record, Option<String>), String> {
    let image = imaging::open(&row.path).map_err(|e| e.to_string())?;
    let findings = models.compute(|models| pipeline::analyse(models, &image, &mut |_| true));
    let findings = findings.map_err(|error| format!("{}: {error}", row.path.display()))?;
    let compared = row.mask.as_ref().map(|file| compare_mask(&findings.mask, file, &image));
    let (mask, failure) = match compared.transpose() {
        Ok(mask) => (mask, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let record = Record {
        file: row.file.clone(),
        group: row.group.clone(),
        source: row.source.clone().unwrap_or_default(),
        label: row.label.clone(),
        part: row.part().name().to_owned(),
        is_child: is_child(row),
        is_early: is_early(row),
        is_covid19: row.class == Class::Covid19,
        score: findings.probabilities.covid19,
        margin: findings.margin,
        mask,
        in_lung: findings.in_lung.ratio,
        chance: findings.in_lung.chance,
    };
    Ok((record, failure))
}

/// A predicted mask against the one in a file, at the image's size.
///
/// # Errors
/// If the file cannot be read or has another size.
pub fn compare_mask(mask: &Mask, file: &MaskFile, image: &Radiograph) -> Result<MaskRecord, sample::Error> {
    let truth = sample::read_masks(file, image.width, image.height)?;
    let distance = |spacing| surface::hausdorff95(&mask.pixels, &truth, image.width as usize, spacing);
    Ok(MaskRecord {
        convention: convention(&file.style, &file.origin),
        confusion: Confusion::of_masks(&mask.pixels, &truth),
        hd95_px: distance((1.0, 1.0)),
        hd95_mm: image.spacing.and_then(|s| distance((s.row_mm, s.column_mm))),
    })
}

/// Style and origin of a mask in one word, such as `lung-field/manual`.
fn convention(style: &str, origin: &str) -> String {
    match (style, origin) {
        ("", "") => "unnamed".to_owned(),
        (style, "") => style.to_owned(),
        ("", origin) => origin.to_owned(),
        (style, origin) => format!("{style}/{origin}"),
    }
}

/// Segments every row that has a mask to compare with, by a segmenter alone; ends early, with what is there, once
/// `cancel` is set.
pub fn segmented(
    (segmenter, device): (&LoadedSegmenter, &Opened),
    rows: &[&Row],
    cancel: &AtomicBool,
    progress: Progress<'_>,
) -> (Vec<SegmentedImage>, Vec<Failed>) {
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    let with_mask = rows.iter().filter_map(|row| Some((row, row.mask.as_ref()?)));
    for (done, (row, file)) in (1..).zip(with_mask) {
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        let compared = || -> Result<MaskRecord, String> {
            let image = imaging::open(&row.path).map_err(|e| e.to_string())?;
            let mask = pipeline::lung_mask(segmenter, &device.device, &image)
                .map_err(|error| format!("{}: {error}", row.path.display()))?;
            compare_mask(&mask, file, &image).map_err(|e| e.to_string())
        };
        let failure = match compared() {
            Ok(mask) => {
                images.push(SegmentedImage {
                    file: row.file.clone(),
                    group: row.group.clone(),
                    source: row.source.clone().unwrap_or_default(),
                    mask,
                });
                None
            }
            Err(error) => Some(Failed {
                file: row.file.clone(),
                error,
            }),
        };
        progress(done, failure.as_ref());
        failures.extend(failure);
    }
    (images, failures)
}

impl SegmenterReport {
    /// Everything that segmented images say; `data` is the data folder as it was named.
    pub fn of(
        (segmenter, device): (&LoadedSegmenter, &Opened),
        data: String,
        split: Selection,
        chosen: &Chosen<'_>,
        (images, failures): (&[SegmentedImage], Vec<Failed>),
    ) -> Self {
        let card = &segmenter.1;
        Self {
            data,
            split: split.name().to_owned(),
            origin: Origin::of(chosen.split_id, card),
            segmenter: card.name.clone(),
            segmenter_version: card.version.clone(),
            weights_sha256: card.sha256.clone(),
            device: device.label.clone(),
            threshold: card.threshold,
            without_mask: chosen.rows.iter().filter(|row| row.mask.is_none()).count(),
            in_training_part: chosen.in_training_part(),
            masks: MaskMetrics::by_convention(images.iter().map(|image| (image.group.as_str(), &image.mask))),
            failures,
        }
    }
}

impl Subject {
    /// The models' classifier on chosen images; `data` is the data folder as it was named.
    pub fn of(models: &Models, data: String, split: Selection, chosen: &Chosen<'_>) -> Self {
        let card = &models.classifier.1;
        Self {
            data,
            split: split.name().to_owned(),
            classifier: card.name.clone(),
            classifier_version: card.version.clone(),
            weights_sha256: card.sha256.clone(),
            segmenter_sha256: models.segmenter.1.sha256.clone(),
            threshold: card.threshold,
            in_training_part: chosen.in_training_part(),
        }
    }
}

impl Report {
    /// Everything that records say; `data` is the data folder as it was named.
    pub fn of(models: &Models, data: String, split: Selection, chosen: &Chosen<'_>, measured: &Measurement) -> Self {
        let card = &models.classifier.1;
        Self {
            subject: Subject::of(models, data, split, chosen),
            origin: Origin::of(chosen.split_id, card),
            device: models.device_label.clone(),
            laterals_left_out: chosen.laterals,
            evaluation: Evaluation::of(&measured.records, card.threshold),
            failures: measured.failures.clone(),
        }
    }
}
