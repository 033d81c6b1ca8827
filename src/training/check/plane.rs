//! A picture reduced to a small grey square: what the check keeps of each image while it runs. Planes lie in a
//! nameless temporary file, so that any number of images can be compared without their pixels in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use parking_lot::Mutex;

/// Rows and columns of a kept plane, in pixels: the scale at which correlation decides.
pub const SIDE: usize = 96;
/// Pixels of a kept plane.
pub const PIXELS: usize = SIDE * SIDE;

/// A square of grey values in 0..=255, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// Rows and columns, in pixels.
    pub side: usize,
    /// `side * side` values.
    pub values: Vec<f32>,
}

impl Plane {
    /// A plane of eight-bit greys.
    ///
    /// # Panics
    /// If there are not `side * side` of them.
    pub fn new(side: usize, greys: &[u8]) -> Self {
        assert_eq!(greys.len(), side * side, "rows times columns");
        Self {
            side,
            values: greys.iter().map(|&grey| f32::from(grey)).collect(),
        }
    }

    /// Means of squares of `factor` x `factor` pixels.
    ///
    /// # Panics
    /// If `factor` does not divide the side.
    #[must_use]
    pub fn reduced(&self, factor: usize) -> Self {
        assert_eq!(self.side % factor, 0, "the side is a multiple of the factor");
        let side = self.side / factor;
        let mut values = vec![0.0; side * side];
        for (y, line) in self.values.chunks_exact(self.side).enumerate() {
            let target = &mut values[y / factor * side..][..side];
            for (sum, cells) in target.iter_mut().zip(line.chunks_exact(factor)) {
                *sum += cells.iter().sum::<f32>();
            }
        }
        let share = 1.0 / (factor * factor) as f32;
        for value in &mut values {
            *value *= share;
        }
        Self { side, values }
    }

    /// The plane after a separable filter with an odd, symmetric kernel; borders repeat.
    #[must_use]
    pub fn filtered(&self, kernel: &[f32]) -> Self {
        let side = self.side;
        let across = filter_lines(&self.values, side, kernel);
        let down = transposed(&filter_lines(&transposed(&across, side), side, kernel), side);
        Self { side, values: down }
    }
}

fn transposed(values: &[f32], side: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (y, line) in values.chunks_exact(side).enumerate() {
        for (x, &value) in line.iter().enumerate() {
            out[x * side + y] = value;
        }
    }
    out
}

fn filter_lines(values: &[f32], side: usize, kernel: &[f32]) -> Vec<f32> {
    let reach = kernel.len() / 2;
    let mut padded = vec![0.0; side + 2 * reach];
    let mut out = vec![0.0_f32; values.len()];
    for (line, target) in values.chunks_exact(side).zip(out.chunks_exact_mut(side)) {
        padded[..reach].fill(line[0]);
        padded[reach..reach + side].copy_from_slice(line);
        padded[reach + side..].fill(line[side - 1]);
        for (i, weight) in kernel.iter().enumerate() {
            for (sum, value) in target.iter_mut().zip(&padded[i..i + side]) {
                *sum += weight * value;
            }
        }
    }
    out
}

/// A Gaussian of a standard deviation in pixels, cut at three of them.
pub fn gaussian(deviation: f32) -> Vec<f32> {
    let reach = (3.0 * deviation).ceil() as i32;
    let raw: Vec<f32> = (-reach..=reach)
        .map(|x| (-((x * x) as f32) / (2.0 * deviation * deviation)).exp())
        .collect();
    let sum: f32 = raw.iter().sum();
    raw.iter().map(|value| value / sum).collect()
}

/// Planes of [`PIXELS`] bytes by number, in a temporary file that is gone when this is dropped.
#[derive(Debug)]
pub struct PlaneFile {
    file: Mutex<File>,
}

impl PlaneFile {
    /// An empty file in `folder`, or in the system's folder for temporary files.
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn create(folder: Option<&Path>) -> io::Result<Self> {
        let file = match folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        file.map(|file| Self { file: Mutex::new(file) })
    }

    /// Keeps a plane under a number.
    ///
    /// # Errors
    /// If the file cannot grow, such as on a full disk.
    pub fn write(&self, number: usize, greys: &[u8]) -> io::Result<()> {
        let mut file = self.file.lock();
        file.seek(SeekFrom::Start((number * PIXELS) as u64))?;
        file.write_all(greys)
    }

    /// The plane of a number that was written.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, number: usize) -> io::Result<Vec<u8>> {
        let mut greys = vec![0; PIXELS];
        let mut file = self.file.lock();
        file.seek(SeekFrom::Start((number * PIXELS) as u64))?;
        file.read_exact(&mut greys)?;
        Ok(greys)
    }
}
