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

    /// For every seen image pixel the two input pixels around its centre and the weight of the second.
    /// Positions are kept on picture, so that padding never bleeds into it.
    fn taps(self) -> Vec<(usize, usize, f32)> {
        let Range { start, end } = self.filled();
        let (low, high) = (start as f64, end as f64 - 1.0);
        self.seen()
            .map(|i| {
                let u = (self.input_from_image(i as f64 + 0.5) - 0.5).clamp(low, high);
                let first = u.floor() as usize;
                (first, (first + 1).min(end - 1), (u - u.floor()) as f32)
            })
            .collect()
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
        self.to_image_as(map, |value| value)
    }

    /// As [`Placement::to_image`], keeping of every value only what `keep` makes of it; the default where the network
    /// did not see the image.
    ///
    /// # Panics
    /// If the map is not as large as the input.
    pub fn to_image_as<T: Copy + Default + Send>(&self, map: &[f32], keep: impl Fn(f32) -> T + Sync) -> Vec<T> {
        let (width, _) = self.image_size();
        assert_eq!(
            map.len(),
            self.x.input * self.y.input,
            "the map has the size of the network input"
        );
        let mut out = vec![T::default(); self.x.image * self.y.image];
        let (columns, rows) = self.seen();
        let (x_taps, y_taps) = (self.x.taps(), self.y.taps());
        let lines = out.par_chunks_mut(width.max(1)).skip(rows.start).zip(&y_taps);
        lines.for_each(|(line, &(top, bottom, fy))| {
            let top = &map[top * self.x.input..][..self.x.input];
            let bottom = &map[bottom * self.x.input..][..self.x.input];
            let line = &mut line[columns.clone()];
            for (value, &(left, right, fx)) in line.iter_mut().zip(&x_taps) {
                let upper = top[left] + (top[right] - top[left]) * fx;
                let lower = bottom[left] + (bottom[right] - bottom[left]) * fx;
                *value = keep(upper + (lower - upper) * fy);
            }
        });
        out
    }
}
