//! Where a picture lies on a network's input, and the exact way back. Knows shapes only, no values.

use std::ops::Range;

use rayon::prelude::*;

use crate::nn::{Aspect, InputSpec};

/// Columns and rows of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelBox {
    /// Columns.
    pub columns: Range<usize>,
    /// Rows.
    pub rows: Range<usize>,
}

/// One axis of a [`Placement`]: `span` image pixels from `first` on are scaled to `content` input pixels that begin at
/// `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    /// Pixels of the image along this axis, at least 1.
    pub(super) image: usize,
    /// First pixel of the image that is placed.
    pub(super) first: usize,
    /// Pixels of the image that are placed, at least 1: all of them unless a part was cut out.
    pub(super) span: usize,
    /// Pixels of the network input along this axis, at least 1.
    pub(super) input: usize,
    /// Input pixels that the span takes, at least 1; more than `input` where it is cropped.
    pub(super) content: usize,
    /// Input pixel at which the span begins; negative where it is cropped.
    pub(super) offset: isize,
}

impl Axis {
    fn new(image: usize, part: &Range<usize>, input: usize, content: usize) -> Self {
        let offset = (input as isize - content as isize).div_euclid(2);
        Self {
            image,
            first: part.start,
            span: part.len(),
            input,
            content,
            offset,
        }
    }

    fn input_from_image(self, x: f64) -> f64 {
        (x - self.first as f64) * self.content as f64 / self.span as f64 + self.offset as f64
    }

    fn image_from_input(self, u: f64) -> f64 {
        (u - self.offset as f64) * self.span as f64 / self.content as f64 + self.first as f64
    }

    /// Input pixels that hold picture.
    pub(super) fn filled(self) -> Range<usize> {
        let first = self.offset.max(0) as usize;
        let last = (self.offset + self.content as isize).min(self.input as isize) as usize;
        first..last
    }

    /// Image pixels of the span whose centre falls on the input.
    fn seen(self) -> Range<usize> {
        let inside = |i: usize| {
            let u = self.input_from_image(i as f64 + 0.5);
            (0.0..=self.input as f64).contains(&u)
        };
        let last = self.first + self.span;
        let first = (self.first..last).find(|&i| inside(i)).unwrap_or(last);
        let end = (first..last).rev().find(|&i| inside(i)).map_or(first, |i| i + 1);
        first..end
    }

    /// Where every seen image pixel lies between the centres of two input pixels. Positions are kept on picture, so
    /// that padding never bleeds into it.
    fn taps(self) -> Taps {
        let Range { start, end } = self.filled();
        let (low, high) = (start as f64, end as f64 - 1.0);
        let mut taps = Taps::default();
        for i in self.seen() {
            let u = (self.input_from_image(i as f64 + 0.5) - 0.5).clamp(low, high);
            taps.push(u.floor() as usize, end - 1, (u - u.floor()) as f32);
        }
        taps
    }
}

/// The map between network input and image: continuous coordinates in which pixel `i` covers `i..i + 1`, so
/// that its centre is `i + 0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Placement {
    /// Places an image of `width` x `height` pixels (each at least 1) as the input spec says.
    pub fn new(width: usize, height: usize, spec: &InputSpec) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let whole = PixelBox {
            columns: 0..width,
            rows: 0..height,
        };
        Self::of_part(width, height, &whole, spec)
    }

    /// As [`Placement::new`], for a part of the image; the rest of it is not seen.
    ///
    /// # Panics
    /// If the part is empty or reaches beyond the image.
    pub fn of_part(width: usize, height: usize, part: &PixelBox, spec: &InputSpec) -> Self {
        let (w, h) = (part.columns.len(), part.rows.len());
        let is_inside = part.columns.end <= width && part.rows.end <= height;
        assert!(is_inside && w > 0 && h > 0, "a part of the image");
        let ratios = (spec.width as f64 / w as f64, spec.height as f64 / h as f64);
        let scaled = |scale: f64| {
            let side = |n: usize| ((n as f64 * scale).round() as usize).max(1);
            (side(w), side(h))
        };
        let (content_w, content_h) = match spec.aspect {
            Aspect::Stretch => (spec.width, spec.height),
            Aspect::Pad => {
                let (cw, ch) = scaled(ratios.0.min(ratios.1));
                (cw.min(spec.width), ch.min(spec.height))
            }
            Aspect::Crop => {
                let (cw, ch) = scaled(ratios.0.max(ratios.1));
                (cw.max(spec.width), ch.max(spec.height))
            }
        };
        Self {
            x: Axis::new(width, &part.columns, spec.width, content_w),
            y: Axis::new(height, &part.rows, spec.height, content_h),
        }
    }

    /// Columns and rows of the image.
    pub fn image_size(&self) -> (usize, usize) {
        (self.x.image, self.y.image)
    }

    /// Columns and rows of the network input.
    pub fn input_size(&self) -> (usize, usize) {
        (self.x.input, self.y.input)
    }

    /// Image position to position on the network input.
    pub fn input_from_image(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.input_from_image(x), self.y.input_from_image(y))
    }

    /// Position on the network input to image position: the exact inverse of [`Self::input_from_image`].
    pub fn image_from_input(&self, (u, v): (f64, f64)) -> (f64, f64) {
        (self.x.image_from_input(u), self.y.image_from_input(v))
    }

    /// Columns and rows of the image that the network saw: those whose pixel centres fall on its input.
    pub fn seen(&self) -> (Range<usize>, Range<usize>) {
        (self.x.seen(), self.y.seen())
    }

    /// Number of image pixels that the network saw.
    pub fn seen_pixels(&self) -> usize {
        let (columns, rows) = self.seen();
        columns.len() * rows.len()
    }

    /// Brings a map on the network input (row-major, as large as the input) to image pixels, bilinearly between
    /// pixel centres; 0 where the network did not see the image.
    ///
    /// # Panics
    /// If the map is not as large as the input.
    pub fn to_image(&self, map: &[f32]) -> Vec<f32> {
        self.to_image_seen(map, |_, _| ()).0
    }

    /// As [`Placement::to_image`], and in the order of the rows what `look` makes of each row that the network saw,
    /// given its number and its seen pixels: while they are still in the cache.
    ///
    /// # Panics
    /// If the map is not as large as the input.
    pub fn to_image_seen<R: Send>(
        &self,
        map: &[f32],
        look: impl Fn(usize, &[f32]) -> R + Sync + Send,
    ) -> (Vec<f32>, Vec<R>) {
        let write = |between: &[f32], [first, second]: [usize; 2], weights: &[f32], pixels: &mut [f32]| {
            let step = between[second] - between[first];
            for (pixel, weight) in pixels.iter_mut().zip(weights) {
                *pixel = between[first] + step * weight;
            }
        };
        self.lines_from(map, write, look)
    }

    /// As [`Placement::to_image`], of every value only whether it is above 0 and at least `threshold`: 1 or 0.
    ///
    /// # Panics
    /// If the map is not as large as the input.
    pub fn to_mask(&self, map: &[f32], threshold: f32) -> Vec<u8> {
        let inside = |value: f32| value >= threshold && value > 0.0;
        let write = |between: &[f32], [first, second]: [usize; 2], weights: &[f32], pixels: &mut [u8]| {
            let (from, to) = (between[first], between[second]);
            // What lies between two values is on their side of the threshold.
            match (inside(from), inside(to)) {
                (false, false) => {}
                (true, true) => pixels.fill(1),
                _ => {
                    for (pixel, weight) in pixels.iter_mut().zip(weights) {
                        *pixel = u8::from(inside(from + (to - from) * weight));
                    }
                }
            }
        };
        self.lines_from(map, write, |_, _| ()).0
    }

    /// Makes an image of a map: `write` is given a line of the map, two of its pixels, and the image pixels between
    /// their centres with the weight of the second; `look` every line that is done.
    fn lines_from<T: Copy + Default + Send, R: Send>(
        &self,
        map: &[f32],
        write: impl Fn(&[f32], [usize; 2], &[f32], &mut [T]) + Sync,
        look: impl Fn(usize, &[T]) -> R + Sync + Send,
    ) -> (Vec<T>, Vec<R>) {
        let (width, height) = self.image_size();
        assert_eq!(
            map.len(),
            self.x.input * self.y.input,
            "the map has the size of the network input"
        );
        let mut out = vec![T::default(); width * height];
        let (columns, rows) = self.seen();
        let (across, down) = (self.x.taps(), self.y.taps());
        let lines = out.par_chunks_mut(width).enumerate().skip(rows.start).zip(down.each());
        let looks = lines.map_init(Vec::new, |between, ((y, line), ([top, bottom], weight))| {
            let [top, bottom] = [top, bottom].map(|row| &map[row * self.x.input..][..self.x.input]);
            between.clear();
            between.extend(top.iter().zip(bottom).map(|(t, b)| t + (b - t) * weight));
            let line = &mut line[columns.clone()];
            for (pair, pixels) in &across.runs {
                let weights = &across.weights[pixels.clone()];
                write(between, *pair, weights, &mut line[pixels.clone()]);
            }
            look(y, line)
        });
        let looks = looks.collect();
        (out, looks)
    }
}

/// For a row of image pixels the two input pixels around each centre, and the weight of the second.
#[derive(Default)]
struct Taps {
    /// Neighbours that lie between the same two.
    runs: Vec<([usize; 2], Range<usize>)>,
    weights: Vec<f32>,
}

impl Taps {
    fn push(&mut self, first: usize, last: usize, weight: f32) {
        let (pair, place) = ([first, (first + 1).min(last)], self.weights.len());
        match self.runs.last_mut() {
            Some((run, pixels)) if *run == pair => pixels.end = place + 1,
            _ => self.runs.push((pair, place..place + 1)),
        }
        self.weights.push(weight);
    }

    /// Pixel by pixel.
    fn each(&self) -> Vec<([usize; 2], f32)> {
        let pixels = self
            .runs
            .iter()
            .flat_map(|(pair, pixels)| pixels.clone().map(|i| (*pair, i)));
        pixels.map(|(pair, i)| (pair, self.weights[i])).collect()
    }
}
