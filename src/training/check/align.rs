//! Whether two planes are one picture: aligned by shift and scale along both axes, with the best monotone change of
//! grey between them, they must correlate. Knows no files.
//!
//! Correlation alone does not tell patients apart: standing chests of one machine reach 0.98 at this size. So the
//! fine structure (ribs, vessels, catheters) must agree as well, which copies keep through JPEG, crop and gamma.

use super::plane::{Plane, gaussian};

/// Least correlation of two planes that show one picture.
pub const CORRELATION: f32 = 0.98;
/// Least correlation of their fine structure. On 75 pairs of different patients that correlate above 0.965 it was 0.47
/// on average, with a standard deviation of 0.09 and a largest value of 0.60; copies kept 0.75 at the worst.
pub const DETAIL: f32 = 0.75;
/// Least correlation at a third of the size that is worth a closer look.
const WORTH_A_LOOK: f32 = 0.95;
/// Share of the first plane that the second must cover.
const LEAST_OVERLAP: f32 = 0.6;
/// Widest range of the scale along an axis.
const SCALES: (f64, f64) = (0.85, 1.18);
/// Largest shift, as a share of the side.
const LARGEST_SHIFT: f64 = 0.15;
/// Largest change of any of the four numbers in one step.
const LARGEST_STEP: f64 = 0.03;
/// Steps at a third of the size, and at full size.
const STEPS: (usize, usize) = (8, 5);
/// Classes of grey in which the monotone change is fitted while planes are being aligned, and in the end.
const CLASSES: (usize, usize) = (64, 256);

/// Where a plane's positions (0 to 1 along each axis) lie on another: scaled, then shifted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warp {
    /// Scale and shift of columns.
    pub x: (f64, f64),
    /// Scale and shift of rows.
    pub y: (f64, f64),
}

impl Warp {
    /// Every position on itself.
    pub const IDENTITY: Self = Self {
        x: (1.0, 0.0),
        y: (1.0, 0.0),
    };

    /// From a picture to a copy of it that lacks these shares at its left, top, right and bottom.
    pub fn to_cropped([left, top, right, bottom]: [f64; 4]) -> Self {
        let axis = |low: f64, high: f64| {
            let scale = 1.0 / (1.0 - low - high);
            (scale, -low * scale)
        };
        Self {
            x: axis(left, right),
            y: axis(top, bottom),
        }
    }

    fn moved(self, by: [f64; 4]) -> Self {
        let step = |value: f64| value.clamp(-LARGEST_STEP, LARGEST_STEP);
        let axis = |(scale, shift): (f64, f64), d_scale, d_shift| {
            (
                (scale + step(d_scale)).clamp(SCALES.0, SCALES.1),
                (shift + step(d_shift)).clamp(-LARGEST_SHIFT, LARGEST_SHIFT),
            )
        };
        Self {
            x: axis(self.x, by[0], by[1]),
            y: axis(self.y, by[2], by[3]),
        }
    }
}

/// How alike two planes are once they are aligned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Pearson's correlation of the greys where both are, -1 to 1.
    pub correlation: f32,
    /// The same of the fine structure.
    pub detail: f32,
    /// Where the first plane's positions lie on the second.
    pub warp: Warp,
}

impl Likeness {
    /// Whether they show one picture.
    pub fn is_copy(&self) -> bool {
        self.correlation >= CORRELATION && self.detail >= DETAIL
    }
}

/// A plane in the sizes and the softness in which it is compared.
pub struct Compared {
    sharp: Plane,
    soft: Plane,
    small: Plane,
}

impl Compared {
    /// Makes a plane ready.
    pub fn new(plane: Plane) -> Self {
        let soft = plane.filtered(&[0.25, 0.5, 0.25]);
        Self {
            small: soft.reduced(3),
            soft,
            sharp: plane,
        }
    }
}

/// Aligns two planes from a first guess on; `None` if they are not alike even at a third of the size.
pub fn compare(a: &Compared, b: &Compared, guess: Warp) -> Option<Likeness> {
    let coarse = refine(&a.small, &b.small, guess, STEPS.0);
    if coarse.0 < WORTH_A_LOOK {
        return None;
    }
    let fine = refine(&a.soft, &b.soft, coarse.1, STEPS.1);
    Some(judge(&a.sharp, &b.sharp, fine.1))
}

/// Gauss-Newton steps on the squared difference between a plane and the warped other one in its greys; the best
/// correlation on the way, and where it was.
fn refine(a: &Plane, b: &Plane, guess: Warp, steps: usize) -> (f32, Warp) {
    let mut best = (-1.0, guess);
    let mut warp = guess;
    for _ in 0..steps {
        let Some(seen) = Overlap::of(a, b, warp) else { break };
        let there = seen.in_greys_of(a, CLASSES.0);
        let correlation = seen.correlation(&a.values, &there);
        if correlation > best.0 {
            best = (correlation, warp);
        }
        let Some(step) = newton(a, &seen, &there, warp) else {
            break;
        };
        warp = warp.moved(step);
    }
    best
}

/// One plane as the other sees it.
struct Overlap {
    /// Values of the second plane at the first one's pixels.
    values: Vec<f32>,
    /// Whether there are any.
    inside: Vec<bool>,
}

impl Overlap {
    /// `None` if the planes have too little in common.
    fn of(a: &Plane, b: &Plane, warp: Warp) -> Option<Self> {
        let taps = |(scale, shift): (f64, f64)| -> Vec<Option<(usize, f32)>> {
            let tap = |i: usize| {
                let position = (scale * (i as f64 + 0.5) / a.side as f64 + shift) * b.side as f64 - 0.5;
                let last = b.side as f64 - 1.0;
                (-0.5..=last + 0.5).contains(&position).then(|| {
                    let position = position.clamp(0.0, last);
                    let first = (position as usize).min(b.side - 2);
                    (first, (position - first as f64) as f32)
                })
            };
            (0..a.side).map(tap).collect()
        };
        let (columns, rows) = (taps(warp.x), taps(warp.y));
        let covered = |taps: &[Option<(usize, f32)>]| taps.iter().flatten().count() as f32;
        if covered(&columns) * covered(&rows) < LEAST_OVERLAP * (a.side * a.side) as f32 {
            return None;
        }
        let mut values = vec![0.0; a.values.len()];
        let mut inside = vec![false; a.values.len()];
        for (y, row) in rows.iter().enumerate() {
            let Some((top, fy)) = *row else { continue };
            let (upper, lower) = (&b.values[top * b.side..], &b.values[(top + 1) * b.side..]);
            for (x, column) in columns.iter().enumerate() {
                let Some((left, fx)) = *column else { continue };
                let above = upper[left] + (upper[left + 1] - upper[left]) * fx;
                let below = lower[left] + (lower[left + 1] - lower[left]) * fx;
                values[y * a.side + x] = above + (below - above) * fy;
                inside[y * a.side + x] = true;
            }
        }
        Some(Self { values, inside })
    }

    /// The second plane's values after the monotone change that brings them nearest to the first plane.
    fn in_greys_of(&self, a: &Plane, classes: usize) -> Vec<f32> {
        let pairs = || {
            let all = self.values.iter().zip(&a.values).zip(&self.inside);
            all.filter(|(_, inside)| **inside)
                .map(|((&value, &target), _)| (value, target))
        };
        let table = monotone(pairs(), classes);
        self.values.iter().map(|&value| look_up(&table, value)).collect()
    }

    fn correlation(&self, a: &[f32], b: &[f32]) -> f32 {
        let pairs = a.iter().zip(b).zip(&self.inside);
        correlation(
            pairs
                .filter(|(_, inside)| **inside)
                .map(|((&one, &other), _)| (one, other)),
        )
    }
}

/// Pearson's correlation; 0 where one side does not vary.
fn correlation(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    let (mut n, mut sums, mut squares) = (0.0_f64, (0.0, 0.0), (0.0, 0.0, 0.0));
    for (x, y) in pairs {
        let (x, y) = (f64::from(x), f64::from(y));
        n += 1.0;
        sums = (sums.0 + x, sums.1 + y);
        squares = (squares.0 + x * x, squares.1 + x * y, squares.2 + y * y);
    }
    let covariance = squares.1 - sums.0 * sums.1 / n;
    let variances = (squares.0 - sums.0 * sums.0 / n) * (squares.2 - sums.1 * sums.1 / n);
    if variances > 1e-6 * n * n {
        (covariance / variances.sqrt()) as f32
    } else {
        0.0
    }
}

/// The rising function of a grey in 0..=255 that is nearest to its targets (pool adjacent violators over classes of
/// grey), as values at 0, 1 … 255.
fn monotone(pairs: impl Iterator<Item = (f32, f32)>, classes: usize) -> [f32; 256] {
    let mut sums = vec![(0.0_f64, 0.0_f64, 0.0_f64); classes];
    for (value, target) in pairs {
        let class = ((value * classes as f32 / 256.0) as usize).min(classes - 1);
        let sum = &mut sums[class];
        *sum = (sum.0 + 1.0, sum.1 + f64::from(value), sum.2 + f64::from(target));
    }
    // Runs of classes with one common value: their number of classes, weight and sum of targets.
    let mut runs: Vec<(usize, f64, f64)> = Vec::new();
    let centres: Vec<f32> = sums
        .iter()
        .filter(|sum| sum.0 > 0.0)
        .map(|sum| (sum.1 / sum.0) as f32)
        .collect();
    for &(weight, _, target) in sums.iter().filter(|sum| sum.0 > 0.0) {
        let mut run = (1, weight, target);
        while let Some(&before) = runs.last() {
            if before.2 * run.1 <= run.2 * before.1 {
                break;
            }
            run = (before.0 + run.0, before.1 + run.1, before.2 + run.2);
            runs.pop();
        }
        runs.push(run);
    }
    let levels: Vec<f32> = runs
        .iter()
        .flat_map(|&(length, weight, sum)| std::iter::repeat_n((sum / weight) as f32, length))
        .collect();
    let mut table = [0.0; 256];
    let mut next = 0;
    for (grey, value) in table.iter_mut().enumerate() {
        let grey = grey as f32;
        while next < centres.len() && centres[next] <= grey {
            next += 1;
        }
        *value = match (next.checked_sub(1), centres.get(next)) {
            (Some(left), Some(&right)) => {
                let share = (grey - centres[left]) / (right - centres[left]);
                levels[left] + (levels[next] - levels[left]) * share
            }
            (Some(left), None) => levels[left],
            (None, Some(_)) => levels[0],
            (None, None) => grey,
        };
    }
    table
}

fn look_up(table: &[f32; 256], value: f32) -> f32 {
    let value = value.clamp(0.0, 255.0);
    let first = (value as usize).min(254);
    table[first] + (table[first + 1] - table[first]) * (value - first as f32)
}

/// The step of a warp's four numbers that makes the difference smallest, to first order.
fn newton(a: &Plane, seen: &Overlap, there: &[f32], warp: Warp) -> Option<[f64; 4]> {
    let side = a.side;
    let (mut normal, mut right) = ([[0.0_f64; 4]; 4], [0.0_f64; 4]);
    for y in 1..side - 1 {
        for x in 1..side - 1 {
            let at = y * side + x;
            let around = [at, at - 1, at + 1, at - side, at + side];
            if !around.iter().all(|&i| seen.inside[i]) {
                continue;
            }
            let scale = side as f32 / 2.0;
            let gx = f64::from((there[at + 1] - there[at - 1]) * scale) / warp.x.0;
            let gy = f64::from((there[at + side] - there[at - side]) * scale) / warp.y.0;
            let (u, v) = ((x as f64 + 0.5) / side as f64, (y as f64 + 0.5) / side as f64);
            let slopes = [gx * u, gx, gy * v, gy];
            let missing = f64::from(a.values[at] - there[at]);
            for (i, slope) in slopes.iter().enumerate() {
                right[i] += slope * missing;
                for (sum, other) in normal[i].iter_mut().zip(&slopes).skip(i) {
                    *sum += slope * other;
                }
            }
        }
    }
    let upper = normal;
    for (i, line) in normal.iter_mut().enumerate() {
        for (value, above) in line.iter_mut().zip(&upper).take(i) {
            *value = above[i];
        }
        // Keeps the system solvable where the picture is the same along an axis.
        line[i] = line[i] * 1.001 + 1e-3;
    }
    solve(normal, right)
}

/// Gaussian elimination with pivoting.
fn solve(mut matrix: [[f64; 4]; 4], mut right: [f64; 4]) -> Option<[f64; 4]> {
    for column in 0..4 {
        let pivot = (column..4).max_by(|&i, &j| matrix[i][column].abs().total_cmp(&matrix[j][column].abs()))?;
        if matrix[pivot][column].abs() < 1e-12 {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..4 {
            let factor = matrix[row][column] / matrix[column][column];
            let above = matrix[column];
            for (value, top) in matrix[row].iter_mut().zip(above).skip(column) {
                *value -= factor * top;
            }
            right[row] -= factor * right[column];
        }
    }
    for row in (0..4).rev() {
        let known: f64 = (row + 1..4).map(|i| matrix[row][i] * right[i]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right.iter().all(|value| value.is_finite()).then_some(right)
}

/// Correlation of aligned planes, the smaller of both directions of the grey change, and of their fine structure.
fn judge(a: &Plane, b: &Plane, warp: Warp) -> Likeness {
    let unlike = Likeness {
        correlation: 0.0,
        detail: 0.0,
        warp,
    };
    let Some(seen) = Overlap::of(a, b, warp) else {
        return unlike;
    };
    let there = seen.in_greys_of(a, CLASSES.1);
    let pairs = || {
        let all = a.values.iter().zip(&seen.values).zip(&seen.inside);
        all.filter(|(_, inside)| **inside)
            .map(|((&one, &other), _)| (one, other))
    };
    let back = monotone(pairs(), CLASSES.1);
    let forth = seen.correlation(&a.values, &there);
    let backwards = correlation(pairs().map(|(one, other)| (look_up(&back, one), other)));
    let correlation = forth.min(backwards);
    if correlation < CORRELATION {
        return Likeness { correlation, ..unlike };
    }
    Likeness {
        correlation,
        detail: detail(a, &there, &seen.inside),
        warp,
    }
}

/// Correlation of what lies between 0.7 and 2 pixels in size, each place weighed by its own contrast.
fn detail(a: &Plane, there: &[f32], inside: &[bool]) -> f32 {
    let fine = |plane: &Plane| {
        let (small, large) = (plane.filtered(&gaussian(0.7)), plane.filtered(&gaussian(2.0)));
        let band: Vec<f32> = small.values.iter().zip(&large.values).map(|(s, l)| s - l).collect();
        let power = Plane {
            side: plane.side,
            values: band.iter().map(|value| value * value).collect(),
        };
        let power = power.filtered(&gaussian(4.0));
        // Two greys keep noise in flat places small.
        let even = |(value, power): (&f32, &f32)| value / (power.sqrt() + 2.0);
        band.iter().zip(&power.values).map(even).collect::<Vec<f32>>()
    };
    let filled = a.values.iter().zip(there).zip(inside);
    let other = Plane {
        side: a.side,
        values: filled.map(|((&a, &b), &inside)| if inside { b } else { a }).collect(),
    };
    let (one, other) = (fine(a), fine(&other));
    let margin = 3;
    let lines = margin..a.side - margin;
    let counted = |at: &usize| {
        let (x, y) = (at % a.side, at / a.side);
        inside[*at] && lines.contains(&x) && lines.contains(&y)
    };
    correlation((0..inside.len()).filter(counted).map(|at| (one[at], other[at])))
}
