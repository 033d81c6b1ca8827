//! The perceptual hash that proposes near duplicates: 64 low frequencies of a picture whose greys are replaced by their
//! ranks, so that no monotone change of grey matters, each compared with its median over the data set.
//!
//! It only proposes. What a crop changes is undone by looking every picture up under several crops of itself.

use super::align::Warp;
use super::plane::{PIXELS, Plane, SIDE};

/// Frequencies kept of a picture, and bits of its hash.
pub const BITS: usize = 64;
/// Rows and columns from which frequencies are computed.
const SMALL: usize = SIDE / 2;
/// Frequencies along one axis.
const WAVES: usize = 11;
/// Share that a crop takes off a side. With all sides alone and together, every crop of up to 5 % a side lies within
/// 2.5 % of one of them, which costs at most 8 of the 64 bits.
const CROP: f64 = 0.045;
/// Least standard deviation of the greys of a picture that has structure at all, out of 255.
const LEAST_CONTRAST: f32 = 2.0;

/// The low frequencies of a picture, of length 1.
pub type Frequencies = [f32; BITS];

/// Shares taken off left, top, right and bottom.
type Crop = [f64; 4];

/// Computes frequencies; holds the tables for it.
pub struct Describer {
    /// The picture as it is, then its crops.
    crops: Vec<Crop>,
    /// By low and high crop of an axis: `WAVES` rows of `SMALL` weights.
    axes: Vec<((f64, f64), Vec<f32>)>,
    /// Frequencies along columns and rows, the lowest first.
    order: Vec<(usize, usize)>,
}

impl Default for Describer {
    fn default() -> Self {
        let mut crops: Vec<Crop> = (0..16)
            .map(|sides: u8| [0, 1, 2, 3].map(|side| if sides >> side & 1 == 1 { CROP } else { 0.0 }))
            .collect();
        crops.push([CROP / 2.0; 4]);
        let mut axes: Vec<((f64, f64), Vec<f32>)> = Vec::new();
        for &[left, top, right, bottom] in &crops {
            for ends in [(left, right), (top, bottom)] {
                if axes.iter().all(|(there, _)| *there != ends) {
                    axes.push((ends, waves(ends)));
                }
            }
        }
        let mut order: Vec<(usize, usize)> = (0..WAVES * WAVES).map(|i| (i % WAVES, i / WAVES)).collect();
        order.retain(|&wave| wave != (0, 0));
        order.sort_by_key(|&(u, v)| (u + v, u.max(v), u));
        order.truncate(BITS);
        Self { crops, axes, order }
    }
}

impl Describer {
    /// The frequencies of a kept plane; `None` if it has no structure.
    pub fn describe(&self, plane: &Plane) -> Option<Frequencies> {
        self.of_crop(&Small::of(plane)?, self.crops[0])
    }

    /// The frequencies of a plane and of its crops, each with the way from the plane to the crop.
    pub fn describe_crops(&self, plane: &Plane) -> Vec<(Frequencies, Warp)> {
        let Some(small) = Small::of(plane) else {
            return Vec::new();
        };
        let described = |&crop: &Crop| Some((self.of_crop(&small, crop)?, Warp::to_cropped(crop)));
        self.crops.iter().filter_map(described).collect()
    }

    fn axis(&self, ends: (f64, f64)) -> &[f32] {
        let found = self.axes.iter().find(|(there, _)| *there == ends);
        &found.expect("every crop's axes were made").1
    }

    fn of_crop(&self, small: &Small, crop: Crop) -> Option<Frequencies> {
        let [left, top, right, bottom] = crop;
        let ranks = small.ranks(crop);
        let columns = self.axis((left, right));
        let mut across = [[0.0_f32; SMALL]; WAVES];
        for (y, line) in ranks.chunks_exact(SMALL).enumerate() {
            for (wave, weights) in across.iter_mut().zip(columns.chunks_exact(SMALL)) {
                wave[y] = dot(line, weights);
            }
        }
        let rows = self.axis((top, bottom));
        let mut frequencies = [0.0; BITS];
        for (value, &(u, v)) in frequencies.iter_mut().zip(&self.order) {
            *value = dot(&across[u], &rows[v * SMALL..][..SMALL]);
        }
        let length = dot(&frequencies, &frequencies).sqrt();
        for value in &mut frequencies {
            *value /= length;
        }
        (length > 1e-3).then_some(frequencies)
    }
}

/// Scalar product of equally long vectors, in eight sums so that it can be vectorised.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// A plane at half its size, in eight-bit greys.
struct Small {
    greys: Vec<u8>,
}

impl Small {
    fn of(plane: &Plane) -> Option<Self> {
        assert_eq!(plane.values.len(), PIXELS, "a kept plane");
        let reduced = plane.reduced(SIDE / SMALL);
        let n = reduced.values.len() as f32;
        let mean = reduced.values.iter().sum::<f32>() / n;
        let variance = reduced.values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / n;
        (variance.sqrt() >= LEAST_CONTRAST).then(|| Self {
            greys: reduced.values.iter().map(|value| value.round() as u8).collect(),
        })
    }

    /// Rank of every pixel among those of the crop, 0 to 1.
    fn ranks(&self, [left, top, right, bottom]: Crop) -> Vec<f32> {
        let low = |share: f64| (share * SMALL as f64).round() as usize;
        let (columns, rows) = (low(left)..SMALL - low(right), low(top)..SMALL - low(bottom));
        let mut counts = [0_u32; 256];
        for line in self.greys.chunks_exact(SMALL).take(rows.end).skip(rows.start) {
            for &grey in &line[columns.clone()] {
                counts[usize::from(grey)] += 1;
            }
        }
        let pixels = (columns.len() * rows.len()) as f32;
        let mut below = 0;
        let table = counts.map(|count| {
            let rank = (below as f32 + count as f32 / 2.0) / pixels;
            below += count;
            rank
        });
        self.greys.iter().map(|&grey| table[usize::from(grey)]).collect()
    }
}

/// Weights of the pixels of a cropped axis in each cosine wave: the pixel's share in the crop times the wave's mean
/// height over it.
fn waves((low, high): (f64, f64)) -> Vec<f32> {
    let (begin, length) = (low * SMALL as f64, (1.0 - low - high) * SMALL as f64);
    let mut weights = Vec::with_capacity(WAVES * SMALL);
    for wave in 0..WAVES {
        let norm = if wave == 0 { 1.0 } else { std::f64::consts::SQRT_2 };
        for pixel in 0..SMALL {
            let (from, to) = ((pixel as f64).max(begin), ((pixel + 1) as f64).min(begin + length));
            let middle = (f64::midpoint(from, to) - begin) / length;
            let height = (std::f64::consts::PI * wave as f64 * middle).cos() * norm;
            weights.push((height * (to - from).max(0.0) / length) as f32);
        }
    }
    weights
}

/// The heights that separate a data set's pictures in halves, frequency by frequency.
#[derive(Debug, Clone)]
pub struct Medians(Frequencies);

impl Medians {
    /// Of all pictures that have structure.
    pub fn of(described: &[Option<Frequencies>]) -> Self {
        let mut medians = [0.0; BITS];
        for (bit, median) in medians.iter_mut().enumerate() {
            let mut heights: Vec<f32> = described.iter().flatten().map(|all| all[bit]).collect();
            let half = heights.len() / 2;
            if half < heights.len() {
                *median = *heights.select_nth_unstable_by(half, f32::total_cmp).1;
            }
        }
        Self(medians)
    }

    /// The hash: which frequencies are above their median.
    pub fn hash(&self, frequencies: &Frequencies) -> u64 {
        let above = frequencies
            .iter()
            .zip(&self.0)
            .map(|(value, median)| u64::from(value > median));
        above.fold(0, |hash, bit| hash << 1 | bit)
    }
}
