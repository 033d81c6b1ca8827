//! Files to [`Radiograph`]s. Knows nothing of networks, tensors or windows on a screen; no file can panic it.

pub mod lut;
pub mod radiograph;
pub mod spacing;

use std::path::{Path, PathBuf};

pub use lut::{ModalityLut, Polarity, VoiLut, VoiLutFunction, VoiTable, VoiTransform, Window};
pub use radiograph::{Acquisition, Identity, Radiograph, Samples, Scope, StoredValues};
pub use spacing::{PixelSpacing, SpacingSource};

/// Why a file gives no picture. Every message names the cause; the caller adds what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no picture this program knows, or a broken one.
    #[error("{path}: {reason}")]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// One sentence with the cause.
        reason: String,
    },
}

/// Reads the first frame of a DICOM, PNG, JPEG, TIFF, BMP or WebP file.
///
/// # Errors
/// If the file cannot be read, or holds no picture that can be shown exactly as it is meant.
pub fn open(path: &Path) -> Result<Radiograph, Error> {
    open_frame(path, 1)
}

/// Reads one frame, counted from 1.
///
/// # Errors
/// As [`open`], and if there is no such frame.
pub fn open_frame(path: &Path, frame: u32) -> Result<Radiograph, Error> {
    let _ = frame;
    Err(Error::Undecodable {
        path: path.to_owned(),
        reason: "no reader is built yet".into(),
    })
}
