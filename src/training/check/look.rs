//! One look at one image: it is decoded once, reduced, and its pixels are forgotten. Knows no other image.

use std::io;

use crate::imaging;
use crate::nn::{Aspect, InputSpec};
use crate::preprocess;
use crate::training::manifest::Row;
use crate::training::sample;

use super::hash::{Describer, Frequencies};
use super::histogram::GREYS;
use super::plane::{PIXELS, Plane, PlaneFile, SIDE};

/// What stays of a readable image.
#[derive(Debug, Clone)]
pub struct Look {
    /// SHA-256 of the decoded picture, whatever its file format.
    pub content: [u8; 32],
    /// Columns and rows, in pixels.
    pub size: (u32, u32),
    /// Low frequencies, unless it is nearly one grey.
    pub frequencies: Option<Frequencies>,
}

/// What is only counted of it.
pub struct Greys {
    /// Mean grey, 0 to 1.
    pub mean: f64,
    /// Pixels of the kept plane in each class of grey.
    pub counts: [u32; GREYS],
}

/// One row after its look.
pub struct Seen {
    /// The image, or why it cannot be used.
    pub look: Result<(Look, Greys), String>,
    /// Why its mask cannot be used.
    pub mask: Option<String>,
}

/// Looks at a row's image and mask, and keeps the image's plane under a number.
///
/// # Errors
/// If the plane cannot be kept; a file that cannot be used is none.
pub fn look_at(row: &Row, number: usize, describer: &Describer, planes: &PlaneFile) -> io::Result<Seen> {
    let image = match imaging::open(&row.path) {
        Ok(image) => image,
        Err(error) => {
            return Ok(Seen {
                look: Err(cause(error)),
                mask: None,
            });
        }
    };
    let mask = row.mask.as_ref().and_then(|mask| {
        let read = sample::read_masks(mask, image.width, image.height);
        read.err().map(|error| match error {
            sample::Error::Mask { reason, .. } => reason,
            other => other.to_string(),
        })
    });
    let spec = InputSpec {
        width: SIDE,
        height: SIDE,
        aspect: Aspect::Stretch,
        ..InputSpec::default()
    };
    let input = match preprocess::grey(&image, &spec) {
        Ok(input) => input,
        Err(error) => {
            return Ok(Seen {
                look: Err(error.to_string()),
                mask,
            });
        }
    };
    let greys: Vec<u8> = input.pixels.iter().map(|value| (value * 255.0).round() as u8).collect();
    planes.write(number, &greys)?;
    let mut counts = [0; GREYS];
    for &grey in &greys {
        counts[usize::from(grey) * GREYS / 256] += 1;
    }
    let sum: f64 = input.pixels.iter().map(|&value| f64::from(value)).sum();
    let look = Look {
        content: image.content_hash,
        size: (image.width, image.height),
        frequencies: describer.describe(&Plane::new(SIDE, &greys)),
    };
    let greys = Greys {
        mean: sum / PIXELS as f64,
        counts,
    };
    Ok(Seen {
        look: Ok((look, greys)),
        mask,
    })
}

/// Why a file cannot be read, without its name, which stands beside it.
fn cause(error: imaging::Error) -> String {
    match error {
        imaging::Error::Read { cause, .. } => format!("cannot be read: {cause}"),
        imaging::Error::Undecodable { reason, .. } => reason,
    }
}
