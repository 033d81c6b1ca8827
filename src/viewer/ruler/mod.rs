//! Lengths on the picture and their calibration: a line over something of known length says how large a pixel is.

pub mod calibrations;

use crate::imaging::{PixelSpacing, SpacingSource};

use super::errands::Pending;
use super::wording;
use calibrations::Calibrations;

/// A straight line between two image positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Where it begins, (x, y) in image pixels.
    pub from: [f64; 2],
    /// Where it ends.
    pub to: [f64; 2],
}

/// Shorter lines are slips of the mouse, in image pixels.
const SHORTEST: f64 = 2.0;

/// What the user does with rulers beside the actions of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RulerCommand {
    /// A line is being drawn.
    Draw(Line),
    /// It is finished.
    Finish,
    /// The last line is so many millimetres long.
    Calibrate(f64),
}

/// Rulers of the window.
#[derive(Default)]
pub struct RulerState {
    /// The line under the mouse.
    pub drawing: Option<Line>,
    /// Pictures that were calibrated by hand, also in earlier windows.
    pub calibrations: Calibrations,
    /// Their way to the disk.
    pub keeping: Pending<Calibrations>,
}

impl Line {
    /// Whether it is long enough to be meant.
    pub fn is_meant(&self) -> bool {
        let [x, y] = self.extent();
        x.hypot(y) >= SHORTEST
    }

    fn extent(&self) -> [f64; 2] {
        [0, 1].map(|axis| (self.to[axis] - self.from[axis]).abs())
    }

    /// Its length in millimetres.
    pub fn millimetres(&self, spacing: PixelSpacing) -> f64 {
        let [x, y] = self.extent();
        (x * spacing.column_mm).hypot(y * spacing.row_mm)
    }

    /// Its length in widths of a pixel, which is `aspect` as high as wide.
    pub fn pixels(&self, aspect: f64) -> f64 {
        let [x, y] = self.extent();
        x.hypot(y * aspect)
    }

    /// The spacing with which it is so many millimetres long; `None` for a line or a length of nothing.
    pub fn calibrated(&self, millimetres: f64, aspect: f64) -> Option<PixelSpacing> {
        let column_mm = millimetres / self.pixels(aspect);
        (column_mm.is_finite() && column_mm > 0.0 && self.is_meant()).then_some(PixelSpacing {
            row_mm: column_mm * aspect,
            column_mm,
            source: SpacingSource::Ruler,
        })
    }

    /// Its length with the word that says what it means.
    pub fn words(&self, spacing: Option<PixelSpacing>, aspect: f64) -> String {
        match spacing {
            Some(spacing) => format!("{}  {}", wording::length(self.millimetres(spacing)), spacing.label()),
            None => format!("{:.1} px", self.pixels(aspect)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line {
        from: [10.0, 20.0],
        to: [40.0, 60.0],
    };

    #[test]
    fn lengths_follow_both_spacings() {
        let spacing = PixelSpacing {
            row_mm: 0.2,
            column_mm: 0.1,
            source: SpacingSource::Calibrated,
        };
        assert_eq!(LINE.millimetres(spacing), 3_f64.hypot(8.0));
        assert_eq!(LINE.pixels(1.0), 50.0);
        assert_eq!(LINE.words(None, 1.0), "50.0 px");
        assert!(LINE.words(Some(spacing), 2.0).ends_with("Calibrated"));
    }

    #[test]
    fn a_calibrated_line_has_the_length_that_was_said() {
        for aspect in [0.5, 1.0, 1.7] {
            let spacing = LINE.calibrated(100.0, aspect).expect("a length");
            assert!((LINE.millimetres(spacing) - 100.0).abs() < 1e-9);
            assert!((spacing.row_mm / spacing.column_mm - aspect).abs() < 1e-12);
        }
        let point = Line {
            from: LINE.from,
            to: LINE.from,
        };
        assert_eq!(point.calibrated(100.0, 1.0), None);
        assert_eq!(LINE.calibrated(0.0, 1.0), None);
        assert_eq!(LINE.calibrated(f64::NAN, 1.0), None);
    }
}
