//! The immutable picture every later stage reads: stored values as they are in the file, the transforms
//! beside them, and the identity apart from both.

use std::path::PathBuf;
use std::sync::Arc;

use super::auto_window::Histogram;
use super::lut::{self, ModalityLut, Polarity, VoiLut, VoiTransform, Window};
use super::spacing::PixelSpacing;

/// Stored values of one grey frame, row-major, without any look-up applied.
///
/// The stored value of a pixel is `i32::from(values[y * width + x]) + offset`: signed files keep their range
/// in an unsigned buffer that a 16-bit texture holds as it is.
#[derive(Debug, Clone)]
pub struct StoredValues {
    /// `width * height` samples, offset binary.
    pub values: Arc<Vec<u16>>,
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
    /// BLAKE3 over size, samples and look-ups: equal pictures have equal hashes, within one program.
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

    /// What the picture is shown with when it is opened: the file's first VOI, or the full range of the
    /// values that are not padding (the standard is silent where a file has no VOI).
    pub fn default_voi(&self) -> VoiTransform {
        self.voi_luts.first().map_or_else(
            || VoiTransform::Window(self.window_from(Histogram::range)),
            |voi| voi.transform.clone(),
        )
    }

    /// What the networks see: the file's first VOI, or [`Radiograph::auto_window`].
    pub fn network_voi(&self) -> VoiTransform {
        self.voi_luts
            .first()
            .map_or_else(|| VoiTransform::Window(self.auto_window()), |voi| voi.transform.clone())
    }

    /// A window from the 0.5th to the 99.5th percentile of the values that are not padding, in modality
    /// values: a few hot pixels or a bright marker do not darken the picture.
    pub fn auto_window(&self) -> Window {
        self.window_from(Histogram::robust_range)
    }

    fn window_from(&self, range: impl Fn(&Histogram) -> (i32, i32)) -> Window {
        let Samples::Grey(stored) = &self.samples else {
            return Window::spanning(0.0, 255.0);
        };
        let (low, high) = range(&Histogram::new(stored, self.padding));
        let ends = [self.modality_lut.apply(low), self.modality_lut.apply(high)];
        Window::spanning(ends[0].min(ends[1]), ends[0].max(ends[1]))
    }

    /// Display value in `0.0..=1.0`, polarity applied, of every sample of [`StoredValues::values`]: entry `s`
    /// belongs to sample `s`. Ends at the largest sample; `None` for a colour picture.
    pub fn display_table(&self, voi: &VoiTransform) -> Option<Vec<f64>> {
        let stored = self.grey()?;
        let last = stored.values.iter().copied().max().unwrap_or(0);
        let display =
            |sample| lut::display_value(i32::from(sample) + stored.offset, self.modality_lut, voi, self.polarity);
        Some((0..=last).map(display).collect())
    }

    /// The picture as an eight-bit screen shows it: one grey byte a pixel, or an RGB triple a pixel for a
    /// colour picture, which no VOI changes.
    pub fn display(&self, voi: &VoiTransform) -> Vec<u8> {
        match (&self.samples, self.display_table(voi)) {
            (Samples::Grey(stored), Some(table)) => {
                let bytes: Vec<u8> = table.into_iter().map(lut::to_eight_bit).collect();
                stored.values.iter().map(|&sample| bytes[usize::from(sample)]).collect()
            }
            (Samples::Colour(pixels), _) => pixels.as_flattened().to_vec(),
            (Samples::Grey(_), None) => Vec::new(),
        }
    }

    /// The radiograph with its content hash filled in; readers call it last.
    pub(super) fn sealed(mut self) -> Self {
        self.content_hash = self.hash();
        self
    }

    /// BLAKE3 over what is seen: size, samples and look-ups, none of the identity; on all cores.
    fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.width.to_le_bytes());
        hasher.update(&self.height.to_le_bytes());
        match &self.samples {
            Samples::Grey(stored) => {
                hasher.update(b"grey");
                hasher.update(&stored.offset.to_le_bytes());
                hasher.update_rayon(bytemuck::cast_slice(&stored.values));
            }
            Samples::Colour(pixels) => {
                hasher.update(b"colour");
                hasher.update_rayon(pixels.as_flattened());
            }
        }
        // The debug form of these small types names every field and value, and changes when they do.
        let look_ups = format!(
            "{} {:?} {:?} {:?} {:?}",
            self.bits_stored, self.modality_lut, self.voi_luts, self.polarity, self.padding
        );
        hasher.update(look_ups.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// Number of pixels in the frame.
    pub fn pixel_count(&self) -> usize {
        self.width as usize * self.height as usize
    }
}
