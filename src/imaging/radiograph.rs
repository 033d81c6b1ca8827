//! The immutable picture every later stage reads: stored values as they are in the file, the transforms
//! beside them, and the identity apart from both.

use std::path::PathBuf;
use std::sync::Arc;

use super::lut::{ModalityLut, Polarity, VoiLut};
use super::spacing::PixelSpacing;

/// Stored values of one grey frame, row-major, without any look-up applied.
///
/// The stored value of a pixel is `i32::from(values[y * width + x]) + offset`: signed files keep their range
/// in an unsigned buffer that a 16-bit texture holds as it is.
#[derive(Debug, Clone)]
pub struct StoredValues {
    /// `width * height` samples, offset binary.
    pub values: Arc<[u16]>,
    /// What to add to a sample to get the file's stored value (0, or negative for signed data).
    pub offset: i32,
}

impl StoredValues {
    /// Stored value at a row-major index.
    ///
    /// # Panics
    /// If `index` lies outside the frame.
    pub fn get(&self, index: usize) -> i32 {
        i32::from(self.values[index]) + self.offset
    }
}

/// The samples of one frame.
#[derive(Debug, Clone)]
pub enum Samples {
    /// One grey channel, up to 16 bits.
    Grey(StoredValues),
    /// Eight-bit RGB triples, row-major: shown, never predicted.
    Colour(Arc<[[u8; 3]]>),
}

/// Whether the networks were made for this kind of picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A grey radiograph, or a picture whose kind the file does not tell.
    InScope,
    /// Shown, but not predicted; the sentence says why.
    OutOfScope(String),
}

/// Who is on the picture. Kept apart from the pixels, and out of logs, file names and exports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Patient's Name (0010,0010), as people write it.
    pub patient_name: Option<String>,
    /// Patient ID (0010,0020).
    pub patient_id: Option<String>,
    /// Patient's Birth Date (0010,0030), `YYYYMMDD`.
    pub birth_date: Option<String>,
    /// Patient's Sex (0010,0040).
    pub sex: Option<String>,
}

/// What the file says about the examination; every field may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acquisition {
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: Option<String>,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: Option<String>,
    /// Transfer Syntax UID (0002,0010), or the container's name (`PNG`, `JPEG` …).
    pub encoding: String,
    /// Modality (0008,0060).
    pub modality: Option<String>,
    /// Study Date (0008,0020), `YYYYMMDD`.
    pub study_date: Option<String>,
    /// Study Description (0008,1030).
    pub study_description: Option<String>,
    /// Series Description (0008,103E).
    pub series_description: Option<String>,
    /// View Position (0018,5101).
    pub view_position: Option<String>,
    /// Image Laterality (0020,0062) or Laterality (0020,0060).
    pub laterality: Option<String>,
    /// Patient Orientation (0020,0020): directions of rows and of columns.
    pub patient_orientation: Option<[String; 2]>,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
}

/// One frame of one file, ready to be shown; never changed after it was read.
#[derive(Debug, Clone)]
pub struct Radiograph {
    /// Where it was read from.
    pub file: PathBuf,
    /// Frame number, from 1.
    pub frame: u32,
    /// Number of frames in the file, at least 1.
    pub frames: u32,
    /// Columns, in pixels, at least 1.
    pub width: u32,
    /// Rows, in pixels, at least 1.
    pub height: u32,
    /// The samples as they are stored.
    pub samples: Samples,
    /// Significant bits of a stored value, 1..=16.
    pub bits_stored: u8,
    /// Stored values to modality values.
    pub modality_lut: ModalityLut,
    /// The file's own windows and VOI LUTs in the file's order; empty if it has none.
    pub voi_luts: Vec<VoiLut>,
    /// Whether low modality values are shown bright.
    pub polarity: Polarity,
    /// Inclusive range of stored values that are padding, not picture.
    pub padding: Option<(i32, i32)>,
    /// Millimetres per pixel with the attribute they come from; `None` means lengths are in pixels.
    pub spacing: Option<PixelSpacing>,
    /// Who is on the picture.
    pub identity: Identity,
    /// What the file says about the examination.
    pub acquisition: Acquisition,
    /// Whether the networks were made for this kind of picture.
    pub scope: Scope,
    /// SHA-256 over size, samples and look-ups: equal pictures have equal hashes.
    pub content_hash: [u8; 32],
    /// Sentences for the reader about what was assumed or could not be used.
    pub warnings: Vec<String>,
}

impl Radiograph {
    /// The grey stored values, or `None` for a colour picture.
    pub fn grey(&self) -> Option<&StoredValues> {
        match &self.samples {
            Samples::Grey(stored) => Some(stored),
            Samples::Colour(_) => None,
        }
    }

    /// Number of pixels in the frame.
    pub fn pixel_count(&self) -> usize {
        self.width as usize * self.height as usize
    }
}
