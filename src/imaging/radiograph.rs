//! The immutable picture every later stage reads: stored values as they are in the file, the transforms
//! beside them, and the identity apart from both.

use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use super::auto_window::{self, full_range};
use super::lut::{self, ModalityLut, Polarity, VoiLut, VoiTransform, Window};
use super::overlay::OverlayPlane;
use super::shutter::Shutter;
use super::spacing::PixelSpacing;

/// Pixels that a thread looks up at a time.
const LOOK_UP_BLOCK: usize = 1 << 16;

/// Stored values of one grey frame, row-major, without any look-up applied.
///
/// The stored value of a pixel is `i32::from(values[y * width + x]) + offset`: signed files keep their range
/// in an unsigned buffer that a 16-bit texture holds as it is.
#[derive(Debug, Clone)]
pub struct StoredValues {
    /// `width * height` samples, offset binary.
    pub values: Arc<Vec<u16>>,
    /// What to add to a sample to get the file's stored value: 0, or negative for signed data, or anything for wide
    /// integers that lie close together.
    pub offset: i32,
}

impl StoredValues {
    /// What `of` makes of the stored value of every sample up to the largest: entry `s` belongs to sample `s`.
    pub fn table<T>(&self, of: impl Fn(f64) -> T) -> Vec<T> {
        let last = self.values.iter().copied().max().unwrap_or(0);
        (0..=last)
            .map(|sample| of(f64::from(i32::from(sample) + self.offset)))
            .collect()
    }

    /// Stored value at a row-major index.
    ///
    /// # Panics
    /// If `index` lies outside the frame.
    pub fn get(&self, index: usize) -> i32 {
        i32::from(self.values[index]) + self.offset
    }
}

/// Stored values of one grey frame that 16 bits do not hold: wide integers and floating-point numbers.
#[derive(Debug, Clone)]
pub struct WideValues {
    /// `width * height` values, row-major; integers up to 2^53 are exact, floats may be NaN or infinite.
    pub values: Arc<Vec<f64>>,
    /// Whether the file has them as integers.
    pub integers: bool,
}

impl WideValues {
    /// The middle of the finite values: what a 32-bit texture counts from, so that it loses least.
    pub fn middle(&self) -> f64 {
        let (low, high) = self.finite_range();
        low + (high - low) / 2.0
    }

    /// Smallest and largest finite value; zeros where there is none.
    pub fn finite_range(&self) -> (f64, f64) {
        range_of(self.values.iter().copied().filter(|value| value.is_finite()))
    }
}

/// Smallest and largest value; zeros where there is none.
pub(super) fn range_of(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let range = values.into_iter().fold(None, |range: Option<(f64, f64)>, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    });
    range.unwrap_or_default()
}

/// Samples as the file has them, where [`Samples`] holds what was made of them.
#[derive(Debug, Clone)]
pub enum Original {
    /// Indices into a palette (PALETTE COLOR).
    Indices(StoredValues),
    /// Three channels of up to 8 bits, interleaved: luma and chroma, or colours that were averaged to grey.
    Eight(Arc<[[u8; 3]]>),
    /// Three channels of up to 16 bits, interleaved.
    Sixteen(Arc<[[u16; 3]]>),
}

/// The samples of one frame.
#[derive(Debug, Clone)]
pub enum Samples {
    /// One grey channel, up to 16 bits.
    Grey(StoredValues),
    /// One grey channel of more bits, or of floating-point numbers.
    Wide(WideValues),
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
    /// What was lost to compression before the file was written, in a sentence; `None`: nothing, as far as it says.
    pub lossy: Option<String>,
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
    /// The samples that are shown and measured.
    pub samples: Samples,
    /// Grey of a colour picture whose channels nearly agree: what networks read.
    pub network_grey: Option<StoredValues>,
    /// The file's own samples, where these are others.
    pub original: Option<Original>,
    /// Significant bits of a stored value, 1..=64.
    pub bits_stored: u8,
    /// Stored values to modality values.
    pub modality_lut: ModalityLut,
    /// The file's own windows and VOI LUTs in the file's order; empty if it has none.
    pub voi_luts: Vec<VoiLut>,
    /// Whether low modality values are shown bright.
    pub polarity: Polarity,
    /// Inclusive range of stored values that are padding, not picture.
    pub padding: Option<(f64, f64)>,
    /// Overlay planes of this frame: drawn on the screen, and in nothing else.
    pub overlay_planes: Vec<OverlayPlane>,
    /// What the sender wants hidden: on the screen, and in nothing else.
    pub shutter: Option<Shutter>,
    /// Millimetres per pixel with the attribute they come from; `None` means lengths are in pixels.
    pub spacing: Option<PixelSpacing>,
    /// Height of a pixel over its width: 1 for square ones, 0.1..=10.
    pub pixel_aspect: f64,
    /// Who is on the picture.
    pub identity: Identity,
    /// What the file says about the examination.
    pub acquisition: Acquisition,
    /// Whether the networks were made for this kind of picture.
    pub scope: Scope,
    /// BLAKE3 over size, samples and look-ups: equal pictures have equal hashes, within one program. Overlay planes
    /// and shutter are left out, because what was found on a picture does not depend on them.
    pub content_hash: [u8; 32],
    /// Sentences for the reader about what was assumed or could not be used.
    pub warnings: Vec<String>,
}

impl Radiograph {
    /// The grey stored values of up to 16 bits, or `None` for a colour picture and for wide values.
    pub fn grey(&self) -> Option<&StoredValues> {
        match &self.samples {
            Samples::Grey(stored) => Some(stored),
            Samples::Wide(_) | Samples::Colour(_) => None,
        }
    }

    /// Whether the picture has colours, which no window changes and no network reads.
    pub fn is_colour(&self) -> bool {
        matches!(self.samples, Samples::Colour(_))
    }

    /// Whether networks can read it: all but colours that are more than a tint.
    pub fn is_grey_enough(&self) -> bool {
        !self.is_colour() || self.network_grey.is_some()
    }

    /// What the picture is shown with when it is opened: the file's first VOI, or the full range of the
    /// values that are not padding (the standard is silent where a file has no VOI).
    pub fn default_voi(&self) -> VoiTransform {
        self.file_voi()
            .unwrap_or_else(|| VoiTransform::Window(self.window_from(full_range, &self.samples)))
    }

    /// What the networks see: the file's first VOI, or [`Radiograph::auto_window`] of the whole picture, whatever a
    /// shutter hides of it from the reader.
    pub fn network_voi(&self) -> VoiTransform {
        self.file_voi()
            .unwrap_or_else(|| VoiTransform::Window(self.window_from(auto_window::robust_range, &self.samples)))
    }

    fn file_voi(&self) -> Option<VoiTransform> {
        self.voi_luts.first().map(|voi| voi.transform.clone())
    }

    /// A window from the 0.5th to the 99.5th percentile of the values that are neither padding nor hidden by the
    /// shutter, in modality values: a few hot pixels or a bright marker do not darken the picture.
    pub fn auto_window(&self) -> Window {
        let seen = self.samples_in_sight();
        self.window_from(auto_window::robust_range, seen.as_ref().unwrap_or(&self.samples))
    }

    /// The samples that a shutter leaves, in their order; `None` without one, and for colours.
    fn samples_in_sight(&self) -> Option<Samples> {
        let hidden = self.hidden_by_shutter()?;
        match &self.samples {
            Samples::Grey(stored) => Some(Samples::Grey(StoredValues {
                values: in_sight(&stored.values, &hidden),
                offset: stored.offset,
            })),
            Samples::Wide(wide) => Some(Samples::Wide(WideValues {
                values: in_sight(&wide.values, &hidden),
                integers: wide.integers,
            })),
            Samples::Colour(_) => None,
        }
    }

    /// A byte for each pixel, 1 where the shutter hides it; `None` without a shutter.
    pub fn hidden_by_shutter(&self) -> Option<Vec<u8>> {
        let shutter = self.shutter.as_ref()?;
        Some(shutter.hidden([self.width, self.height], self.pixel_aspect, &self.overlay_planes))
    }

    fn window_from(
        &self,
        range: impl Fn(&Samples, Option<(f64, f64)>) -> Option<(f64, f64)>,
        samples: &Samples,
    ) -> Window {
        // Both values of a bitmap have their grey, also where a frame holds only one of them.
        let bitmap = self.grey().filter(|_| self.bits_stored == 1);
        let bitmap = bitmap.map(|stored| (f64::from(stored.offset), f64::from(stored.offset + 1)));
        let Some((low, high)) = bitmap.or_else(|| range(samples, self.padding)) else {
            return Window::spanning(0.0, 255.0);
        };
        // A table may be steepest anywhere between the ends.
        let ends = match &self.modality_lut {
            ModalityLut::Rescale(_) => vec![low, high],
            ModalityLut::Table(_) => (low as i64..=high as i64).map(|stored| stored as f64).collect(),
        };
        let values = ends.into_iter().map(|stored| self.modality_lut.apply(stored));
        let (black, white) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        Window::spanning(black, white)
    }

    /// The file's own stored values before any colour conversion, row-major, the channels of a colour interleaved.
    pub fn stored_values(&self) -> Vec<f64> {
        let grey = |stored: &StoredValues| {
            let values = stored.values.iter();
            values
                .map(|&sample| f64::from(i32::from(sample) + stored.offset))
                .collect()
        };
        match (&self.original, &self.samples) {
            (Some(Original::Indices(stored)), _) | (None, Samples::Grey(stored)) => grey(stored),
            (Some(Original::Eight(pixels)), _) | (None, Samples::Colour(pixels)) => {
                pixels.as_flattened().iter().map(|&level| f64::from(level)).collect()
            }
            (Some(Original::Sixteen(pixels)), _) => {
                pixels.as_flattened().iter().map(|&level| f64::from(level)).collect()
            }
            (None, Samples::Wide(wide)) => wide.values.to_vec(),
        }
    }

    /// Display value in `0.0..=1.0` of a stored value: modality LUT, VOI, then polarity. Meaningless for NaN.
    pub fn display_value(&self, stored: impl Into<f64>, voi: &VoiTransform) -> f64 {
        lut::display_value(stored, &self.modality_lut, voi, self.polarity)
    }

    /// The picture as an eight-bit screen shows it: one grey byte a pixel, or an RGB triple a pixel for a
    /// colour picture, which no VOI changes. What is no number is black.
    pub fn display(&self, voi: &VoiTransform) -> Vec<u8> {
        match &self.samples {
            Samples::Grey(stored) => {
                let grey = |sample| lut::to_eight_bit(self.display_value(sample + stored.offset, voi));
                let greys: Vec<u8> = (0..=i32::from(u16::MAX)).map(grey).collect();
                let greys = greys.first_chunk();
                greys.map_or_else(Vec::new, |greys| looked_up(&stored.values, greys))
            }
            Samples::Wide(wide) => {
                let grey = |&stored: &f64| {
                    if stored.is_nan() {
                        0
                    } else {
                        lut::to_eight_bit(self.display_value(stored, voi))
                    }
                };
                wide.values.par_iter().map(grey).collect()
            }
            Samples::Colour(pixels) => pixels.as_flattened().to_vec(),
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
            Samples::Wide(wide) => {
                hasher.update(b"wide");
                hasher.update_rayon(bytemuck::cast_slice(&wide.values));
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

fn in_sight<V: Copy>(values: &[V], hidden: &[u8]) -> Arc<Vec<V>> {
    let pixels = values.iter().zip(hidden);
    Arc::new(
        pixels
            .filter(|&(_, &hidden)| hidden == 0)
            .map(|(&value, _)| value)
            .collect(),
    )
}

/// The grey of every sample, on all cores; one for each sample there can be saves asking for each whether there is one.
fn looked_up(samples: &[u16], greys: &[u8; 1 << 16]) -> Vec<u8> {
    let mut bytes = vec![0; samples.len()];
    let blocks = bytes
        .par_chunks_mut(LOOK_UP_BLOCK)
        .zip(samples.par_chunks(LOOK_UP_BLOCK));
    blocks.for_each(|(bytes, samples)| {
        for (byte, &sample) in bytes.iter_mut().zip(samples) {
            *byte = greys[usize::from(sample)];
        }
    });
    bytes
}
