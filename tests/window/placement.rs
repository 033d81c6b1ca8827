//! Where the picture lies on the display, and how its pixels there compare with what they should be. Works it out
//! from the viewport's place alone, not with the program's own arithmetic.

use crate::screen::Screenshot;

/// Share of the activation map's maximum from which it is drawn, as the program sets out.
const MAP_THRESHOLD: f64 = 0.15;
/// A difference of one channel that is more than rounding, in levels of 255.
const CLEAR_DIFFERENCE: i32 = 2;
/// Distance of a contour pixel from the mask's edge, in pixels.
const CONTOUR_DISTANCE: i32 = 1;

/// Picture to display, in pixels of both.
#[derive(Debug, Clone)]
pub struct Placement {
    size: (u32, u32),
    viewport: (i32, i32, i32, i32),
    /// Display pixels per picture pixel.
    zoom: f64,
    /// Display position of the picture's upper left corner.
    origin: (f64, f64),
}

impl Placement {
    /// The whole picture, as large as it fits, in the middle.
    pub fn fit(size: (u32, u32), viewport: (i32, i32, i32, i32)) -> Self {
        let across = f64::from(viewport.2) / f64::from(size.0);
        let down = f64::from(viewport.3) / f64::from(size.1);
        Self::centred(size, viewport, across.min(down))
    }

    /// One picture pixel on one display pixel, the middles on each other.
    pub fn one_to_one(size: (u32, u32), viewport: (i32, i32, i32, i32)) -> Self {
        Self::centred(size, viewport, 1.0)
    }

    fn centred(size: (u32, u32), viewport: (i32, i32, i32, i32), zoom: f64) -> Self {
        let (x, y, width, height) = viewport;
        let begin = |from: i32, span: i32, side: u32| {
            (f64::from(from) + f64::from(span) / 2.0 - f64::from(side) / 2.0 * zoom).round()
        };
        Self {
            size,
            viewport,
            zoom,
            origin: (begin(x, width, size.0), begin(y, height, size.1)),
        }
    }

    /// Compares the display with `grey` (0..=255, by column and row of the picture) on a grid.
    ///
    /// Assistive technology rounds the viewport's place to whole pixels, so the picture may begin a pixel away;
    /// returns the placement where it does.
    pub fn compare(
        &self,
        shot: &Screenshot,
        grey: impl Fn(usize, usize) -> f64,
        stride: usize,
        tolerance: f64,
    ) -> Result<Self, String> {
        let shifts = [0.0, -1.0, 1.0];
        let places = shifts.iter().flat_map(|&x| shifts.iter().map(move |&y| (x, y)));
        let results = places.map(|(x, y)| {
            let origin = (self.origin.0 + x, self.origin.1 + y);
            let place = Self { origin, ..self.clone() };
            (place.largest_error(shot, &grey, stride), place)
        });
        let (error, place) = results
            .min_by(|a, b| a.0.0.total_cmp(&b.0.0))
            .expect("there are nine places");
        if error.0 <= tolerance {
            Ok(place)
        } else {
            Err(format!("off by {:.1} levels: {}", error.0, error.1))
        }
    }

    fn largest_error(&self, shot: &Screenshot, grey: &impl Fn(usize, usize) -> f64, stride: usize) -> (f64, String) {
        let mut largest = (-1.0, "nothing was compared".to_owned());
        for (x, y) in self.display_pixels().step_by(stride) {
            let expected = self.blended(x, y, grey);
            let shown = shot.pixel(x, y);
            let error = shown
                .iter()
                .map(|&channel| (f64::from(channel) - expected).abs())
                .fold(0.0, f64::max);
            if error > largest.0 {
                largest = (error, format!("{shown:?} at {x}, {y}, expected {expected:.1}"));
            }
        }
        if largest.0 < 0.0 {
            (f64::MAX, largest.1)
        } else {
            largest
        }
    }

    /// Pixels of the display that lie on the picture and in the viewport, without its outermost rows and columns.
    fn display_pixels(&self) -> impl Iterator<Item = (i32, i32)> {
        let (left, top, width, height) = self.viewport;
        let inside = move |x: i32, y: i32| {
            let (u, v) = self.picture_position(x, y);
            u >= 1.0 && v >= 1.0 && u < f64::from(self.size.0) - 1.0 && v < f64::from(self.size.1) - 1.0
        };
        let rows = top + 2..top + height - 2;
        rows.flat_map(move |y| (left + 2..left + width - 2).map(move |x| (x, y)))
            .filter(move |&(x, y)| inside(x, y))
    }

    /// Picture position of the middle of a display pixel.
    fn picture_position(&self, x: i32, y: i32) -> (f64, f64) {
        let position = |at: i32, origin: f64| (f64::from(at) + 0.5 - origin) / self.zoom;
        (position(x, self.origin.0), position(y, self.origin.1))
    }

    /// Picture pixel under a display pixel.
    pub fn picture_pixel(&self, x: i32, y: i32) -> (u32, u32) {
        let (u, v) = self.picture_position(x, y);
        (u as u32, v as u32)
    }

    /// Blend of the four neighbours' greys, by distance.
    fn blended(&self, x: i32, y: i32, grey: &impl Fn(usize, usize) -> f64) -> f64 {
        let (u, v) = self.picture_position(x, y);
        let (u, v) = (u - 0.5, v - 0.5);
        let (column, row) = (u.floor(), v.floor());
        let (right, down) = (u - column, v - row);
        let (column, row) = (column as usize, row as usize);
        let across = |row: usize| grey(column, row) * (1.0 - right) + grey(column + 1, row) * right;
        across(row) * (1.0 - down) + across(row + 1) * down
    }

    /// The contour runs along the mask's edge within a pixel, without a gap; only at 1:1.
    pub fn compare_contour(
        &self,
        bare: &Screenshot,
        shown: &Screenshot,
        mask: &image::GrayImage,
    ) -> Result<(), String> {
        let (mut on_contour, mut edges) = (0, 0);
        for (x, y) in self.display_pixels() {
            let (column, row) = self.picture_pixel(x, y);
            let inside = mask.get_pixel(column, row).0[0] > 0;
            // The fill is faint, the contour nearly opaque: it alone takes most of the bare pixel away.
            let is_contour = covers(bare.pixel(x, y), shown.pixel(x, y));
            let near = is_near_edge(mask, column, row);
            if is_contour && !near {
                return Err(format!("a contour at {column}, {row}, away from the mask's edge"));
            }
            on_contour += u32::from(is_contour);
            if inside && is_edge(mask, column, row) && !self.is_at_border(x, y) {
                edges += 1;
                let around = (-CONTOUR_DISTANCE..=CONTOUR_DISTANCE)
                    .flat_map(|dy| (-CONTOUR_DISTANCE..=CONTOUR_DISTANCE).map(move |dx| (x + dx, y + dy)));
                if !around
                    .into_iter()
                    .any(|(x, y)| covers(bare.pixel(x, y), shown.pixel(x, y)))
                {
                    return Err(format!("no contour at the mask's edge {column}, {row}"));
                }
            }
        }
        if edges > 100 {
            Ok(())
        } else {
            Err(format!("{edges} edge pixels, {on_contour} of the contour in sight"))
        }
    }

    fn is_at_border(&self, x: i32, y: i32) -> bool {
        let (left, top, width, height) = self.viewport;
        x < left + 4 || y < top + 4 || x >= left + width - 4 || y >= top + height - 4
    }

    /// The map changes pixels from its threshold on and no other; where it is empty, none.
    pub fn compare_map(
        &self,
        bare: &Screenshot,
        shown: &Screenshot,
        map: &image::ImageBuffer<image::Luma<u16>, Vec<u16>>,
    ) -> Result<(), String> {
        let (mut drawn, mut seen) = (0_u32, 0_u32);
        for (x, y) in self.display_pixels() {
            let (column, row) = self.picture_pixel(x, y);
            let share = f64::from(map.get_pixel(column, row).0[0]) / 65535.0;
            let change = difference(bare.pixel(x, y), shown.pixel(x, y));
            if share < MAP_THRESHOLD - 1e-4 && change > CLEAR_DIFFERENCE {
                return Err(format!(
                    "changed at {column}, {row} by {change}, where the map is {share:.3}"
                ));
            }
            if share > MAP_THRESHOLD + 1e-4 {
                drawn += 1;
                seen += u32::from(change > CLEAR_DIFFERENCE);
            }
        }
        // A colour of the map may happen to be the grey under it.
        if seen * 100 >= drawn * 95 {
            Ok(())
        } else {
            Err(format!("{seen} of {drawn} pixels of the map are seen"))
        }
    }

    /// Nothing in the viewport differs.
    pub fn compare_unchanged(&self, before: &Screenshot, after: &Screenshot) -> Result<(), String> {
        let changed = self
            .display_pixels()
            .find(|&(x, y)| before.pixel(x, y) != after.pixel(x, y));
        changed.map_or(Ok(()), |at| Err(format!("changed at {at:?}")))
    }
}

fn difference(a: [u8; 3], b: [u8; 3]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&a, b)| (i32::from(a) - i32::from(b)).abs())
        .max()
        .unwrap_or_default()
}

/// Whether a saturated colour lies over the bare pixel.
fn covers(bare: [u8; 3], shown: [u8; 3]) -> bool {
    let saturation = |pixel: [u8; 3]| {
        pixel.iter().max().map_or(0, |&max| i32::from(max)) - pixel.iter().min().map_or(0, |&min| i32::from(min))
    };
    saturation(shown) > 60 && difference(bare, shown) > 20
}

/// Whether a pixel's neighbour to a side belongs to the other class.
fn is_edge(mask: &image::GrayImage, column: u32, row: u32) -> bool {
    let own = mask.get_pixel(column, row).0[0] > 0;
    [(-1, 0), (1, 0), (0, -1), (0, 1)].iter().any(|&(dx, dy)| {
        let neighbour = (column.checked_add_signed(dx), row.checked_add_signed(dy));
        let (Some(column), Some(row)) = neighbour else {
            return false;
        };
        column < mask.width() && row < mask.height() && (mask.get_pixel(column, row).0[0] > 0) != own
    })
}

fn is_near_edge(mask: &image::GrayImage, column: u32, row: u32) -> bool {
    let distances = -CONTOUR_DISTANCE..=CONTOUR_DISTANCE;
    distances.clone().any(|dy| {
        distances.clone().any(|dx| {
            let at = (column.checked_add_signed(dx), row.checked_add_signed(dy));
            let (Some(column), Some(row)) = at else { return false };
            column < mask.width() && row < mask.height() && is_edge(mask, column, row)
        })
    })
}
