//! Runs segmenter and classifier over labelled images for an audit: the whole picture and its regions in one batch.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::findings::Findings;
use crate::imaging::{self, Radiograph};
use crate::inference::models::Models;
use crate::inference::pipeline;
use crate::nn::{self, Tensor};
use crate::preprocess;
use crate::training::evaluation::measure::{Chosen, Progress};
use crate::training::evaluation::{Failed, Selection, Subject};
use crate::training::loss::sigmoid;
use crate::training::manifest::{Class, Row};

use super::{Audit, AuditRecord, Region, cover};

/// Audits a classifier on chosen images; `None` once `cancel` is set. `data` is the data folder as it was named.
pub fn audit(
    models: &mut Models,
    data: String,
    split: Selection,
    chosen: &Chosen<'_>,
    cancel: &AtomicBool,
    progress: Progress<'_>,
) -> Option<Audit> {
    let (mut records, mut failures) = (Vec::new(), Vec::new());
    for (done, row) in (1..).zip(&chosen.rows) {
        if cancel.load(Ordering::Relaxed) {
            return None;
        }
        let failure = match record(models, row) {
            Ok(record) => {
                records.push(record);
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
    Some(Audit::of(Subject::of(models, data, split, chosen), &records, failures))
}

fn record(models: &mut Models, row: &Row) -> Result<AuditRecord, String> {
    let image = imaging::open(&row.path).map_err(|e| e.to_string())?;
    let measured = models.compute(|models| {
        let findings = pipeline::analyse(models, &image, &mut |_| true)?;
        let shown = regions(models, &image, &findings)?;
        Ok((findings.in_lung, shown))
    });
    let (in_lung, (scores, features)) = measured.map_err(|error| format!("{}: {error}", row.path.display()))?;
    Ok(AuditRecord {
        group: row.group.clone(),
        source: row.source.clone().unwrap_or_default(),
        is_covid19: row.class == Class::Covid19,
        scores,
        features,
        in_lung: in_lung.ratio,
        chance: in_lung.chance,
    })
}

/// Scores of every region, and the pooled features of the whole picture. A classifier that is given the lungs alone is
/// shown the regions of that: what it never sees cannot be a shortcut.
fn regions(
    models: &Models,
    image: &Radiograph,
    findings: &Findings,
) -> Result<([Option<f64>; 4], Vec<f32>), pipeline::Error> {
    let (network, card) = &models.classifier;
    let spec = &card.input;
    let grey = preprocess::grey_of_region(image, spec, &findings.mask.pixels)?;
    let mask = preprocess::mask(&findings.mask.pixels, &grey.placement);
    let planes = Region::ALL.map(|region| cover(&grey.pixels, &mask, spec.width, region));
    let mut values = Vec::with_capacity(planes.len() * 3 * grey.pixels.len());
    for plane in planes.iter().flatten() {
        preprocess::normalise(plane, spec, &mut values);
    }
    let shown = planes.iter().flatten().count();
    let output = Tensor::from_vec(values, (shown, 3, spec.height, spec.width), &models.device)
        .map_err(nn::Error::from)
        .and_then(|batch| network.predict(&batch))?;
    let numbers = || -> Result<(Vec<Vec<f32>>, Vec<f32>), candle_core::Error> {
        let pooled = output.features.get(0)?.mean((1, 2))?.to_vec1()?;
        Ok((output.logits.to_vec2()?, pooled))
    };
    let (logits, features) = numbers().map_err(nn::Error::from)?;
    let finite = logits.iter().flatten().chain(&features).all(|value| value.is_finite());
    if !finite {
        return Err(pipeline::Error::NotFinite("classifier"));
    }
    let mut margins = logits.iter().map(|pair| f64::from(pair[1]) - f64::from(pair[0]));
    // The planes that could be shown are in the batch in their order.
    let scores = planes.map(|plane| plane.and_then(|_| margins.next()).map(sigmoid));
    Ok((scores, features))
}
