//! The few numbers that change from frame to frame, laid out for the shader. Window/level lives here and nowhere
//! else on the GPU: dragging it uploads these words, never the picture.

use super::pipelines::Variant;
use crate::imaging::{ModalityLut, Polarity, VoiLutFunction, VoiTransform, Window};
use crate::viewer::overlays::OverlaySettings;
use crate::viewer::picture::Levels;
use crate::viewer::theme;
use crate::viewer::viewport::ImageTransform;

/// Words of the uniform block: twelve vectors of four.
pub const WORDS: usize = 48;

/// From this zoom on (physical pixels per image pixel) the picture's pixels are shown as they are; below it,
/// neighbours are blended. At 1:1 both are the same, because the picture lies on whole screen pixels.
pub const PIXELS_FROM: f64 = 4.0;

/// How the shader turns a sample into a display value. Keep in sync with the constants in viewport.wgsl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VoiMode {
    /// Straight line between black and white.
    Linear = 0,
    /// Black up to the centre, white above.
    Step = 1,
    /// Sigmoid.
    Sigmoid = 2,
    /// The look-up texture.
    Table = 3,
}

/// Modality and VOI transform in sample space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleVoi {
    /// Which formula.
    pub mode: VoiMode,
    /// Sample (offset binary) in the middle of the window.
    pub center: f64,
    /// Display value per sample; times 4 inside the sigmoid.
    pub slope: f64,
}

impl SampleVoi {
    /// Folds modality look-up and window into one line over the samples.
    ///
    /// `offset` is what is added to a sample to get the stored value. What is no line goes through the look-up texture.
    pub fn new(voi: &VoiTransform, modality: &ModalityLut, offset: f64) -> Self {
        let (VoiTransform::Window(window), ModalityLut::Rescale(rescale)) = (voi, modality) else {
            return Self {
                mode: VoiMode::Table,
                center: 0.0,
                slope: 1.0,
            };
        };
        let Window {
            center,
            width,
            function,
        } = *window;
        let (mode, middle, span) = match function {
            VoiLutFunction::Linear => (VoiMode::Linear, center - 0.5, width - 1.0),
            VoiLutFunction::LinearExact => (VoiMode::Linear, center, width),
            VoiLutFunction::Sigmoid => (VoiMode::Sigmoid, center, width),
        };
        let middle = (middle - rescale.intercept) / rescale.slope - offset;
        // A window of width 1 is a step; so is one too narrow to divide by.
        if span.abs() < 1e-9 {
            return Self {
                mode: VoiMode::Step,
                center: middle,
                slope: rescale.slope,
            };
        }
        Self {
            mode,
            center: middle,
            slope: rescale.slope / span,
        }
    }
}

/// What a texel of the picture's texture is. Keep in sync with the constants in viewport.wgsl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Texel {
    /// An integer sample.
    Integer = 0,
    /// Red, green and blue.
    Colour = 1,
    /// The bits of a 32-bit float.
    Real = 2,
}

impl Texel {
    /// What the levels of a picture are.
    pub fn of(levels: &Levels) -> Self {
        match levels {
            Levels::Grey(_) => Self::Integer,
            Levels::Real(_) => Self::Real,
            Levels::Colour(_) => Self::Colour,
        }
    }
}

/// What the shader needs to know for one frame.
#[derive(Debug, Clone, Copy)]
pub struct FrameView {
    /// Where the picture lies.
    pub transform: ImageTransform,
    /// Columns and rows.
    pub size: [u32; 2],
    /// Levels of the texture.
    pub levels: u32,
    /// What a texel is.
    pub texel: Texel,
    /// How samples become grey; ignored for RGB.
    pub voi: SampleVoi,
    /// Whether black and white are exchanged, by file and user together.
    pub inverted: bool,
    /// Overlays, if there are any to draw.
    pub overlays: Option<OverlaySettings>,
    /// Whether a frame has to be ready at once, although the processor draws it: no neighbours are blended, until the
    /// hand rests.
    pub hurries: bool,
    /// Whether the file's overlay planes are drawn.
    pub planes: bool,
    /// Red, green and blue (0 to 1) in place of what the file's shutter hides, if it is to.
    pub shutter: Option<[f32; 3]>,
}

impl FrameView {
    /// Whether display values are turned over, by the file's polarity and the user's wish together.
    pub fn inversion(polarity: Polarity, by_user: bool) -> bool {
        (polarity == Polarity::Inverse) != by_user
    }

    /// The level to read: the one whose pixels are just not larger than the screen's.
    pub fn level(&self) -> u32 {
        let zoom = self.transform.px_per_image[0].min(self.transform.px_per_image[1]);
        let halvings = (1.0 / zoom).log2().floor().max(0.0) as u32;
        halvings.min(self.levels - 1)
    }

    /// Left, top, right and bottom of the picture on the screen, in whole physical pixels that hold it all.
    pub(super) fn area(&self) -> [f64; 4] {
        let [left, top] = self.transform.origin_px;
        let size = [0, 1].map(|axis| f64::from(self.size[axis]) * self.transform.px_per_image[axis]);
        let [width, height] = self.transform.turn.exchanged(size);
        [left.floor(), top.floor(), (left + width).ceil(), (top + height).ceil()]
    }

    /// What the shader must be made of to draw the picture.
    pub(super) fn picture_variant(&self) -> Variant {
        let [zoom_x, zoom_y] = self.transform.px_per_image;
        Variant::Picture {
            texel: self.texel,
            voi: self.voi.mode,
            smooth: zoom_x.max(zoom_y) < PIXELS_FROM && !self.hurries,
            layered: self.layer_variant().is_some(),
        }
    }

    /// What the shader must be made of to draw what lies on the picture, if anything does.
    pub(super) fn layer_variant(&self) -> Option<Variant> {
        let map = self.overlays.is_some_and(|settings| settings.map);
        let mask = self.overlays.is_some_and(|settings| settings.mask);
        let (planes, shutter) = (self.planes, self.shutter.is_some());
        (map || mask || planes || shutter).then_some(Variant::Layer {
            map,
            mask,
            planes,
            shutter,
        })
    }

    /// Image x and y of a physical position as factors of its x and y and what is added.
    fn image_from_px(&self) -> [[f64; 4]; 2] {
        let at = |x, y| self.transform.image_from_px([x, y]);
        let (origin, right, down) = (at(0.0, 0.0), at(1.0, 0.0), at(0.0, 1.0));
        [0, 1].map(|axis| {
            let from = origin[axis];
            [right[axis] - from, down[axis] - from, from, 0.0]
        })
    }

    /// The uniform block.
    pub fn words(&self) -> [u32; WORDS] {
        let [zoom_x, zoom_y] = self.transform.px_per_image;
        let [along_x, along_y] = self.image_from_px();
        let settings = self.overlays.unwrap_or_default();
        let half_width = f64::from(theme::CONTOUR_WIDTH) / 2.0 * self.transform.pixels_per_point;
        let floats = |values: [f64; 4]| values.map(|value| (value as f32).to_bits());
        let [red, green, blue] = self.shutter.unwrap_or_default();
        let opaque = |colour| {
            let [r, g, b, _] = theme::components(colour);
            [r, g, b, 1.0].map(f32::to_bits)
        };
        let vectors = [
            floats([1.0 / zoom_x, 1.0 / zoom_y, 0.0, 0.0]),
            floats(along_x),
            floats(along_y),
            [self.size[0], self.size[1], self.level(), u32::from(self.inverted)],
            floats([self.voi.center, self.voi.slope, self.voi.slope.signum(), 0.0]),
            floats([
                f64::from(theme::FILL_ALPHA),
                f64::from(theme::CONTOUR_ALPHA),
                half_width / zoom_x,
                half_width / zoom_y,
            ]),
            floats([
                f64::from(settings.opacity),
                f64::from(settings.threshold),
                f64::from(settings.colours as u32),
                0.0,
            ]),
            opaque(theme::RIGHT_LUNG),
            opaque(theme::LEFT_LUNG),
            opaque(theme::MERGED_LUNG),
            opaque(theme::OVERLAY_PLANE),
            [red, green, blue, 0.0].map(f32::to_bits),
        ];
        let mut words = [0; WORDS];
        words.copy_from_slice(vectors.as_flattened());
        words
    }
}
