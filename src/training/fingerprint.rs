//! What a run was begun with, so that it goes on with the same images.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::manifest::{MaskFile, Row};

/// The images of a run, so that it goes on with the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Number of images.
    pub images: usize,
    /// SHA-256 over names, labels, parts, masks and sizes of the files.
    pub sha256: String,
}

impl Fingerprint {
    /// Of the rows that a run uses.
    pub fn of(rows: &[Row]) -> Self {
        let mut digest = Sha256::new();
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |about| about.len());
        for row in rows {
            let masks = row.mask.iter().flat_map(MaskFile::files);
            let masks: Vec<u64> = masks.map(length).collect();
            let line = (
                &row.file,
                row.class as u8,
                row.part().name(),
                &row.source,
                length(&row.path),
                masks,
            );
            digest.update(format!("{line:?}\n"));
        }
        Self {
            images: rows.len(),
            sha256: format!("{:x}", digest.finalize()),
        }
    }
}
