//! Random shifts and rotations exactly as Keras's `ImageDataGenerator` makes them (paper section 2.4): bilinear,
//! borders repeated. Knows grey planes only.

use rand::Rng;

/// Ranges that a transform is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Augmentation {
    /// Largest shift, as a share of the side.
    pub shift: f64,
    /// Largest rotation, in degrees.
    pub rotation_deg: f64,
}

impl Augmentation {
    /// Shifts of 10 % and rotations of 10 degrees.
    pub const PAPER: Self = Self {
        shift: 0.1,
        rotation_deg: 10.0,
    };

    /// Draws a transform for a plane of `height` x `width` pixels; shifts are continuous.
    pub fn draw(&self, height: usize, width: usize, rng: &mut impl Rng) -> Transform {
        let mut uniform = |range: f64| {
            if range > 0.0 {
                rng.random_range(-range..range)
            } else {
                0.0
            }
        };
        let theta_deg = uniform(self.rotation_deg);
        let tx = uniform(self.shift) * height as f64;
        let ty = uniform(self.shift) * width as f64;
        Transform { theta_deg, tx, ty }
    }
}

/// One transform with Keras's parameters. Keras swaps the axes of its matrix at the end: `tx` (drawn from the
/// height) moves columns, `ty` rows, the rotation turns the other way round, and the centre is off for planes
/// that are not square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transform {
    /// Rotation, in degrees.
    pub theta_deg: f64,
    /// Shift along columns, in pixels.
    pub tx: f64,
    /// Shift along rows, in pixels.
    pub ty: f64,
}

impl Transform {
    /// Matrix that takes `(row, column, 1)` of an output pixel to `(row, column)` of the input.
    pub fn matrix(&self, height: usize, width: usize) -> [[f64; 3]; 2] {
        let (sin, cos) = self.theta_deg.to_radians().sin_cos();
        let (center_a, center_b) = (height as f64 / 2.0 - 0.5, width as f64 / 2.0 - 0.5);
        // C . R . T . C^-1 over Keras's axes (a, b), then a and b change places.
        let a = cos * (self.tx - center_a) - sin * (self.ty - center_b) + center_a;
        let b = sin * (self.tx - center_a) + cos * (self.ty - center_b) + center_b;
        [[cos, sin, b], [-sin, cos, a]]
    }

    /// Warps a row-major plane: bilinear, coordinates clamped to the plane.
    ///
    /// # Panics
    /// If the plane does not hold `height * width` values.
    pub fn apply(&self, plane: &[f32], height: usize, width: usize) -> Vec<f32> {
        assert_eq!(plane.len(), height * width, "height times width of the plane");
        let [[yy, yx, y0], [xy, xx, x0]] = self.matrix(height, width);
        let (last_y, last_x) = ((height - 1) as f64, (width - 1) as f64);
        let mut out = Vec::with_capacity(plane.len());
        for row in 0..height {
            for column in 0..width {
                let (r, c) = (row as f64, column as f64);
                let y = (yy * r + yx * c + y0).clamp(0.0, last_y);
                let x = (xy * r + xx * c + x0).clamp(0.0, last_x);
                let (top, left) = (y as usize, x as usize);
                let (bottom, right) = ((top + 1).min(height - 1), (left + 1).min(width - 1));
                let (fy, fx) = ((y - top as f64) as f32, (x - left as f64) as f32);
                let (upper, lower) = (&plane[top * width..][..width], &plane[bottom * width..][..width]);
                let u = upper[left] + (upper[right] - upper[left]) * fx;
                let l = lower[left] + (lower[right] - lower[left]) * fx;
                out.push(u + (l - u) * fy);
            }
        }
        out
    }

    /// Warps a mask of 0 and 1 as the picture is warped; inside from one half on.
    ///
    /// # Panics
    /// As [`Self::apply`].
    pub fn apply_mask(&self, mask: &[u8], height: usize, width: usize) -> Vec<u8> {
        let plane: Vec<f32> = mask.iter().map(|&p| f32::from(p)).collect();
        self.apply(&plane, height, width)
            .iter()
            .map(|&value| u8::from(value >= 0.5))
            .collect()
    }
}
