//! Distance between the outlines of two masks, by an exact Euclidean distance transform (Felzenszwalb and
//! Huttenlocher 2012). Knows no networks.

use crate::training::metrics::percentile;

/// Far beyond any picture; finite, so that differences stay numbers.
const FAR: f64 = 1e20;

/// 95th percentile of the distance from each mask's outline to the other's, the larger of the two directions.
/// `spacing` is between rows and between columns, in pixels (1, 1) or millimetres; `None` where a mask is empty.
///
/// An outline is the pixels of a mask that have a neighbour (of four) outside it; outside the picture is outside.
///
/// # Panics
/// If the masks do not hold `width` times whole rows, both as many.
pub fn hausdorff95(mask: &[u8], truth: &[u8], width: usize, spacing: (f64, f64)) -> Option<f64> {
    assert!(
        mask.len() == truth.len() && width > 0 && mask.len().is_multiple_of(width),
        "two masks of the same rows"
    );
    let (first, second) = (outline(mask, width), outline(truth, width));
    if !first.contains(&true) || !second.contains(&true) {
        return None;
    }
    let one = directed(&first, &distances(&second, width, spacing));
    let other = directed(&second, &distances(&first, width, spacing));
    Some(one.max(other))
}

fn outline(mask: &[u8], width: usize) -> Vec<bool> {
    let height = mask.len() / width;
    let inside = |x: usize, y: usize| mask[y * width + x] != 0;
    let at_edge = |x: usize, y: usize| {
        let touches_border = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
        touches_border || !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1))
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    pixels.map(|(x, y)| inside(x, y) && at_edge(x, y)).collect()
}

/// 95th percentile of the distances on an outline.
fn directed(outline: &[bool], distances: &[f64]) -> f64 {
    let on_it = outline.iter().zip(distances).filter(|(on, _)| **on);
    let mut values: Vec<f64> = on_it.map(|(_, distance)| *distance).collect();
    values.sort_by(f64::total_cmp);
    percentile(&values, 0.95)
}

/// Euclidean distance of every pixel from the nearest marked one; `spacing` is between rows and between columns.
///
/// # Panics
/// If `marked` does not hold whole rows of `width`.
pub fn distances(marked: &[bool], width: usize, (row, column): (f64, f64)) -> Vec<f64> {
    assert!(width > 0 && marked.len().is_multiple_of(width), "whole rows");
    let height = marked.len() / width;
    let mut squared: Vec<f64> = marked.iter().map(|&on| if on { 0.0 } else { FAR }).collect();
    let mut envelope = Envelope::new(width.max(height));
    for line in squared.chunks_exact_mut(width) {
        envelope.transform(line, column);
    }
    let mut line = vec![0.0; height];
    for x in 0..width {
        for (value, row) in line.iter_mut().zip(squared.chunks_exact(width)) {
            *value = row[x];
        }
        envelope.transform(&mut line, row);
        for (value, row) in line.iter().zip(squared.chunks_exact_mut(width)) {
            row[x] = *value;
        }
    }
    squared.into_iter().map(f64::sqrt).collect()
}

/// Lower envelope of the parabolas that stand on a line's values.
struct Envelope {
    /// Places of the parabolas on it, from left to right.
    places: Vec<usize>,
    /// Where each begins to be the lowest.
    begins: Vec<f64>,
    values: Vec<f64>,
}

impl Envelope {
    fn new(longest: usize) -> Self {
        Self {
            places: Vec::with_capacity(longest),
            begins: Vec::with_capacity(longest),
            values: Vec::with_capacity(longest),
        }
    }

    /// Replaces squared distances along a line by those from the nearest pixel of the line.
    fn transform(&mut self, line: &mut [f64], step: f64) {
        self.values.clear();
        self.values.extend_from_slice(line);
        self.places.clear();
        self.begins.clear();
        let squared_step = step * step;
        for (place, &value) in self.values.iter().enumerate() {
            // Parabolas of pixels with nothing near are never the lowest where another stands.
            if value >= FAR {
                continue;
            }
            let height = |at: usize, value: f64| value / squared_step + (at * at) as f64;
            let mut begin = f64::NEG_INFINITY;
            while let Some(&last) = self.places.last() {
                let meets = (height(place, value) - height(last, self.values[last])) / (2 * (place - last)) as f64;
                if meets > self.begins[self.begins.len() - 1] {
                    begin = meets;
                    break;
                }
                self.places.pop();
                self.begins.pop();
            }
            self.places.push(place);
            self.begins.push(begin);
        }
        if self.places.is_empty() {
            return;
        }
        let mut at = 0;
        for (x, value) in line.iter_mut().enumerate() {
            while self.begins.get(at + 1).is_some_and(|&next| next < x as f64) {
                at += 1;
            }
            let place = self.places[at];
            *value = squared_step * (x.abs_diff(place) as f64).powi(2) + self.values[place];
        }
    }
}
