//! Histograms of a data set, COVID-19 and control apart: where the two differ in size, shape or grey, a network can
//! learn that instead of the disease.

use serde::{Deserialize, Serialize};

use crate::training::manifest::Class;

/// Classes of grey of the intensity histogram.
pub const GREYS: usize = 32;

/// Counts of both classes in ranges of a quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// What is counted, with its unit.
    pub quantity: String,
    /// The ranges in rising order, without gaps.
    pub bins: Vec<Bin>,
}

/// A range and what falls into it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lowest value that belongs to it; the first range takes all below as well.
    pub from: f64,
    /// Lowest value that does not; the last range takes all above as well.
    pub to: f64,
    /// Of the control class.
    pub control: u64,
    /// Of the COVID-19 class.
    pub covid19: u64,
}

impl Histogram {
    fn new(quantity: &str, edges: &[f64]) -> Self {
        let bin = |pair: &[f64]| Bin {
            from: pair[0],
            to: pair[1],
            control: 0,
            covid19: 0,
        };
        Self {
            quantity: quantity.to_owned(),
            bins: edges.windows(2).map(bin).collect(),
        }
    }

    fn add(&mut self, value: f64, class: Class, count: u64) {
        let at = self
            .bins
            .partition_point(|bin| bin.to <= value)
            .min(self.bins.len() - 1);
        match class {
            Class::Control => self.bins[at].control += count,
            Class::Covid19 => self.bins[at].covid19 += count,
        }
    }
}

/// The four histograms of a report, being filled.
pub struct Histograms {
    size: Histogram,
    aspect: Histogram,
    brightness: Histogram,
    intensity: Histogram,
}

impl Default for Histograms {
    fn default() -> Self {
        let evenly = |from: f64, step: f64, bins: usize| -> Vec<f64> {
            (0..=bins)
                .map(|i| ((from + step * i as f64) * 1e4).round() / 1e4)
                .collect()
        };
        Self {
            size: Histogram::new(
                "longer side, pixels",
                &[
                    0.0, 128.0, 192.0, 256.0, 384.0, 512.0, 768.0, 1024.0, 1536.0, 2048.0, 3072.0, 4096.0, 8192.0,
                ],
            ),
            aspect: Histogram::new("width over height", &evenly(0.5, 0.05, 30)),
            brightness: Histogram::new("mean grey of an image, 0 to 1", &evenly(0.0, 0.05, 20)),
            intensity: Histogram::new(
                "grey of a pixel at 96 x 96, 0 to 1",
                &evenly(0.0, 1.0 / GREYS as f64, GREYS),
            ),
        }
    }
}

impl Histograms {
    /// Adds an image: its size in pixels, its mean grey and how many pixels of its plane are in each class of grey.
    pub fn add(&mut self, class: Class, (width, height): (u32, u32), mean: f64, greys: &[u32; GREYS]) {
        self.size.add(f64::from(width.max(height)), class, 1);
        self.aspect.add(f64::from(width) / f64::from(height.max(1)), class, 1);
        self.brightness.add(mean, class, 1);
        for (bin, &count) in greys.iter().enumerate() {
            let middle = (bin as f64 + 0.5) / GREYS as f64;
            self.intensity.add(middle, class, u64::from(count));
        }
    }

    /// All four.
    pub fn finish(self) -> Vec<Histogram> {
        vec![self.size, self.aspect, self.brightness, self.intensity]
    }
}
