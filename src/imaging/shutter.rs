//! Display shutters: what of a picture the sender wants hidden (DICOM PS3.3 C.7.6.11, C.7.6.15). They act on the
//! screen alone: display values, exports and networks see the whole picture.

use rayon::prelude::*;

use super::overlay::OverlayPlane;

/// One shape of Shutter Shape (0018,1600). Rows and columns count from 1 and may lie outside the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShutterShape {
    /// Shows what lies on and between four edges.
    Rectangular {
        /// First column shown.
        left: i32,
        /// Last column shown.
        right: i32,
        /// First row shown.
        upper: i32,
        /// Last row shown.
        lower: i32,
    },
    /// Shows a disc.
    Circular {
        /// Row and column of its middle.
        center: [i32; 2],
        /// In pixels along a row: an ellipse of pixels where these are not square.
        radius: i32,
    },
    /// Shows what lies in or on a polygon.
    Polygonal {
        /// Row and column of each vertex, at least three; the last is joined to the first.
        vertices: Vec<[i32; 2]>,
    },
    /// Hides what an overlay plane sets.
    Bitmap {
        /// The plane's group.
        group: u16,
    },
}

/// The shutter of a picture: a pixel that any of the shapes hides is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutter {
    /// At least one.
    pub shapes: Vec<ShutterShape>,
    /// Shutter Presentation Value (0018,1622): the grey in place of what is hidden, 65535 = white, whatever the
    /// window; 0 where the file says none.
    pub value: u16,
    /// Shutter Presentation Color `CIELab` Value (0018,1624), which goes before the grey on a screen with colours.
    pub cielab: Option<[u16; 3]>,
}

/// Inclusive columns, counted from 1.
type Span = (i64, i64);

impl Shutter {
    /// A byte for each pixel of a picture of `size` (columns, rows), row-major: 1 where it is hidden.
    ///
    /// `aspect` is the height of a pixel over its width; `planes` are the picture's, for a bitmap.
    pub fn hidden(&self, size: [u32; 2], aspect: f64, planes: &[OverlayPlane]) -> Vec<u8> {
        let [width, height] = size.map(|side| side as usize);
        let mut hidden = vec![0; width * height];
        for shape in &self.shapes {
            if let ShutterShape::Bitmap { group } = shape {
                let planes = planes.iter().filter(|plane| plane.group == *group);
                planes.for_each(|plane| {
                    plane.mark(size, &mut hidden, 1);
                });
                continue;
            }
            let rows = hidden.par_chunks_mut(width.max(1)).enumerate();
            rows.for_each(|(above, pixels)| hide_outside(&shape.shown(above as i64 + 1, aspect), pixels));
        }
        hidden
    }

    /// Whether this overlay plane is a shutter's bitmap, which is not drawn as well.
    pub fn takes(&self, plane: &OverlayPlane) -> bool {
        let bitmap = ShutterShape::Bitmap { group: plane.group };
        self.shapes.contains(&bitmap)
    }

    /// Red, green and blue (sRGB, 0 to 1) in place of what is hidden.
    pub fn colour(&self) -> [f32; 3] {
        match self.cielab {
            Some(values) => srgb_from_cielab(values),
            None => [f32::from(self.value) / f32::from(u16::MAX); 3],
        }
    }
}

/// Sets the pixels of a row that lie in none of the spans.
fn hide_outside(shown: &[Span], pixels: &mut [u8]) {
    let last = pixels.len() as i64;
    let mut column = 1;
    // Spans are in order of their first column, and may overlap.
    for &(from, to) in shown {
        while column < from.min(last + 1) {
            pixels[column as usize - 1] = 1;
            column += 1;
        }
        column = column.max(to.saturating_add(1));
    }
    while column <= last {
        pixels[column as usize - 1] = 1;
        column += 1;
    }
}

impl ShutterShape {
    /// What a shape without a bitmap shows of a row, counted from 1; in order of the first column.
    fn shown(&self, row: i64, aspect: f64) -> Vec<Span> {
        match self {
            Self::Rectangular {
                left,
                right,
                upper,
                lower,
            } => {
                let in_rows = (i64::from(*upper)..=i64::from(*lower)).contains(&row);
                if in_rows && left <= right {
                    vec![(i64::from(*left), i64::from(*right))]
                } else {
                    Vec::new()
                }
            }
            Self::Circular { center, radius } => {
                let away = (row - i64::from(center[0])) as f64 * aspect;
                let half = (f64::from(*radius).powi(2) - away.powi(2)).sqrt();
                if half.is_nan() {
                    return Vec::new();
                }
                let middle = i64::from(center[1]);
                vec![(middle - half as i64, middle + half as i64)]
            }
            Self::Polygonal { vertices } => polygon_row(vertices, row),
            Self::Bitmap { .. } => Vec::new(),
        }
    }
}

/// Pixels of a row whose centres lie in a polygon by the even-odd rule, or on its outline.
fn polygon_row(vertices: &[[i32; 2]], row: i64) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut crossings = Vec::new();
    let ends = vertices.iter().skip(1).chain(vertices.first());
    for (from, to) in vertices.iter().zip(ends) {
        let [[y0, x0], [y1, x1]] = [from, to].map(|vertex| vertex.map(i64::from));
        if !(y0.min(y1)..=y0.max(y1)).contains(&row) {
            continue;
        }
        if y0 == y1 {
            spans.push((x0.min(x1), x0.max(x1)));
            continue;
        }
        // In whole numbers, so that what lies on the outline is found exactly.
        let (rise, run) = ((row - y0) * (x1 - x0), y1 - y0);
        if rise % run == 0 {
            let on = x0 + rise / run;
            spans.push((on, on));
        }
        // An edge counts without its lower end: else a vertex would be crossed twice.
        if row < y0.max(y1) {
            crossings.push(x0 as f64 + rise as f64 / run as f64);
        }
    }
    crossings.sort_by(f64::total_cmp);
    let inside = crossings.as_chunks::<2>().0.iter();
    spans.extend(inside.map(|&[from, to]| (from.ceil() as i64, to.floor() as i64)));
    spans.retain(|(from, to)| from <= to);
    spans.sort_unstable();
    spans
}

/// A colour of the profile connection space (`CIELab` under D50, 16 bits a channel, PS3.3 C.10.7.1.1) in sRGB.
fn srgb_from_cielab(values: [u16; 3]) -> [f32; 3] {
    let [lightness, a, b] = values.map(|value| f64::from(value) / f64::from(u16::MAX));
    let fy = (lightness * 100.0 + 16.0) / 116.0;
    let fx = fy + (a * 255.0 - 128.0) / 500.0;
    let fz = fy - (b * 255.0 - 128.0) / 200.0;
    let part = |f: f64| {
        let cube = f.powi(3);
        if cube > 216.0 / 24389.0 {
            cube
        } else {
            (116.0 * f - 16.0) * 27.0 / 24389.0
        }
    };
    let [x, y, z] = [0.96422 * part(fx), part(fy), 0.82521 * part(fz)];
    // From XYZ under D50 to linear sRGB under D65, adapted after Bradford.
    let linear = [
        3.133_856_1 * x - 1.616_866_7 * y - 0.490_614_6 * z,
        -0.978_768_4 * x + 1.916_141_5 * y + 0.033_454_0 * z,
        0.071_945_3 * x - 0.228_991_4 * y + 1.405_242_7 * z,
    ];
    linear.map(|light| {
        let light = light.clamp(0.0, 1.0);
        let gamma = if light <= 0.003_130_8 {
            light * 12.92
        } else {
            1.055 * light.powf(1.0 / 2.4) - 0.055
        };
        gamma as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(shape: ShutterShape, size: [u32; 2], aspect: f64) -> Vec<String> {
        let shutter = Shutter {
            shapes: vec![shape],
            value: 0,
            cielab: None,
        };
        let hidden = shutter.hidden(size, aspect, &[]);
        let row = |pixels: &[u8]| {
            pixels
                .iter()
                .map(|&hidden| if hidden == 1 { '#' } else { '.' })
                .collect()
        };
        hidden.chunks(size[0] as usize).map(row).collect()
    }

    #[test]
    fn edges_of_a_rectangle_are_shown() {
        let shape = |left, right, upper, lower| ShutterShape::Rectangular {
            left,
            right,
            upper,
            lower,
        };
        assert_eq!(rows(shape(2, 3, 2, 2), [4, 3], 1.0), ["####", "#..#", "####"]);
        assert_eq!(rows(shape(-5, 2, 0, 90), [4, 2], 1.0), ["..##", "..##"]);
        assert_eq!(rows(shape(3, 2, 1, 2), [3, 2], 1.0), ["###", "###"]);
        assert_eq!(rows(shape(9, 12, 1, 2), [3, 2], 1.0), ["###", "###"]);
    }

    #[test]
    fn a_circle_is_round_on_the_screen() {
        let shape = || ShutterShape::Circular {
            center: [3, 3],
            radius: 2,
        };
        let expected = ["##.##", "#...#", ".....", "#...#", "##.##"];
        assert_eq!(rows(shape(), [5, 5], 1.0), expected);
        // Pixels twice as high as wide: as many columns, half as many rows.
        assert_eq!(
            rows(shape(), [5, 5], 2.0),
            ["#####", "##.##", ".....", "##.##", "#####"]
        );
    }

    #[test]
    fn a_polygon_shows_its_inside_and_its_outline() {
        let polygon = |vertices: &[[i32; 2]]| ShutterShape::Polygonal {
            vertices: vertices.to_vec(),
        };
        let triangle = polygon(&[[1, 3], [3, 1], [3, 5]]);
        assert_eq!(rows(triangle, [6, 4], 1.0), ["##.###", "#...##", ".....#", "######"]);
        // A notch from below; vertices outside the picture.
        let notched = polygon(&[[0, 0], [0, 6], [4, 6], [2, 3], [4, 0]]);
        assert_eq!(rows(notched, [5, 4], 1.0), [".....", ".....", ".###.", "#####"]);
    }

    #[test]
    fn greys_and_colours_stand_in_place_of_what_is_hidden() {
        let shutter = |value, cielab| Shutter {
            shapes: Vec::new(),
            value,
            cielab,
        };
        assert_eq!(shutter(0, None).colour(), [0.0; 3]);
        assert_eq!(shutter(u16::MAX, None).colour(), [1.0; 3]);
        let close = |cielab: [u16; 3], expected: [f32; 3]| {
            let found = shutter(0, Some(cielab)).colour();
            let far = found.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 0.01);
            assert!(!far, "{found:?} against {expected:?}");
        };
        let neutral = (128.0 / 255.0 * 65535.0_f64).round() as u16;
        close([u16::MAX, neutral, neutral], [1.0; 3]);
        close([0, neutral, neutral], [0.0; 3]);
        // sRGB red is (54.29, 80.80, 69.89) under D50.
        let scaled = |value: f64| ((value + 128.0) / 255.0 * 65535.0).round() as u16;
        let lightness = (54.29 / 100.0 * 65535.0_f64).round() as u16;
        close([lightness, scaled(80.80), scaled(69.89)], [1.0, 0.0, 0.0]);
    }
}
