//! A drawing of lines, areas and text that becomes SVG or PNG: one description, two forms. Knows no charts.

use std::fmt::Write;

use image::{ExtendedColorType, Rgb, RgbImage};

use crate::markup::escaped;

use super::text::{Text, blend};
use super::{Error, png};

/// Pixels of the PNG for one unit of the drawing: sharp on paper, too.
const SCALE: f64 = 2.0;
/// Lengths of a dash and of the gap after it.
const DASH: (f64, f64) = (6.0, 4.0);

/// Where a text's anchor lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, PartialEq)]
enum Item {
    Line {
        points: Vec<(f64, f64)>,
        colour: Rgb<u8>,
        width: f64,
        dashed: bool,
    },
    Area {
        corner: (f64, f64),
        size: (f64, f64),
        colour: Rgb<u8>,
    },
    Text {
        at: (f64, f64),
        text: String,
        size: f64,
        anchor: Anchor,
        colour: Rgb<u8>,
    },
}

impl Item {
    /// The same further right and down.
    fn moved(mut self, (right, down): (f64, f64)) -> Self {
        let shift = |(x, y): &mut (f64, f64)| {
            *x += right;
            *y += down;
        };
        match &mut self {
            Self::Line { points, .. } => points.iter_mut().for_each(shift),
            Self::Area { corner, .. } => shift(corner),
            Self::Text { at, .. } => shift(at),
        }
        self
    }
}

/// A drawing on white paper; x goes right, y down.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    width: u32,
    height: u32,
    items: Vec<Item>,
}

impl Drawing {
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            items: Vec::new(),
        }
    }

    /// Drawings in rows on one sheet, each with a place as large as the largest.
    pub(super) fn sheet(rows: Vec<Vec<Self>>) -> Self {
        let sizes = || rows.iter().flatten().map(Self::size);
        let width = sizes().map(|(width, _)| width).max().unwrap_or(0);
        let height = sizes().map(|(_, height)| height).max().unwrap_or(0);
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut sheet = Self::new(width * columns as u32, height * rows.len() as u32);
        for (row, drawings) in rows.into_iter().enumerate() {
            for (column, drawing) in drawings.into_iter().enumerate() {
                let corner = (f64::from(width) * column as f64, f64::from(height) * row as f64);
                sheet
                    .items
                    .extend(drawing.items.into_iter().map(|item| item.moved(corner)));
            }
        }
        sheet
    }

    pub(super) fn line(&mut self, points: Vec<(f64, f64)>, colour: Rgb<u8>, width: f64, dashed: bool) {
        self.items.push(Item::Line {
            points,
            colour,
            width,
            dashed,
        });
    }

    pub(super) fn area(&mut self, corner: (f64, f64), size: (f64, f64), colour: Rgb<u8>) {
        self.items.push(Item::Area { corner, size, colour });
    }

    /// A line of text; `at` is its anchor on the base line.
    pub(super) fn text(&mut self, at: (f64, f64), text: &str, size: f64, anchor: Anchor, colour: Rgb<u8>) {
        self.items.push(Item::Text {
            at,
            text: text.to_owned(),
            size,
            anchor,
            colour,
        });
    }

    /// Width and height in units.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The drawing as an SVG file.
    pub fn svg(&self) -> String {
        let (w, h) = (self.width, self.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"Ubuntu, sans-serif\">\n<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n"
        );
        for item in &self.items {
            // Writing to a string cannot fail.
            let _ = writeln!(svg, "{}", element(item));
        }
        svg + "</svg>\n"
    }

    /// The drawing as a PNG file, two pixels a unit.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let (width, height) = (self.width * SCALE as u32, self.height * SCALE as u32);
        let mut picture = RgbImage::from_pixel(width, height, Rgb([255; 3]));
        for item in &self.items {
            paint(&mut picture, item);
        }
        png(picture.as_raw(), width, height, ExtendedColorType::Rgb8)
    }
}

fn hex(Rgb([r, g, b]): Rgb<u8>) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn element(item: &Item) -> String {
    match item {
        Item::Line {
            points,
            colour,
            width,
            dashed,
        } => {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.2},{y:.2}")).collect();
            let dashes = if *dashed {
                format!(" stroke-dasharray=\"{} {}\"", DASH.0, DASH.1)
            } else {
                String::new()
            };
            format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\"{dashes}/>",
                points.join(" "),
                hex(*colour)
            )
        }
        Item::Area {
            corner: (x, y),
            size: (w, h),
            colour,
        } => format!(
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{w:.2}\" height=\"{h:.2}\" fill=\"{}\"/>",
            hex(*colour)
        ),
        Item::Text {
            at: (x, y),
            text,
            size,
            anchor,
            colour,
        } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            format!(
                "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
                hex(*colour),
                escaped(text)
            )
        }
    }
}

fn paint(picture: &mut RgbImage, item: &Item) {
    match item {
        Item::Line {
            points,
            colour,
            width,
            dashed,
        } => {
            let dashes = if *dashed { dashes(points) } else { vec![points.clone()] };
            for points in dashes {
                paint_line(picture, &points, *colour, width * SCALE);
            }
        }
        Item::Area {
            corner: (x, y),
            size: (w, h),
            colour,
        } => {
            let edge = |at: f64, last: u32| (at * SCALE).round().clamp(0.0, f64::from(last)) as u32;
            let (width, height) = picture.dimensions();
            for row in edge(*y, height)..edge(y + h, height) {
                for column in edge(*x, width)..edge(x + w, width) {
                    picture.put_pixel(column, row, *colour);
                }
            }
        }
        Item::Text {
            at: (x, y),
            text,
            size,
            anchor,
            colour,
        } => {
            let face = Text::new((size * SCALE) as f32);
            let width = f64::from(face.width(text));
            let left = x * SCALE
                - match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => width / 2.0,
                    Anchor::End => width,
                };
            let top = y * SCALE - f64::from(face.ascent());
            face.draw(picture, (left.max(0.0) as u32, top.max(0.0) as u32), text, *colour);
        }
    }
}

/// A line as its dashes.
fn dashes(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let (mut dashes, mut current) = (Vec::new(), Vec::new());
    let (mut drawing, mut left) = (true, DASH.0);
    for pair in points.windows(2) {
        let [(mut x, mut y), (end_x, end_y)] = [pair[0], pair[1]];
        if drawing && current.is_empty() {
            current.push((x, y));
        }
        loop {
            let rest = (end_x - x).hypot(end_y - y);
            if rest <= left {
                left -= rest;
                if drawing {
                    current.push((end_x, end_y));
                }
                break;
            }
            (x, y) = (x + (end_x - x) * left / rest, y + (end_y - y) * left / rest);
            if drawing {
                current.push((x, y));
                dashes.push(std::mem::take(&mut current));
            } else {
                current.push((x, y));
            }
            drawing = !drawing;
            left = if drawing { DASH.0 } else { DASH.1 };
        }
    }
    dashes.push(current);
    dashes.retain(|dash| dash.len() > 1);
    dashes
}

/// A line with round joints, anti-aliased: a pixel is covered as far as its centre lies inside.
fn paint_line(picture: &mut RgbImage, points: &[(f64, f64)], colour: Rgb<u8>, width: f64) {
    let scaled: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x * SCALE, y * SCALE)).collect();
    let (columns, rows) = picture.dimensions();
    // The largest coverage of all segments, so that joints are not painted twice.
    let mut coverage = std::collections::BTreeMap::new();
    let reach = width / 2.0 + 1.0;
    for pair in scaled.windows(2) {
        let [a, b] = [pair[0], pair[1]];
        let span = |low: f64, high: f64, last: u32| {
            let first = (low - reach).floor().clamp(0.0, f64::from(last)) as u32;
            first..(high + reach).ceil().clamp(0.0, f64::from(last)) as u32
        };
        for y in span(a.1.min(b.1), a.1.max(b.1), rows) {
            for x in span(a.0.min(b.0), a.0.max(b.0), columns) {
                let distance = distance((f64::from(x) + 0.5, f64::from(y) + 0.5), a, b);
                let share = (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0) as f32;
                if share > 0.0 {
                    let most = coverage.entry((x, y)).or_insert(0.0_f32);
                    *most = most.max(share);
                }
            }
        }
    }
    for ((x, y), share) in coverage {
        blend(picture, (i64::from(x), i64::from(y)), colour, share);
    }
}

/// Distance of a point from a segment.
fn distance(point: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let squared = dx * dx + dy * dy;
    let along = if squared > 0.0 {
        (((point.0 - a.0) * dx + (point.1 - a.1) * dy) / squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (point.0 - a.0 - along * dx).hypot(point.1 - a.1 - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashed_line_has_gaps_and_keeps_its_length() {
        let parts = dashes(&[(0.0, 0.0), (15.0, 0.0), (15.0, 15.0)]);
        let length =
            |part: &Vec<(f64, f64)>| -> f64 { part.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).sum() };
        assert_eq!(parts.len(), 3);
        assert!(
            parts.iter().all(|part| (length(part) - DASH.0).abs() < 1e-9),
            "{parts:?}"
        );
    }

    #[test]
    fn what_is_no_letter_of_svg_is_escaped() {
        let mut drawing = Drawing::new(10, 10);
        drawing.text((0.0, 5.0), "a<b & \"c\"\u{7}", 4.0, Anchor::Start, Rgb([0; 3]));
        assert!(drawing.svg().contains(">a&lt;b &amp; &quot;c&quot;</text>"));
    }

    #[test]
    fn a_line_is_painted_where_it_lies() {
        let mut drawing = Drawing::new(20, 10);
        drawing.line(vec![(2.0, 5.0), (18.0, 5.0)], Rgb([0; 3]), 2.0, false);
        let picture = image::load_from_memory(&drawing.png().unwrap()).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (40, 20));
        assert_eq!(picture.get_pixel(20, 10).0, [0; 3]);
        assert_eq!(picture.get_pixel(20, 3).0, [255; 3]);
    }
}
