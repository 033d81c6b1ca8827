//! What is drawn over the picture: made ready here, off the window's thread, drawn in the viewport's shader so
//! that it lies exactly on the pixels.

pub mod activation_map;
pub mod colour_bar;
pub mod file_graphics;
pub mod lung_mask;
pub mod rulers;

use std::sync::Arc;

use crate::findings::Findings;

pub use crate::report::colormap::Colormap;

/// Findings as textures want them, in image pixels.
#[derive(Debug, Clone)]
pub struct OverlayPixels {
    /// Where they come from.
    pub findings: Arc<Findings>,
    /// Columns and rows.
    pub size: [u32; 2],
    /// Row-major lung labels of [`lung_mask`].
    pub labels: Vec<u8>,
    /// Row-major share of the map's maximum, 65535 = maximum.
    pub map: Vec<u16>,
}

impl OverlayPixels {
    /// Prepares the overlays of some findings.
    pub fn new(findings: Arc<Findings>) -> Self {
        let size = [findings.mask.width, findings.mask.height];
        let labels = lung_mask::labels(&findings.mask, &findings.lungs);
        let map = activation_map::shares(&findings.activation);
        Self {
            findings,
            size,
            labels,
            map,
        }
    }

    /// Map value at an image pixel, if the map covers it.
    pub fn map_value(&self, column: u32, row: u32) -> Option<f32> {
        let map = &self.findings.activation;
        let index = row as usize * map.width as usize + column as usize;
        (column < map.width).then(|| map.values.get(index).copied()).flatten()
    }
}

/// How the overlays are shown; the user's choice for every picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverlaySettings {
    /// Lung fill and contour.
    pub mask: bool,
    /// Activation map and colour bar.
    pub map: bool,
    /// Greatest alpha of the map, in 0..=1.
    pub opacity: f32,
    /// Share of the maximum below which the map is not drawn, in 0..=1.
    pub threshold: f32,
    /// Colours of the map.
    pub colours: Colormap,
}

impl Default for OverlaySettings {
    fn default() -> Self {
        Self {
            mask: true,
            map: true,
            opacity: 0.6,
            threshold: 0.15,
            colours: Colormap::Inferno,
        }
    }
}
