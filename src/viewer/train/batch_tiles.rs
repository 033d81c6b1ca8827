//! The next batch as pictures: made on a thread, exactly as the network will be given it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::training::Task;
use crate::training::check::fingerprint;
use crate::training::check::gate::{self, OnLeakage};
use crate::training::checkpoint::RunFolder;
use crate::training::manifest::{Class, Manifest, Row};
use crate::training::preview::{PreviewImage, preview};
use crate::training::request::Request;
use crate::viewer::errands::Errand;
use crate::viewer::picture::Thumbnail;

use super::dataset::look;
use super::watch::is_edge;

/// Images that are drawn of a batch.
const MOST: usize = 32;

/// A batch, ready to be drawn.
#[derive(Debug, Clone)]
pub struct BatchTiles {
    /// Which one it is, in words.
    pub words: String,
    /// Its images.
    pub tiles: Vec<BatchTile>,
}

/// An image of a batch.
#[derive(Debug, Clone)]
pub struct BatchTile {
    /// The image as the manifest names it.
    pub file: String,
    /// Whether it is one of COVID-19.
    pub covid19: bool,
    /// Whether it is transformed.
    pub transformed: bool,
    /// Its picture, with the outline of its mask.
    pub picture: Thumbnail,
}

/// Makes the pictures of a batch of a run, or of one that is not begun; `place` is epoch and batch, from 0. Reports of
/// checked data lie in `reports`.
///
/// # Errors
/// In a sentence.
pub fn make(
    request: &Request,
    place: (usize, usize),
    reports: Option<&Path>,
    outline: [u8; 3],
    errand: &Errand<'_>,
) -> Result<BatchTiles, String> {
    let mut manifest = look(&request.data, &request.dataset)?;
    let left_out = if request.resume {
        let record = RunFolder::at(&request.run).check().map_err(|e| e.to_string())?;
        record.map(|record| record.left_out)
    } else {
        to_leave_out(request, &manifest, reports)
    };
    if let Some(left_out) = left_out {
        manifest.rows.retain(|row| !left_out.contains(&row.file));
    }
    let segmenter = request.segmenter.as_deref();
    let shown = preview(&manifest, &request.config, segmenter, place, MOST, errand.cancel());
    let shown = shown.map_err(|e| e.to_string())?;
    let words = format!(
        "Epoch {}, batch {} of {}: {} of {} images at {} px",
        shown.epoch,
        shown.batch,
        shown.batches,
        shown.images.len(),
        shown.total,
        shown.side
    );
    Ok(BatchTiles {
        words,
        tiles: shown
            .images
            .iter()
            .map(|image| tile(image, shown.side, outline))
            .collect(),
    })
}

/// What a run that is not begun will leave out, as far as the data were checked.
fn to_leave_out(request: &Request, manifest: &Manifest, reports: Option<&Path>) -> Option<BTreeSet<String>> {
    let reports = reports.filter(|_| request.config.on_leakage == Some(OnLeakage::LeaveOut))?;
    let report = gate::kept(reports, &fingerprint(&manifest.rows))?;
    let uses = if request.config.task == Task::Segmenter {
        Row::is_for_segmentation
    } else {
        Row::is_for_classification
    };
    gate::left_out(&report, &manifest.rows, &uses)
}

fn tile(image: &PreviewImage, side: usize, outline: [u8; 3]) -> BatchTile {
    let inside = |x: u32, y: u32| image.mask[y as usize * side + x as usize] != 0;
    let rgb = image.grey.iter().enumerate().map(|(index, &grey)| {
        let (x, y) = ((index % side) as u32, (index / side) as u32);
        let on_outline = !image.mask.is_empty() && is_edge(inside, (side as u32, side as u32), x, y);
        if on_outline { outline } else { [grey; 3] }
    });
    BatchTile {
        file: image.file.clone(),
        covid19: image.class == Class::Covid19,
        transformed: image.transformed,
        picture: Thumbnail {
            size: [side, side],
            rgb: rgb.collect(),
        },
    }
}
