//! Millimetres per pixel, which attribute they come from, and what a length measured with them means. Nothing is
//! guessed: no attribute, no millimetres.

/// Where a spacing was read from (PS3.3 10.7.1.3): it decides what a length means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SpacingSource {
    /// A ruler or an object of known size, measured by the reader.
    Ruler,
    /// Pixel Spacing (0028,0030) that differs from Imager Pixel Spacing or says how it was calibrated.
    Calibrated,
    /// Pixel Spacing (0028,0030) of a sectional image: distances in the patient.
    Sectional,
    /// Pixel Spacing (0028,0030) of a projection without a word on calibration.
    PixelSpacing,
    /// Imager Pixel Spacing (0018,1164): distances at the detector, larger than in the patient.
    ImagerPixelSpacing,
    /// Nominal Scanned Pixel Spacing (0018,2010): distances on the film that was scanned.
    NominalScannedPixelSpacing,
    /// A spacing at the detector over the Estimated Radiographic Magnification Factor (0018,1114).
    Magnified {
        /// The factor, above 0.
        factor: f64,
    },
}

/// Distance between pixel centres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelSpacing {
    /// Millimetres between rows (vertical), above 0.
    pub row_mm: f64,
    /// Millimetres between columns (horizontal), above 0.
    pub column_mm: f64,
    /// Where the values come from.
    pub source: SpacingSource,
}

/// The word on lengths of a picture without a spacing.
pub const UNCALIBRATED: &str = "px";

impl PixelSpacing {
    /// The word that every length carries.
    pub fn label(&self) -> &'static str {
        match self.source {
            SpacingSource::Ruler | SpacingSource::Calibrated | SpacingSource::Sectional => "Calibrated",
            SpacingSource::PixelSpacing
            | SpacingSource::ImagerPixelSpacing
            | SpacingSource::NominalScannedPixelSpacing => "At detector",
            SpacingSource::Magnified { .. } => "Magnified",
        }
    }

    /// What the label means for this picture, in a sentence.
    pub fn explanation(&self) -> String {
        match self.source {
            SpacingSource::Ruler => "Calibrated by the reader on a length known in the picture.".to_owned(),
            SpacingSource::Calibrated => "Pixel Spacing, calibrated by whoever made the file.".to_owned(),
            SpacingSource::Sectional => "Pixel Spacing of a sectional image: distances in the patient.".to_owned(),
            SpacingSource::PixelSpacing => "Pixel Spacing without a word on calibration: taken as distances at the \
                                            detector, which are larger than in the patient."
                .to_owned(),
            SpacingSource::ImagerPixelSpacing => {
                "Imager Pixel Spacing: distances at the detector, which are larger than in the patient.".to_owned()
            }
            SpacingSource::NominalScannedPixelSpacing => {
                "Nominal Scanned Pixel Spacing: distances on the film, which are larger than in the patient.".to_owned()
            }
            SpacingSource::Magnified { factor } => format!(
                "Spacing at the detector over the estimated magnification {factor}: distances in the plane for which it \
                 was estimated."
            ),
        }
    }
}
