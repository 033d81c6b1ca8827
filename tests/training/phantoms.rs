//! A data folder of synthetic chests: two dark lungs on a bright body; those of class `covid` have bright patches in
//! the lungs.

use std::fmt::Write as _;
use std::path::Path;

use image::{GrayImage, Luma};
use tempfile::TempDir;

const WIDTH: u32 = 72;
const HEIGHT: u32 = 64;

fn in_lung(x: u32, y: u32, shift: f64) -> bool {
    let (x, y) = (f64::from(x) / f64::from(WIDTH), f64::from(y) / f64::from(HEIGHT));
    [0.3, 0.7]
        .iter()
        .any(|cx| ((x - cx - shift) / 0.14).powi(2) + ((y - 0.5) / 0.33).powi(2) <= 1.0)
}

fn write(folder: &Path, number: u32, covid: bool) {
    let shift = f64::from(number % 5) * 0.012 - 0.024;
    let chest = GrayImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let grain = (x * 7 + y * 13 + number * 29) % 17;
        let patch = covid && (x / 4 + y / 4 + number).is_multiple_of(3);
        let level = match (in_lung(x, y, shift), patch) {
            (true, true) => 130,
            (true, false) => 40,
            (false, _) => 190,
        };
        Luma([(level + grain) as u8])
    });
    let mask = GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([if in_lung(x, y, shift) { 255 } else { 0 }]));
    chest
        .save(folder.join(format!("chest{number}.png")))
        .expect("a picture is written");
    mask.save(folder.join(format!("mask{number}.png")))
        .expect("a picture is written");
}

/// Writes `count` chests, every other one of class `covid`, each its own group.
pub fn folder(count: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut table = "file,label,group,mask,mask_style,mask_origin,view,source\n".to_owned();
    for number in 0..count {
        let covid = number % 2 == 0;
        write(folder.path(), number, covid);
        let label = if covid { "covid" } else { "normal" };
        writeln!(
            table,
            "chest{number}.png,{label},patient-{number},mask{number}.png,lung-field,manual,frontal,phantom"
        )
        .expect("a string takes all");
    }
    std::fs::write(folder.path().join("manifest.csv"), table).expect("a table is written");
    folder
}
