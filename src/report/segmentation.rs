//! The drawing of a segmenter's evaluation: how the figures of its masks are distributed over the images.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::training::evaluation::{MaskMetrics, MaskRecord, Measured, SegmentedImage, SegmenterReport, percentiles};

use super::chart::{Chart, Series};
use super::drawing::Drawing;
use super::evaluation::{weights_on, with_interval};

/// Bars of a histogram.
const BINS: usize = 20;
/// Conventions of masks that are drawn at most: a table may name any number of them.
const MOST_CONVENTIONS: usize = 6;
/// No picture is so large: what is beyond is no distance.
const FARTHEST: f64 = 1e6;
/// An axis has five spaces between its ticks: they are whole where its end is a multiple of this.
const WHOLE: f64 = 5.0;
/// A figure that is not there.
const UNDEFINED: Measured = Measured {
    value: None,
    interval: None,
};

/// Distributions over the images of Dice and, where it is defined, of HD95, on one sheet with the name of its file: a
/// row for each of the most frequent conventions of the true masks. Empty where no image has a mask.
pub fn segmenter_drawings(report: &SegmenterReport, images: &[SegmentedImage]) -> Vec<(&'static str, Drawing)> {
    // Figures of masks that follow two conventions are not of one kind.
    let mut apart: BTreeMap<&str, Vec<&MaskRecord>> = BTreeMap::new();
    for image in images {
        apart.entry(&image.mask.convention).or_default().push(&image.mask);
    }
    let mut conventions: Vec<(&str, Vec<&MaskRecord>)> = apart.into_iter().collect();
    // Stable: those of as many images stay in the order of their names.
    conventions.sort_by_key(|(_, masks)| Reverse(masks.len()));
    let all = conventions.len();
    let mut rows = Vec::new();
    for (place, (convention, masks)) in conventions.iter().take(MOST_CONVENTIONS).enumerate() {
        let origin = origin(report, convention, (place + 1, all));
        rows.push(row(&origin, masks, report.masks.get(*convention)));
    }
    if rows.is_empty() {
        return Vec::new();
    }
    vec![("masks", Drawing::sheet(rows))]
}

/// What was evaluated, and against which masks; of several conventions, which one in their order.
fn origin(report: &SegmenterReport, convention: &str, (place, all): (usize, usize)) -> String {
    let weights = weights_on(
        (&report.segmenter, &report.segmenter_version, &report.weights_sha256),
        &report.split,
    );
    let which = if all > 1 {
        format!(" (convention {place} of {all})")
    } else {
        String::new()
    };
    format!("{weights}, masks {convention}{which}.")
}

/// The distributions of some masks, from left to right.
fn row(origin: &str, masks: &[&MaskRecord], metrics: Option<&MaskMetrics>) -> Vec<Drawing> {
    let dice = sorted(masks.iter().filter_map(|mask| mask.confusion.dice()));
    let (pixels, millimetres) = (
        distances(masks, |mask| mask.hd95_px),
        distances(masks, |mask| mask.hd95_mm),
    );
    // In millimetres only where no image is left out for want of a spacing.
    let in_mm = millimetres.len() == pixels.len();
    let (distance, unit) = if in_mm { (millimetres, "mm") } else { (pixels, "pixels") };
    let lowest = dice.first().map_or(0.0, |dice| (dice * 10.0).floor().min(9.0) / 10.0);
    let dice = Distribution {
        title: "Dice per image",
        axis: "Dice".to_owned(),
        ends: [lowest, 1.0],
        values: dice,
        mean: metrics.map_or(UNDEFINED, |metrics| metrics.dice),
    };
    let mut drawn = vec![dice.draw(masks.len(), origin)];
    if let Some(furthest) = distance.last().copied() {
        let distance = Distribution {
            title: "Distance of the outlines per image",
            axis: format!("HD95, {unit}"),
            ends: [0.0, whole(furthest)],
            values: distance,
            mean: metrics.map_or(UNDEFINED, |m| if in_mm { m.hd95_mm } else { m.hd95_px }),
        };
        drawn.push(distance.draw(masks.len(), origin));
    }
    drawn
}

/// Distances of masks that have one, in order.
fn distances(masks: &[&MaskRecord], of: fn(&MaskRecord) -> Option<f64>) -> Vec<f64> {
    let values = masks.iter().filter_map(|mask| of(mask));
    sorted(values.filter(|value| (0.0..=FARTHEST).contains(value)))
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The next end of an axis whose ticks are whole.
fn whole(value: f64) -> f64 {
    (value / WHOLE).ceil().max(1.0) * WHOLE
}

/// A figure of every image that has it.
struct Distribution {
    title: &'static str,
    axis: String,
    /// Of the axis.
    ends: [f64; 2],
    /// In order.
    values: Vec<f64>,
    /// Mean over the images, with its interval.
    mean: Measured,
}

impl Distribution {
    /// A histogram with median and quartiles; `all` images were measured.
    fn draw(&self, all: usize, origin: &str) -> Drawing {
        let counts = self.counts();
        let top = whole(counts.iter().max().map_or(0.0, |most| *most as f64));
        let axis = format!("{} ({})", self.axis, self.images(all));
        let mut chart = Chart {
            ranges: [Some(self.ends), Some([0.0, top])],
            ..Chart::unit(self.title, &axis, "Images")
        };
        let (low, width) = (self.ends[0], self.bin());
        let edge = |index: usize| low + width * index as f64;
        let filled = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        chart.bars = filled
            .map(|(index, count)| [edge(index), edge(index + 1), count as f64])
            .collect();
        if let Some(quartiles) = percentiles(&self.values, [0.25, 0.5, 0.75]) {
            chart.series = marks(quartiles, top);
            chart.notes.push(self.words(quartiles));
        }
        chart.notes.push(origin.to_owned());
        chart.draw()
    }

    /// Width of a bar.
    fn bin(&self) -> f64 {
        (self.ends[1] - self.ends[0]) / BINS as f64
    }

    fn counts(&self) -> [usize; BINS] {
        let mut counts = [0; BINS];
        for value in &self.values {
            let place = ((value - self.ends[0]) / self.bin()) as usize;
            counts[place.min(BINS - 1)] += 1;
        }
        counts
    }

    /// How many images have the figure.
    fn images(&self, all: usize) -> String {
        let some = self.values.len();
        if some < all {
            format!("{some} of {all} images")
        } else {
            format!("{all} images")
        }
    }

    /// Median and mean, each with its interval.
    fn words(&self, [lower, median, upper]: [f64; 3]) -> String {
        let level = if self.mean.interval.is_some() { " (95 %)" } else { "" };
        let mean = with_interval(self.mean);
        format!("Median {median:.3}, half of the images from {lower:.3} to {upper:.3}; mean {mean}{level}.")
    }
}

/// Upright lines at the quartiles, up to the top.
fn marks([lower, median, upper]: [f64; 3], top: f64) -> Vec<Series> {
    let line = |name: String, at: f64, reference: bool| Series {
        name,
        points: vec![[at, 0.0], [at, top]],
        reference,
    };
    vec![
        line(format!("median {median:.3}"), median, false),
        line(format!("quartiles {lower:.3} and {upper:.3}"), lower, true),
        line(String::new(), upper, true),
    ]
}
