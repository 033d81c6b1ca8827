//! Millimetres per pixel, and which attribute they come from. Nothing is guessed: no attribute, no millimetres.

/// The attribute a spacing was read from (PS3.3 10.7.1.3): it decides what a length means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpacingSource {
    /// Pixel Spacing (0028,0030), differing from Imager Pixel Spacing or declared calibrated.
    Calibrated,
    /// Pixel Spacing (0028,0030) as it stands.
    PixelSpacing,
    /// Imager Pixel Spacing (0018,1164): distances at the detector, larger than in the patient.
    ImagerPixelSpacing,
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

impl PixelSpacing {
    /// The word that every length carries.
    pub fn label(&self) -> &'static str {
        match self.source {
            SpacingSource::Calibrated => "Calibrated",
            SpacingSource::PixelSpacing => "Pixel spacing",
            SpacingSource::ImagerPixelSpacing => "At detector",
        }
    }
}
