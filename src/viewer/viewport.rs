//! Where the picture lies on the screen: positions in image pixels to ui points and back. Knows no drawing.
//!
//! Spaces: image (continuous pixels, the centre of the first pixel is (0.5, 0.5)), px (physical pixels of the
//! window), ui (points, px over the scale factor).

use egui::{Pos2, Rect, Vec2, pos2};

use super::turn::Turn;

/// Smallest and largest zoom, in physical pixels per image pixel.
pub const ZOOM_RANGE: (f64, f64) = (0.02, 64.0);

/// How the picture is placed; survives a change of the window's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Placement {
    /// The whole picture, as large as it fits.
    Fit,
    /// At a zoom, with a point of the picture in the middle of the viewport.
    At {
        /// Physical pixels per image column.
        zoom: f64,
        /// Image position in the middle of the viewport, (x, y).
        center: [f64; 2],
    },
}

/// The picture's size, and the shape of its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureShape {
    /// Columns and rows.
    pub size: [u32; 2],
    /// Height of a pixel over its width: 1 unless the spacings of rows and columns differ.
    pub aspect: f64,
    /// How it lies on the screen.
    pub turn: Turn,
}

impl PictureShape {
    fn sides(&self) -> [f64; 2] {
        self.size.map(f64::from)
    }
}

/// The part of the window that shows the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Screen {
    /// In ui points.
    pub rect: Rect,
    /// Physical pixels per ui point.
    pub pixels_per_point: f32,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            rect: Rect::from_min_size(Pos2::ZERO, Vec2::splat(1.0)),
            pixels_per_point: 1.0,
        }
    }
}

impl Screen {
    fn size_px(&self) -> [f64; 2] {
        let size = self.rect.size() * self.pixels_per_point;
        [f64::from(size.x).max(1.0), f64::from(size.y).max(1.0)]
    }

    fn center_px(&self) -> [f64; 2] {
        let center = self.rect.center();
        [
            f64::from(center.x * self.pixels_per_point),
            f64::from(center.y * self.pixels_per_point),
        ]
    }
}

/// Placement resolved for one screen: the map between image and ui.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageTransform {
    /// Physical pixels per image pixel, along the picture's (x, y).
    pub px_per_image: [f64; 2],
    /// Physical position of the upper left corner of the picture on the screen, on a whole pixel, so that at 1:1 the
    /// picture's pixels are the screen's.
    pub origin_px: [f64; 2],
    /// How the picture lies.
    pub turn: Turn,
    /// Columns and rows of the picture.
    pub size: [f64; 2],
    /// Physical pixels per ui point.
    pub pixels_per_point: f64,
}

impl ImageTransform {
    /// Resolves a placement.
    pub fn new(placement: Placement, shape: PictureShape, screen: Screen) -> Self {
        let zoom = zoom(placement, shape, screen);
        let center = match placement {
            Placement::Fit => middle(shape),
            Placement::At { center, .. } => center,
        };
        let px_per_image = [zoom, zoom * shape.aspect];
        let (middle, per_turned) = (screen.center_px(), shape.turn.exchanged(px_per_image));
        let center = shape.turn.apply(center, shape.sides());
        let origin_px = [0, 1].map(|axis| (middle[axis] - center[axis] * per_turned[axis]).round());
        Self {
            px_per_image,
            origin_px,
            turn: shape.turn,
            size: shape.sides(),
            pixels_per_point: f64::from(screen.pixels_per_point),
        }
    }

    /// Ui position of an image position.
    pub fn ui_from_image(&self, image: [f64; 2]) -> Pos2 {
        let (at, per_turned) = (
            self.turn.apply(image, self.size),
            self.turn.exchanged(self.px_per_image),
        );
        let [x, y] = [0, 1].map(|axis| (self.origin_px[axis] + at[axis] * per_turned[axis]) / self.pixels_per_point);
        pos2(x as f32, y as f32)
    }

    /// Image position of a ui position.
    pub fn image_from_ui(&self, ui: Pos2) -> [f64; 2] {
        self.image_from_px([ui.x, ui.y].map(|at| f64::from(at) * self.pixels_per_point))
    }

    /// Image position of a physical position.
    pub fn image_from_px(&self, px: [f64; 2]) -> [f64; 2] {
        let per_turned = self.turn.exchanged(self.px_per_image);
        let at = [0, 1].map(|axis| (px[axis] - self.origin_px[axis]) / per_turned[axis]);
        self.turn.undo(at, self.size)
    }
}

/// Physical pixels per image column that a placement comes to.
pub fn zoom(placement: Placement, shape: PictureShape, screen: Screen) -> f64 {
    match placement {
        Placement::At { zoom, .. } => zoom,
        Placement::Fit => {
            let [width, height] = screen.size_px();
            let [columns, rows] = shape.sides();
            let [wide, high] = shape.turn.exchanged([columns, rows * shape.aspect]);
            let (across, down) = (width / wide, height / high);
            across.min(down).clamp(ZOOM_RANGE.0, ZOOM_RANGE.1)
        }
    }
}

/// The placement after a zoom by `factor` that keeps the image under `anchor` (a ui position) where it is.
pub fn zoomed_about(placement: Placement, shape: PictureShape, screen: Screen, factor: f64, anchor: Pos2) -> Placement {
    let before = ImageTransform::new(placement, shape, screen);
    let fixed = before.image_from_ui(anchor);
    let zoom = (before.px_per_image[0] * factor).clamp(ZOOM_RANGE.0, ZOOM_RANGE.1);
    let anchor_px = [anchor.x, anchor.y].map(|at| f64::from(at * screen.pixels_per_point));
    let middle_px = screen.center_px();
    let away = [0, 1].map(|axis| middle_px[axis] - anchor_px[axis]);
    Placement::At {
        zoom,
        center: inside(moved(fixed, away, zoom, shape), shape),
    }
}

/// The placement after the picture was dragged by `delta` ui points.
pub fn panned(placement: Placement, shape: PictureShape, screen: Screen, delta: Vec2) -> Placement {
    let zoom = zoom(placement, shape, screen);
    let center = match placement {
        Placement::Fit => middle(shape),
        Placement::At { center, .. } => center,
    };
    let back = [-delta.x, -delta.y].map(|by| f64::from(by * screen.pixels_per_point));
    Placement::At {
        zoom,
        center: inside(moved(center, back, zoom, shape), shape),
    }
}

/// The image position that lies so many physical pixels from another on the screen.
fn moved(from: [f64; 2], by_px: [f64; 2], zoom: f64, shape: PictureShape) -> [f64; 2] {
    let per_turned = shape.turn.exchanged([zoom, zoom * shape.aspect]);
    let at = shape.turn.apply(from, shape.sides());
    let there = [0, 1].map(|axis| at[axis] + by_px[axis] / per_turned[axis]);
    shape.turn.undo(there, shape.sides())
}

/// One image pixel on one physical pixel, about the middle of what is seen.
pub fn one_to_one(placement: Placement, shape: PictureShape) -> Placement {
    let center = match placement {
        Placement::Fit => middle(shape),
        Placement::At { center, .. } => center,
    };
    Placement::At { zoom: 1.0, center }
}

fn middle(shape: PictureShape) -> [f64; 2] {
    shape.size.map(|side| f64::from(side) / 2.0)
}

/// Some of the picture always stays in sight.
fn inside(center: [f64; 2], shape: PictureShape) -> [f64; 2] {
    [0, 1].map(|axis| center[axis].clamp(0.0, f64::from(shape.size[axis])))
}
