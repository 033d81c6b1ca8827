//! Curves and bars on axes, with a legend and the sentence that belongs on everything.

use image::Rgb;

use super::NOTICE;
use super::drawing::{Anchor, Drawing};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 520;
/// Where the plot lies: left, top, right, bottom.
const PLOT: [f64; 4] = [70.0, 70.0, 610.0, 420.0];
const TITLE_SIZE: f64 = 17.0;
const TEXT_SIZE: f64 = 13.0;
const INK: Rgb<u8> = Rgb([20, 22, 25]);
const MUTED: Rgb<u8> = Rgb([110, 116, 124]);
const GRID: Rgb<u8> = Rgb([225, 228, 232]);
/// Colours that colour-blind readers tell apart (Okabe and Ito 2008).
const COLOURS: [Rgb<u8>; 6] = [
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([230, 159, 0]),
    Rgb([86, 180, 233]),
];
/// Ticks on an axis, both ends included.
const TICKS: usize = 6;

/// A curve of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend; empty for none.
    pub name: String,
    /// In the axes' units.
    pub points: Vec<[f64; 2]>,
    /// Whether it is for comparison: grey and dashed.
    pub reference: bool,
}

/// Some curves on two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// What the axes are: horizontal, vertical.
    pub axes: [String; 2],
    /// Lowest and highest value of each; `None` fits them to the curves.
    pub ranges: [Option<[f64; 2]>; 2],
    /// The curves.
    pub series: Vec<Series>,
    /// Areas from 0 up behind the curves: left, right, height, in the axes' units.
    pub bars: Vec<[f64; 3]>,
    /// Intervals across the bars: horizontal place, lowest and highest value.
    pub intervals: Vec<[f64; 3]>,
    /// What stands, in two lines, below equally wide slots of the horizontal axis instead of its numbers.
    pub slots: Vec<[String; 2]>,
    /// Sentences below it.
    pub notes: Vec<String>,
}

impl Chart {
    /// A chart of a title, two axes from 0 to 1 and nothing on them.
    pub fn unit(title: &str, horizontal: &str, vertical: &str) -> Self {
        Self {
            title: title.to_owned(),
            axes: [horizontal.to_owned(), vertical.to_owned()],
            ranges: [Some([0.0, 1.0]); 2],
            series: Vec::new(),
            bars: Vec::new(),
            intervals: Vec::new(),
            slots: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A chart whose axes fit its curves.
    pub fn fitted(title: &str, horizontal: &str, vertical: &str, series: Vec<Series>) -> Self {
        Self {
            ranges: [None; 2],
            series,
            ..Self::unit(title, horizontal, vertical)
        }
    }

    /// Draws it.
    pub fn draw(&self) -> Drawing {
        let mut drawing = Drawing::new(WIDTH, HEIGHT);
        let ranges = [self.range(0), self.range(1)];
        let [left, top, right, bottom] = PLOT;
        let place = |[x, y]: [f64; 2]| {
            let share = |value: f64, [low, high]: [f64; 2]| ((value - low) / (high - low)).clamp(0.0, 1.0);
            (
                left + (right - left) * share(x, ranges[0]),
                bottom - (bottom - top) * share(y, ranges[1]),
            )
        };
        drawing.text((left, 28.0), &self.title, TITLE_SIZE, Anchor::Start, INK);
        self.draw_grid(&mut drawing, ranges, &place);
        for &[from, to, height] in &self.bars {
            let (corner, end) = (place([from, height]), place([to, ranges[1][0]]));
            let size = (end.0 - corner.0 - 1.0, end.1 - corner.1);
            drawing.area(corner, size, Rgb([188, 212, 232]));
        }
        for &[x, low, high] in &self.intervals {
            drawing.line(vec![place([x, low]), place([x, high])], INK, 2.0, false);
        }
        let finite = |point: &&[f64; 2]| point.iter().all(|value| value.is_finite());
        for (number, series) in self.series.iter().enumerate() {
            let points = series.points.iter().filter(finite).map(|point| place(*point)).collect();
            let (colour, width) = if series.reference {
                (MUTED, 1.0)
            } else {
                (colour(number), 2.0)
            };
            drawing.line(points, colour, width, series.reference);
        }
        self.draw_legend(&mut drawing);
        draw_notes(&mut drawing, &self.notes);
        drawing
    }

    /// The range of an axis; a little wide where it is fitted, never empty.
    fn range(&self, axis: usize) -> [f64; 2] {
        let fitted = || {
            let curves = self
                .series
                .iter()
                .flat_map(|series| &series.points)
                .map(|point| point[axis]);
            let bars = self
                .bars
                .iter()
                .flat_map(|bar| if axis == 0 { [bar[0], bar[1]] } else { [0.0, bar[2]] });
            let finite = curves.chain(bars).filter(|value| value.is_finite());
            let [low, high] = finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
                [low.min(value), high.max(value)]
            });
            if low > high { [0.0, 1.0] } else { [low, high] }
        };
        match self.ranges[axis].unwrap_or_else(fitted) {
            [low, high] if high > low => [low, high],
            [low, _] => [low - 0.5, low + 0.5],
        }
    }

    fn draw_grid(&self, drawing: &mut Drawing, ranges: [[f64; 2]; 2], place: &impl Fn([f64; 2]) -> (f64, f64)) {
        let [left, top, right, bottom] = PLOT;
        for tick in 0..TICKS {
            let at = |[low, high]: [f64; 2]| low + (high - low) * tick as f64 / (TICKS - 1) as f64;
            let (x, y) = (at(ranges[0]), at(ranges[1]));
            let (column, row) = place([x, y]);
            drawing.line(vec![(left, row), (right, row)], GRID, 1.0, false);
            if self.slots.is_empty() {
                drawing.line(vec![(column, top), (column, bottom)], GRID, 1.0, false);
                let text = number(x, ranges[0]);
                drawing.text((column, bottom + 18.0), &text, TEXT_SIZE, Anchor::Middle, MUTED);
            }
            drawing.text(
                (left - 8.0, row + 4.0),
                &number(y, ranges[1]),
                TEXT_SIZE,
                Anchor::End,
                MUTED,
            );
        }
        let slot = (right - left) / self.slots.len().max(1) as f64;
        for (place, [name, figure]) in self.slots.iter().enumerate() {
            let middle = left + slot * (place as f64 + 0.5);
            drawing.text((middle, bottom + 18.0), name, TEXT_SIZE, Anchor::Middle, INK);
            drawing.text((middle, bottom + 34.0), figure, TEXT_SIZE - 1.0, Anchor::Middle, MUTED);
        }
        drawing.line(vec![(left, top), (left, bottom), (right, bottom)], INK, 1.0, false);
        let middle = f64::midpoint(left, right);
        drawing.text((middle, bottom + 38.0), &self.axes[0], TEXT_SIZE, Anchor::Middle, INK);
        drawing.text((left - 50.0, top - 12.0), &self.axes[1], TEXT_SIZE, Anchor::Start, INK);
    }

    fn draw_legend(&self, drawing: &mut Drawing) {
        let [_, top, right, _] = PLOT;
        let mut y = top - 34.0;
        for (number, series) in self
            .series
            .iter()
            .enumerate()
            .filter(|(_, series)| !series.name.is_empty())
        {
            let (colour, width) = if series.reference {
                (MUTED, 1.0)
            } else {
                (colour(number), 2.0)
            };
            drawing.line(
                vec![(right - 20.0, y - 4.0), (right, y - 4.0)],
                colour,
                width,
                series.reference,
            );
            drawing.text((right - 26.0, y), &series.name, TEXT_SIZE, Anchor::End, INK);
            y += 16.0;
        }
    }
}

/// Sentences below a drawing, and [`NOTICE`].
fn draw_notes(drawing: &mut Drawing, notes: &[String]) {
    let (_, height) = drawing.size();
    let notice = format!("{NOTICE}.");
    let lines: Vec<&str> = notes.iter().map(String::as_str).chain([notice.as_str()]).collect();
    let first = f64::from(height) - 10.0 - 16.0 * (lines.len() - 1) as f64;
    for (i, line) in lines.into_iter().enumerate() {
        drawing.text(
            (20.0, first + 16.0 * i as f64),
            line,
            TEXT_SIZE - 1.0,
            Anchor::Start,
            MUTED,
        );
    }
}

fn colour(number: usize) -> Rgb<u8> {
    COLOURS[number % COLOURS.len()]
}

/// A tick's number: as many digits as its axis needs.
fn number(value: f64, [low, high]: [f64; 2]) -> String {
    let span = (high - low).abs();
    let digits = (1.0 - span.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        "0".to_owned()
    } else {
        text
    }
}

/// A table of counts in cells, shaded by their share of their row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Above it.
    pub title: String,
    /// What the rows are, and what the columns are.
    pub axes: [String; 2],
    /// Names of rows and of columns.
    pub names: [Vec<String>; 2],
    /// Row by row.
    pub counts: Vec<Vec<u64>>,
    /// Sentences below it.
    pub notes: Vec<String>,
}

impl Matrix {
    /// Draws it.
    pub fn draw(&self) -> Drawing {
        let mut drawing = Drawing::new(WIDTH, HEIGHT);
        let (left, top, right, bottom) = (170.0, 90.0, 610.0, 420.0);
        drawing.text((20.0, 28.0), &self.title, TITLE_SIZE, Anchor::Start, INK);
        let columns = self.counts.iter().map(Vec::len).max().unwrap_or(1).max(1);
        let cell = (
            (right - left) / columns as f64,
            (bottom - top) / self.counts.len().max(1) as f64,
        );
        let middle = |column: usize| left + cell.0 * (column as f64 + 0.5);
        drawing.text(
            (f64::midpoint(left, right), top - 28.0),
            &self.axes[1],
            TEXT_SIZE,
            Anchor::Middle,
            INK,
        );
        drawing.text((20.0, top - 10.0), &self.axes[0], TEXT_SIZE, Anchor::Start, INK);
        for (column, name) in self.names[1].iter().enumerate() {
            drawing.text((middle(column), top - 10.0), name, TEXT_SIZE, Anchor::Middle, MUTED);
        }
        for (row, counts) in self.counts.iter().enumerate() {
            let y = top + cell.1 * row as f64;
            let name = self.names[0].get(row).map_or("", String::as_str);
            let base = y + cell.1 / 2.0;
            drawing.text((left - 12.0, base), name, TEXT_SIZE, Anchor::End, MUTED);
            let total: u64 = counts.iter().sum();
            for (column, &count) in counts.iter().enumerate() {
                let share = if total > 0 { count as f64 / total as f64 } else { 0.0 };
                let corner = (left + cell.0 * column as f64 + 1.0, y + 1.0);
                drawing.area(corner, (cell.0 - 2.0, cell.1 - 2.0), shade(share));
                let ink = if share > 0.6 { Rgb([255; 3]) } else { INK };
                drawing.text((middle(column), base), &count.to_string(), 26.0, Anchor::Middle, ink);
                let percent = format!("{:.1} %", 100.0 * share);
                drawing.text((middle(column), base + 22.0), &percent, TEXT_SIZE, Anchor::Middle, ink);
            }
        }
        draw_notes(&mut drawing, &self.notes);
        drawing
    }
}

/// White to the first colour.
fn shade(share: f64) -> Rgb<u8> {
    let Rgb(full) = COLOURS[0];
    Rgb(full.map(|channel| (255.0 + (f64::from(channel) - 255.0) * (0.06 + 0.94 * share)).round() as u8))
}
