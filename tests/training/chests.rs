//! Synthetic chests that differ as patients do: each number has lungs, ribs, vessels and a heart of its own.

use std::path::Path;

use image::{GrayImage, Luma};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recovnet::training::split::Part;

/// A chest of `side` rows and columns.
pub fn chest(number: u64, side: u32) -> GrayImage {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let mut draw = |low: f64, high: f64| rng.random_range(low..high);
    let lungs = [0.3, 0.7].map(|x| {
        let centre = (x + draw(-0.05, 0.05), 0.48 + draw(-0.06, 0.06));
        (centre, (draw(0.11, 0.18), draw(0.26, 0.38)), draw(-0.25, 0.25))
    });
    let heart = (
        (0.54 + draw(-0.06, 0.06), 0.62 + draw(-0.06, 0.06)),
        (draw(0.1, 0.18), draw(0.1, 0.2)),
    );
    let (spacing, phase, bend) = (draw(0.06, 0.1), draw(0.0, 1.0), draw(0.2, 0.9));
    let vessels: Vec<[f64; 4]> = (0..60)
        .map(|_| [draw(0.15, 0.85), draw(0.15, 0.85), draw(0.012, 0.04), draw(-34.0, 34.0)])
        .collect();
    let ground = (draw(120.0, 190.0), draw(-40.0, 40.0), draw(-40.0, 40.0));
    GrayImage::from_fn(side, side, |x, y| {
        let (u, v) = (
            (f64::from(x) + 0.5) / f64::from(side),
            (f64::from(y) + 0.5) / f64::from(side),
        );
        let mut grey = ground.0 + ground.1 * (u - 0.5) + ground.2 * (v - 0.5);
        let soft = |distance: f64| 1.0 / (1.0 + ((distance - 1.0) * 12.0).exp());
        for &((cx, cy), (rx, ry), tilt) in &lungs {
            let (dx, dy) = (u - cx - tilt * (v - cy), v - cy);
            grey -= 85.0 * soft(((dx / rx).powi(2) + (dy / ry).powi(2)).sqrt());
        }
        let ((hx, hy), (rx, ry)) = heart;
        grey += 45.0 * soft((((u - hx) / rx).powi(2) + ((v - hy) / ry).powi(2)).sqrt());
        let rib = (v + bend * (u - 0.5).powi(2)) / spacing + phase;
        grey += 11.0 * (std::f64::consts::TAU * rib).sin();
        for [vx, vy, radius, height] in &vessels {
            let distance = ((u - vx).powi(2) + (v - vy).powi(2)) / (radius * radius);
            if distance < 9.0 {
                grey += height * (-distance).exp();
            }
        }
        Luma([grey.clamp(0.0, 255.0).round() as u8])
    })
}

/// The picture after JPEG compression.
pub fn jpeg(picture: &GrayImage, quality: u8) -> GrayImage {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .expect("a picture is encoded");
    image::load_from_memory(&bytes).expect("it is a picture").into_luma8()
}

/// The picture without these shares at left, top, right and bottom.
pub fn cropped(picture: &GrayImage, shares: [f64; 4]) -> GrayImage {
    let (width, height) = picture.dimensions();
    let part = |share: f64, of: u32| (share * f64::from(of)).round() as u32;
    let [left, top, right, bottom] = shares;
    let (x, y) = (part(left, width), part(top, height));
    let size = (width - x - part(right, width), height - y - part(bottom, height));
    image::imageops::crop_imm(picture, x, y, size.0, size.1).to_image()
}

/// The picture with another gamma.
pub fn with_gamma(picture: &GrayImage, gamma: f64) -> GrayImage {
    let mut changed = picture.clone();
    for pixel in changed.pixels_mut() {
        pixel.0[0] = (255.0 * (f64::from(pixel.0[0]) / 255.0).powf(gamma)).round() as u8;
    }
    changed
}

/// A group of a part, another one for every number.
pub fn group_in(part: Part, number: usize) -> String {
    let names = (0..).map(|try_| format!("patient-{number}-{try_}"));
    let mut names = names.filter(|name| Part::of(name) == part);
    names.next().expect("every part has groups")
}

/// A data folder of pictures with their labels and groups.
pub struct Folder {
    pub folder: tempfile::TempDir,
    rows: Vec<String>,
}

impl Folder {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            rows: Vec::new(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a picture as a PNG file.
    pub fn add(&mut self, name: &str, picture: &GrayImage, group: &str) {
        picture.save(self.path().join(name)).expect("a picture is written");
        self.add_row(name, group);
    }

    /// Adds a line to the table; labels alternate.
    pub fn add_row(&mut self, name: &str, group: &str) {
        let label = if self.rows.len().is_multiple_of(2) {
            "covid"
        } else {
            "normal"
        };
        self.rows.push(format!("{name},{label},{group},made,frontal"));
        let table = format!("file,label,group,source,view\n{}\n", self.rows.join("\n"));
        std::fs::write(self.path().join("manifest.csv"), table).expect("a table is written");
    }
}
