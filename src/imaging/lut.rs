//! The greyscale pipeline of DICOM PS3.3 C.11 as values and pure functions: modality LUT, VOI LUT, polarity,
//! eight-bit display. The shader does the same per fragment; this is the reference it is tested against.

use std::sync::Arc;

/// Stored value to modality value (PS3.3 C.11.1): Rescale Slope and Intercept, or the Modality LUT Sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum ModalityLut {
    /// A straight line.
    Rescale(Rescale),
    /// An entry for each stored value.
    Table(ModalityTable),
}

/// `stored * slope + intercept`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// Rescale Slope (0028,1053), never 0.
    pub slope: f64,
    /// Rescale Intercept (0028,1052).
    pub intercept: f64,
}

/// Modality LUT Sequence item (0028,3000): stored values to modality values.
#[derive(Debug, Clone, PartialEq)]
pub struct ModalityTable {
    /// First stored value mapped; lower ones take the first entry, higher ones the last.
    pub first: i32,
    /// The entries, at least one; each is a modality value.
    pub entries: Arc<[u16]>,
}

impl ModalityLut {
    /// The look-up of a file that has none.
    pub const IDENTITY: Self = Self::linear(1.0, 0.0);

    /// `stored * slope + intercept`.
    pub const fn linear(slope: f64, intercept: f64) -> Self {
        Self::Rescale(Rescale { slope, intercept })
    }

    /// Modality value of a stored value.
    pub fn apply(&self, stored: impl Into<f64>) -> f64 {
        let stored = stored.into();
        match self {
            Self::Rescale(line) => stored * line.slope + line.intercept,
            Self::Table(table) => {
                let last = table.entries.len() - 1;
                let index = (stored - f64::from(table.first)).clamp(0.0, last as f64) as usize;
                f64::from(table.entries[index])
            }
        }
    }
}

/// VOI LUT Function (0028,1056), PS3.3 C.11.2.1.2 and C.11.2.1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoiLutFunction {
    /// LINEAR, the default: width at least 1, with the half-pixel offset of C.11.2.1.2.1.
    Linear,
    /// `LINEAR_EXACT`: width above 0, no offset.
    LinearExact,
    /// SIGMOID.
    Sigmoid,
}

/// A window in modality values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Window Center (0028,1050).
    pub center: f64,
    /// Window Width (0028,1051), above 0 (at least 1 for [`VoiLutFunction::Linear`]).
    pub width: f64,
    /// How values inside the window are mapped.
    pub function: VoiLutFunction,
}

/// A VOI LUT Sequence item (0028,3010): modality values to output values.
#[derive(Debug, Clone, PartialEq)]
pub struct VoiTable {
    /// First modality value mapped; lower ones take the first entry, higher ones the last.
    pub first: i32,
    /// Significant bits of an entry, 1..=16, as the descriptor tells.
    pub bits: u8,
    /// Entry that is shown white: `2^bits - 1`, or the largest entry where a file exceeds that.
    pub white: u16,
    /// The entries, at least one.
    pub entries: Arc<[u16]>,
}

/// One way the file offers to make modality values visible.
#[derive(Debug, Clone, PartialEq)]
pub struct VoiLut {
    /// Window Center & Width Explanation or LUT Explanation, or a plain name.
    pub explanation: String,
    /// What is applied.
    pub transform: VoiTransform,
}

/// Window or table.
#[derive(Debug, Clone, PartialEq)]
pub enum VoiTransform {
    /// Window Center, Width and Function.
    Window(Window),
    /// VOI LUT Sequence item.
    Table(VoiTable),
}

/// Which end of the modality range is shown bright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polarity {
    /// High values bright: MONOCHROME2.
    Normal,
    /// Low values bright: MONOCHROME1 or Presentation LUT Shape INVERSE, inverted once.
    Inverse,
}

impl Window {
    /// The window that maps `black..=white` onto the whole display range without an offset.
    ///
    /// Where both ends are one value, that value is black and everything above it white.
    pub fn spanning(black: f64, white: f64) -> Self {
        let width = if white > black { white - black } else { 1.0 };
        Self {
            center: black + width / 2.0,
            width,
            function: VoiLutFunction::LinearExact,
        }
    }

    /// Display value in `0.0..=1.0` of a modality value, before polarity.
    pub fn apply(&self, value: f64) -> f64 {
        let Self {
            center: c,
            width: w,
            function,
        } = *self;
        match function {
            VoiLutFunction::Linear => {
                if value <= c - 0.5 - (w - 1.0) / 2.0 {
                    0.0
                } else if value > c - 0.5 + (w - 1.0) / 2.0 {
                    1.0
                } else {
                    (value - (c - 0.5)) / (w - 1.0) + 0.5
                }
            }
            VoiLutFunction::LinearExact => {
                // Measured from the lower end, so that a window over 0..=255 gives exactly value / 255.
                let black = c - w / 2.0;
                if value <= black {
                    0.0
                } else if value > c + w / 2.0 {
                    1.0
                } else {
                    ((value - black) / w).min(1.0)
                }
            }
            VoiLutFunction::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - c) / w).exp()),
        }
    }
}

impl VoiTable {
    /// Display value in `0.0..=1.0` of a modality value, before polarity.
    pub fn apply(&self, value: f64) -> f64 {
        let last = self.entries.len() - 1;
        let index = (value - f64::from(self.first)).clamp(0.0, last as f64) as usize;
        (f64::from(self.entries[index]) / f64::from(self.white.max(1))).min(1.0)
    }
}

impl VoiTransform {
    /// Display value in `0.0..=1.0` of a modality value, before polarity.
    pub fn apply(&self, value: f64) -> f64 {
        match self {
            Self::Window(window) => window.apply(value),
            Self::Table(table) => table.apply(value),
        }
    }
}

impl Polarity {
    /// Turns a display value over if the polarity asks for it.
    pub fn apply(self, display: f64) -> f64 {
        match self {
            Self::Normal => display,
            Self::Inverse => 1.0 - display,
        }
    }
}

/// Display value in `0.0..=1.0` to the grey of an eight-bit screen: rounded half up, clipped.
pub fn to_eight_bit(display: f64) -> u8 {
    (display * 255.0 + 0.5).floor().clamp(0.0, 255.0) as u8
}

/// Stored value to display value in `0.0..=1.0`: modality LUT, VOI, then polarity.
pub fn display_value(stored: impl Into<f64>, modality: &ModalityLut, voi: &VoiTransform, polarity: Polarity) -> f64 {
    polarity.apply(voi.apply(modality.apply(stored)))
}
