//! A radiograph made ready for the screen, off the window's thread: smaller levels for zooming out, the windows
//! it can be shown with, a thumbnail. Knows no textures.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::overlays::file_graphics::FileGraphics;
use super::ruler::calibrations;
use super::wording;
use crate::imaging::{Radiograph, Samples, VoiTransform};

/// Which picture: what the image list counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PictureKey {
    /// One frame of a file, counted from 1.
    File {
        /// The file.
        path: PathBuf,
        /// Frame number.
        frame: u32,
    },
    /// The synthetic chest phantom.
    Sample,
}

impl PictureKey {
    /// First frame of a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File {
            path: path.into(),
            frame: 1,
        }
    }

    /// What the window calls it.
    pub fn label(&self) -> String {
        match self {
            Self::File { path, .. } => wording::name_of(path),
            Self::Sample => "Synthetic chest phantom".to_owned(),
        }
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Sample => None,
        }
    }
}

/// One way to make the picture visible, offered by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// `Auto`, the file's own explanation, or `Full range`.
    pub name: String,
    /// What it does.
    pub transform: VoiTransform,
}

/// Samples of every level; level n is 2^n times smaller, its pixels are means of the level before.
#[derive(Debug, Clone)]
pub enum Levels {
    /// Offset-binary stored values.
    Grey(Vec<Arc<Vec<u16>>>),
    /// Wide stored values, less [`Picture::sample_offset`].
    Real(Vec<Arc<Vec<f32>>>),
    /// RGBA, alpha 255.
    Colour(Vec<Arc<Vec<[u8; 4]>>>),
}

/// A small picture for the list, RGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Columns and rows.
    pub size: [usize; 2],
    /// Row-major.
    pub rgb: Vec<[u8; 3]>,
}

/// A radiograph with what the screen needs beside it.
#[derive(Debug, Clone)]
pub struct Picture {
    /// What was read.
    pub radiograph: Arc<Radiograph>,
    /// For the textures.
    pub levels: Levels,
    /// What the file draws on it, if anything.
    pub graphics: Option<FileGraphics>,
    /// The automatic window first, then what the file offers; empty for colour pictures.
    pub presets: Vec<Preset>,
    /// The preset it opens with.
    pub default_preset: usize,
    /// What to add to a sample of [`Picture::levels`] to get the stored value.
    pub sample_offset: f64,
    /// For the list.
    pub thumbnail: Thumbnail,
    /// What its calibration is kept under.
    pub calibration_key: [u8; 32],
    /// Reading and decoding, without the levels.
    pub decode: Duration,
}

/// Longer side of a thumbnail, in pixels.
const THUMBNAIL: u32 = 96;
/// Levels below this side are of no use.
const SMALLEST_LEVEL: u32 = 64;

impl Picture {
    /// Prepares a radiograph.
    pub fn new(radiograph: Radiograph, decode: Duration) -> Self {
        let levels = levels(&radiograph);
        let graphics = FileGraphics::new(&radiograph, levels.count());
        let presets = presets(&radiograph);
        let default_preset = 1.min(presets.len().saturating_sub(1));
        let voi = presets.get(default_preset).map(|preset| &preset.transform);
        let thumbnail = thumbnail(&radiograph, &levels, voi);
        Self {
            sample_offset: sample_offset(&radiograph),
            calibration_key: calibrations::key_of(&radiograph),
            radiograph: Arc::new(radiograph),
            levels,
            graphics,
            presets,
            default_preset,
            thumbnail,
            decode,
        }
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        let levels = match &self.levels {
            Levels::Grey(levels) => levels.iter().map(|level| level.len() * 2).sum::<usize>(),
            Levels::Real(levels) => levels.iter().map(|level| level.len() * 4).sum(),
            Levels::Colour(levels) => levels.iter().map(|level| level.len() * 4).sum(),
        };
        let samples = match &self.radiograph.samples {
            Samples::Grey(_) => 0,
            Samples::Wide(wide) => wide.values.len() * 8,
            Samples::Colour(rgb) => rgb.len() * 3,
        };
        let graphics = self.graphics.iter().flat_map(|graphics| &graphics.levels);
        levels + samples + graphics.map(Vec::len).sum::<usize>()
    }

    /// Number of levels, at least 1.
    pub fn level_count(&self) -> u32 {
        self.levels.count()
    }
}

impl Levels {
    /// Number of levels, at least 1.
    fn count(&self) -> u32 {
        let count = match self {
            Self::Grey(levels) => levels.len(),
            Self::Real(levels) => levels.len(),
            Self::Colour(levels) => levels.len(),
        };
        count as u32
    }
}

/// Columns and rows of a level.
pub fn level_size(size: [u32; 2], level: u32) -> [u32; 2] {
    size.map(|side| (side >> level).max(1))
}

fn levels(radiograph: &Radiograph) -> Levels {
    let size = [radiograph.width, radiograph.height];
    match &radiograph.samples {
        Samples::Grey(stored) => Levels::Grey(pyramid(size, Arc::clone(&stored.values), |four| {
            let sum: u32 = four.iter().map(|&value| u32::from(value)).sum();
            ((sum + 2) / 4) as u16
        })),
        Samples::Wide(wide) => {
            let middle = wide.middle();
            // What is no number is drawn as the darkest value of a picture that is not inverted.
            let lowest = (wide.finite_range().0 - middle) as f32;
            let number = |&value: &f64| {
                if value.is_nan() {
                    lowest
                } else {
                    (value - middle) as f32
                }
            };
            let full = Arc::new(wide.values.iter().map(number).collect());
            Levels::Real(pyramid(size, full, |four| four.iter().sum::<f32>() / 4.0))
        }
        Samples::Colour(rgb) => {
            let rgba = Arc::new(rgb.iter().map(|&[r, g, b]| [r, g, b, u8::MAX]).collect());
            Levels::Colour(pyramid(size, rgba, |four| {
                [0, 1, 2, 3].map(|c| {
                    let sum: u32 = four.iter().map(|pixel| u32::from(pixel[c])).sum();
                    ((sum + 2) / 4) as u8
                })
            }))
        }
    }
}

/// Halves until the shorter side is small; an odd last row or column is left out, positions stay exact.
fn pyramid<T: Copy>(size: [u32; 2], full: Arc<Vec<T>>, mean: impl Fn([T; 4]) -> T) -> Vec<Arc<Vec<T>>> {
    let mut levels = vec![full];
    loop {
        let level = levels.len() as u32;
        let [width, height] = level_size(size, level - 1).map(|side| side as usize);
        if width.min(height) < 2 * SMALLEST_LEVEL as usize {
            return levels;
        }
        let above = &levels[levels.len() - 1];
        let below = (0..height / 2)
            .flat_map(|row| (0..width / 2).map(move |column| 2 * row * width + 2 * column))
            .map(|at| mean([above[at], above[at + 1], above[at + width], above[at + width + 1]]))
            .collect();
        levels.push(Arc::new(below));
    }
}

/// What to add to a texture's sample to get the stored value.
pub fn sample_offset(radiograph: &Radiograph) -> f64 {
    match &radiograph.samples {
        Samples::Grey(stored) => f64::from(stored.offset),
        Samples::Wide(wide) => wide.middle(),
        Samples::Colour(_) => 0.0,
    }
}

/// Automatic first, then what the file offers, or its full range if it offers nothing.
fn presets(radiograph: &Radiograph) -> Vec<Preset> {
    if radiograph.is_colour() {
        return Vec::new();
    }
    let auto = VoiTransform::Window(radiograph.auto_window());
    let mut presets = vec![Preset {
        name: "Auto".to_owned(),
        transform: auto,
    }];
    presets.extend(radiograph.voi_luts.iter().map(|voi| Preset {
        name: voi.explanation.clone(),
        transform: voi.transform.clone(),
    }));
    if radiograph.voi_luts.is_empty() {
        presets.push(Preset {
            name: "Full range".to_owned(),
            transform: radiograph.default_voi(),
        });
    }
    presets
}

fn thumbnail(radiograph: &Radiograph, levels: &Levels, voi: Option<&VoiTransform>) -> Thumbnail {
    let size = [radiograph.width, radiograph.height];
    let wanted = |level: u32| level_size(size, level).iter().all(|&side| side >= THUMBNAIL);
    let level = (0..levels.count()).rev().find(|&level| wanted(level)).unwrap_or(0);
    let [width, height] = level_size(size, level);
    let scale = (f64::from(THUMBNAIL) / f64::from(width.max(height))).min(1.0);
    let columns = ((f64::from(width) * scale) as usize).max(1);
    let rows = ((f64::from(height) * scale) as usize).max(1);
    let at = |column: usize, row: usize| {
        let x = (column * width as usize / columns).min(width as usize - 1);
        let y = (row * height as usize / rows).min(height as usize - 1);
        y * width as usize + x
    };
    let offset = sample_offset(radiograph);
    let grey = |stored: f64| {
        let display = voi.map_or(0.0, |voi| radiograph.display_value(stored, voi));
        [(display * 255.0).round() as u8; 3]
    };
    let pixel = |index: usize| match levels {
        Levels::Colour(levels) => {
            let [r, g, b, _] = levels[level as usize][index];
            [r, g, b]
        }
        Levels::Grey(levels) => grey(f64::from(levels[level as usize][index]) + offset),
        Levels::Real(levels) => grey(f64::from(levels[level as usize][index]) + offset),
    };
    let rgb = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| at(column, row)))
        .map(pixel)
        .collect();
    Thumbnail {
        size: [columns, rows],
        rgb,
    }
}
