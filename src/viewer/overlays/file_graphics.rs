//! What a file itself draws on its picture: overlay planes and a shutter, as the shader wants them. Where findings
//! are drawn is another matter: they lie over both.

use crate::imaging::{OverlayPlane, Radiograph};
use crate::viewer::picture::level_size;

/// An overlay plane sets this pixel.
const PLANE: u8 = 1;
/// The shutter hides this pixel.
const HIDDEN: u8 = 2;

/// Overlay planes and shutter of one picture, in its pixels.
#[derive(Debug, Clone)]
pub struct FileGraphics {
    /// Levels as the picture has them, row-major: bit 0 where a plane sets any pixel that a texel covers, bit 1
    /// where the shutter hides a pixel (first level only).
    pub levels: Vec<Vec<u8>>,
    /// Whether a plane sets any pixel of the picture.
    pub has_planes: bool,
    /// What the file calls the planes that are drawn, in its order.
    pub plane_names: Vec<String>,
    /// Red, green and blue (0 to 1) of what is hidden, if anything is.
    pub shutter: Option<[f32; 3]>,
}

/// Which of them are shown; the user's choice for every picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphicsSettings {
    /// Overlay planes.
    pub planes: bool,
    /// Shutters.
    pub shutter: bool,
}

impl Default for GraphicsSettings {
    fn default() -> Self {
        Self {
            planes: true,
            shutter: true,
        }
    }
}

impl FileGraphics {
    /// Makes what the file draws ready for `level_count` levels; `None` if it draws nothing on the picture.
    pub fn new(radiograph: &Radiograph, level_count: u32) -> Option<Self> {
        let size = [radiograph.width, radiograph.height];
        let shutter = radiograph.shutter.as_ref();
        let mut pixels = radiograph.hidden_by_shutter().unwrap_or_default();
        for pixel in &mut pixels {
            *pixel *= HIDDEN;
        }
        let hides = pixels.contains(&HIDDEN);
        if !hides && drawn_planes(radiograph).next().is_none() {
            return None;
        }
        pixels.resize(radiograph.pixel_count(), 0);
        // One that sets no pixel of the picture is not drawn.
        let planes = drawn_planes(radiograph).filter(|plane| plane.mark(size, &mut pixels, PLANE));
        let planes: Vec<&OverlayPlane> = planes.collect();
        let has_planes = !planes.is_empty();
        if !hides && !has_planes {
            return None;
        }
        let mut levels = vec![pixels];
        for level in 1..level_count {
            let above = &levels[levels.len() - 1];
            levels.push(halved(above, level_size(size, level - 1), level_size(size, level)));
        }
        Some(Self {
            levels,
            has_planes,
            plane_names: planes.into_iter().filter_map(OverlayPlane::name).collect(),
            shutter: shutter.filter(|_| hides).map(crate::imaging::Shutter::colour),
        })
    }
}

/// The planes that are drawn as such: all but the bitmap of a shutter.
pub fn drawn_planes(radiograph: &Radiograph) -> impl Iterator<Item = &OverlayPlane> {
    let shutter = radiograph.shutter.as_ref();
    let planes = radiograph.overlay_planes.iter();
    planes.filter(move |plane| !shutter.is_some_and(|shutter| shutter.takes(plane)))
}

/// The next smaller level: a texel is set if any of those it covers is, so that thin lines stay whole. The last one
/// covers an odd row or column as well.
fn halved(above: &[u8], [width, height]: [u32; 2], below: [u32; 2]) -> Vec<u8> {
    let covered = |at: u32, count: u32, side: u32| {
        let end = if at + 1 == count { side } else { 2 * at + 2 };
        2 * at..end
    };
    let texel = |column: u32, row: u32| {
        let rows = covered(row, below[1], height);
        let columns = covered(column, below[0], width);
        let mut texels = rows.flat_map(|y| columns.clone().map(move |x| y as usize * width as usize + x as usize));
        u8::from(texels.any(|at| above[at] & PLANE != 0))
    };
    (0..below[1])
        .flat_map(|row| (0..below[0]).map(move |column| texel(column, row)))
        .collect()
}
