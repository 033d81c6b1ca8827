//! Pictures of the watch-list after an epoch, read from the run folder on a thread: the input, the map over it, the
//! lungs' outline. Knows no window.

use std::path::Path;

use crate::report::colormap::Colormap;
use crate::training::event::Watched;
use crate::viewer::picture::Thumbnail;

/// Largest side of a picture that is read, in pixels; the network's input is smaller.
const LARGEST_SIDE: u32 = 4096;
/// The activation map's alpha at its maximum.
const OPACITY: f32 = 0.6;
/// That of a lung probability, which covers all of the lungs.
const LUNG_OPACITY: f32 = 0.25;
/// Share of the maximum below which the map is not drawn.
const HIDDEN_BELOW: f32 = 0.15;

/// An image of the watch-list, ready to be drawn.
#[derive(Debug, Clone)]
pub struct Tile {
    /// What the run says of it.
    pub watched: Watched,
    /// Input with map and outline; a sentence where the files cannot be read.
    pub picture: Result<Thumbnail, String>,
}

/// An epoch of the watch-list, ready to be drawn.
#[derive(Debug, Clone)]
pub struct WatchedEpoch {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Its images.
    pub tiles: Vec<Tile>,
}

/// Reads the pictures of an epoch. `outline` is the colour of the lungs' outline.
pub fn read(run: &Path, epoch: usize, images: &[Watched], outline: [u8; 3]) -> WatchedEpoch {
    let tile = |watched: &Watched| Tile {
        watched: watched.clone(),
        picture: compose(run, watched, outline),
    };
    WatchedEpoch {
        epoch,
        tiles: images.iter().map(tile).collect(),
    }
}

fn compose(run: &Path, watched: &Watched, outline: [u8; 3]) -> Result<Thumbnail, String> {
    let image = open(run, &watched.image)?.into_luma8();
    let map = open(run, &watched.map)?.into_luma16();
    let mask = watched.mask.as_ref().map(|path| open(run, path)).transpose()?;
    let mask = mask.map(image::DynamicImage::into_luma8);
    let size = image.dimensions();
    let fits = map.dimensions() == size && mask.as_ref().is_none_or(|mask| mask.dimensions() == size);
    if !fits {
        return Err("image, map and mask are not of one size".to_owned());
    }
    // Only an activation map had another largest value before it was scaled.
    let opacity = if watched.largest.is_some() {
        OPACITY
    } else {
        LUNG_OPACITY
    };
    let colours = Colormap::Inferno.table();
    let pixel = |x: u32, y: u32| {
        let grey = f32::from(image.get_pixel(x, y).0[0]);
        let share = f32::from(map.get_pixel(x, y).0[0]) / f32::from(u16::MAX);
        let on_outline = |mask: &image::GrayImage| is_edge(|x, y| mask.get_pixel(x, y).0[0] > 127, size, x, y);
        if mask.as_ref().is_some_and(on_outline) {
            return outline;
        }
        // Alpha grows with the value, so that the anatomy stays readable.
        let alpha = if share < HIDDEN_BELOW {
            0.0
        } else {
            opacity * share.sqrt()
        };
        let colour = colours[(share * 255.0).round() as usize];
        colour.map(|channel| (grey * (1.0 - alpha) + f32::from(channel) * alpha).round() as u8)
    };
    let (width, height) = size;
    let rgb = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    Ok(Thumbnail {
        size: [width as usize, height as usize],
        rgb: rgb.map(|(x, y)| pixel(x, y)).collect(),
    })
}

/// Whether a pixel inside a mask of a size has a neighbour outside it.
pub fn is_edge(inside: impl Fn(u32, u32) -> bool, (width, height): (u32, u32), x: u32, y: u32) -> bool {
    let (right, bottom) = (width - 1, height - 1);
    inside(x, y)
        && (x > 0 && !inside(x - 1, y)
            || y > 0 && !inside(x, y - 1)
            || x < right && !inside(x + 1, y)
            || y < bottom && !inside(x, y + 1))
}

fn open(run: &Path, file: &Path) -> Result<image::DynamicImage, String> {
    let path = run.join(file);
    let fail = |reason: String| format!("{}: {reason}", path.display());
    let reader = image::ImageReader::open(&path).map_err(|e| fail(e.to_string()))?;
    let mut reader = reader.with_guessed_format().map_err(|e| fail(e.to_string()))?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    reader.limits(limits);
    reader.decode().map_err(|e| fail(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(mask: bool) -> Watched {
        Watched {
            number: 0,
            file: "a.png".to_owned(),
            covid19: true,
            image: "image.png".into(),
            map: "map.png".into(),
            mask: mask.then(|| "mask.png".into()),
            score: Some(0.5),
            largest: Some(1.0),
            in_lung: None,
            chance: None,
        }
    }

    #[test]
    fn the_outline_and_the_map_lie_on_the_image() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        image::GrayImage::from_pixel(8, 8, image::Luma([100]))
            .save(at("image.png"))
            .expect("an image");
        let map = |x: u32, _| image::Luma([if x == 7 { u16::MAX } else { 0 }]);
        image::ImageBuffer::from_fn(8, 8, map)
            .save(at("map.png"))
            .expect("a map");
        let mask = |x: u32, y: u32| {
            image::Luma([if (2..5).contains(&x) && (2..5).contains(&y) {
                255
            } else {
                0
            }])
        };
        image::GrayImage::from_fn(8, 8, mask)
            .save(at("mask.png"))
            .expect("a mask");
        let read = read(folder.path(), 3, &[watched(true)], [1, 2, 3]);
        let picture = read.tiles[0].picture.as_ref().expect("the picture is composed");
        let pixel = |x: usize, y: usize| picture.rgb[y * 8 + x];
        assert_eq!(pixel(2, 2), [1, 2, 3], "the outline");
        assert_eq!(pixel(3, 3), [100; 3], "inside the outline");
        assert_eq!(pixel(0, 0), [100; 3], "where there is no map");
        assert_ne!(pixel(7, 7), [100; 3], "where the map is largest");
    }

    #[test]
    fn a_missing_file_is_said_by_its_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let read = read(folder.path(), 1, &[watched(false)], [0; 3]);
        let problem = read.tiles[0].picture.as_ref().expect_err("nothing to read");
        assert!(problem.contains("image.png"), "{problem}");
    }
}
