//! The images of a segmenter's evaluation read back from their table: what its figures are drawn of.

use std::path::Path;

use serde::Deserialize;

use crate::training::evaluation::{MaskRecord, SegmentedImage, saved};
use crate::training::metrics::Confusion;

/// A line of the table; columns that follow from others are not read.
#[derive(Debug, Deserialize)]
struct Line {
    file: String,
    group: String,
    source: String,
    mask: String,
    mask_tn: u64,
    mask_fp: u64,
    mask_fn: u64,
    mask_tp: u64,
    hd95_px: Option<f64>,
    hd95_mm: Option<f64>,
}

impl Line {
    fn image(self) -> SegmentedImage {
        SegmentedImage {
            file: self.file,
            group: self.group,
            source: self.source,
            mask: MaskRecord {
                convention: self.mask,
                confusion: Confusion {
                    tn: self.mask_tn,
                    fp: self.mask_fp,
                    fn_: self.mask_fn,
                    tp: self.mask_tp,
                },
                hd95_px: self.hd95_px,
                hd95_mm: self.hd95_mm,
            },
        }
    }
}

/// Reads the images of a segmenter's evaluation; a group is a number of digits there, the same for the same patient.
///
/// # Errors
/// In a sentence, if the table is not there or a line is none of such an evaluation.
pub fn read_images(folder: &Path) -> Result<Vec<SegmentedImage>, String> {
    let path = folder.join(saved::IMAGES);
    let fail = |e: csv::Error| format!("{}: this is no table of segmented images: {e}", path.display());
    let mut reader = csv::Reader::from_path(&path).map_err(fail)?;
    let lines = reader.deserialize::<Line>();
    lines.map(|line| Ok(line.map_err(fail)?.image())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_other_images_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let said = || read_images(folder.path()).expect_err("there is no such table");
        assert!(said().contains(saved::IMAGES));
        std::fs::write(folder.path().join(saved::IMAGES), "file,score\na.png,0.5\n").expect("a table");
        assert!(said().contains("no table of segmented images"), "{}", said());
    }
}
