//! A curve that grows without end in bounded memory: where it gets long, neighbours are drawn as their mean.

/// Most points kept of a curve: more than there are pixels to draw them on.
const MOST: usize = 4096;

/// A growing curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    points: Vec<[f64; 2]>,
    /// Values that make a point.
    every: usize,
    /// Sums of the values that are not a point yet, and their number.
    open: ([f64; 2], usize),
    last: Option<[f64; 2]>,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            points: Vec::new(),
            every: 1,
            open: ([0.0; 2], 0),
            last: None,
        }
    }
}

impl Series {
    /// Adds a value; what is not a number is left out.
    pub fn push(&mut self, x: f64, y: f64) {
        if !(x.is_finite() && y.is_finite()) {
            return;
        }
        self.last = Some([x, y]);
        let ([sum_x, sum_y], count) = self.open;
        self.open = ([sum_x + x, sum_y + y], count + 1);
        if self.open.1 == self.every {
            self.points.push(self.open.0.map(|sum| sum / self.every as f64));
            self.open = ([0.0; 2], 0);
        }
        if self.points.len() > MOST {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let mean =
            |pair: &[[f64; 2]]| [0, 1].map(|axis| pair.iter().map(|at| at[axis]).sum::<f64>() / pair.len() as f64);
        self.points = self.points.chunks_exact(2).map(mean).collect();
        self.every *= 2;
        // A point that found no neighbour is lost with its like: one in thousands.
        self.open = ([0.0; 2], 0);
    }

    /// The points, oldest first.
    pub fn points(&self) -> &[[f64; 2]] {
        &self.points
    }

    /// The latest value itself.
    pub fn last(&self) -> Option<[f64; 2]> {
        self.last
    }

    /// The curve with an exponential mean over it: a `weight` of 0 changes nothing, near 1 almost everything. Early
    /// points are not drawn towards zero.
    pub fn smoothed(&self, weight: f64) -> Vec<[f64; 2]> {
        let weight = weight.clamp(0.0, 0.999);
        let (mut mean, mut share) = (0.0, 0.0);
        let smooth = |&[x, y]: &[f64; 2]| {
            mean = weight * mean + (1.0 - weight) * y;
            share = weight * share + (1.0 - weight);
            [x, mean / share]
        };
        self.points.iter().map(smooth).collect()
    }

    /// The smoothed curve's last value.
    pub fn smoothed_last(&self, weight: f64) -> Option<f64> {
        self.smoothed(weight).last().map(|point| point[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_its_shape_in_bounded_memory() {
        let mut series = Series::default();
        for step in 0..1_000_000 {
            series.push(f64::from(step), f64::from(step) * 2.0);
        }
        assert!(series.points().len() <= MOST && series.points().len() > MOST / 4);
        for [x, y] in series.points() {
            assert!((y - 2.0 * x).abs() < 1e-6, "{x} {y}");
        }
        assert_eq!(series.last(), Some([999_999.0, 1_999_998.0]));
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let mut series = Series::default();
        series.push(1.0, f64::NAN);
        series.push(2.0, 3.0);
        assert_eq!(series.points(), [[2.0, 3.0]]);
    }

    #[test]
    fn smoothing_keeps_a_constant_and_follows_a_step() {
        let mut series = Series::default();
        for step in 0..100 {
            series.push(f64::from(step), if step < 50 { 1.0 } else { 0.0 });
        }
        let smooth = series.smoothed(0.9);
        assert!(
            smooth[..50].iter().all(|point| (point[1] - 1.0).abs() < 1e-12),
            "a constant stays"
        );
        assert!(
            smooth[50][1] > 0.8 && smooth[99][1] < 0.01,
            "{:?} {:?}",
            smooth[50],
            smooth[99]
        );
        assert_eq!(series.smoothed(0.0), series.points());
    }
}
