//! Every data set's layout, with the exact names of its download; splits, the paper's table, and what is wrong.

mod bad_input;
mod chestxray14;
mod command;
mod indiana;
mod jsrt;
mod kermany;
mod montgomery;
mod paper_table;
mod qata;
mod shenzhen;
mod split;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use recovnet::training::dataset::{self, Options};
use recovnet::training::manifest::{Manifest, Row};
use tempfile::TempDir;

/// A data folder that a test fills.
pub struct Fixture(TempDir);

impl Fixture {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where a file lies; the folders above it are made.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders are made");
        path
    }

    pub fn text(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).expect("written");
    }

    /// A picture of 12 x 10 pixels that is another one for every seed.
    pub fn picture(&self, name: &str, seed: u32) {
        let mut picture = GrayImage::from_fn(12, 10, |x, y| Luma([(x * 7 + y * 13 + seed * 31 % 97) as u8]));
        let [low, high, ..] = seed.to_le_bytes();
        picture.put_pixel(0, 0, Luma([low]));
        picture.put_pixel(1, 0, Luma([high]));
        self.save(name, &picture);
    }

    /// A mask of which the columns in `inside` are 255.
    pub fn mask(&self, name: &str, (width, height): (u32, u32), inside: std::ops::Range<u32>) {
        let mask = GrayImage::from_fn(width, height, |x, _| Luma([if inside.contains(&x) { 255 } else { 0 }]));
        self.save(name, &mask);
    }

    fn save(&self, name: &str, picture: &GrayImage) {
        let path = self.file(name);
        let format = ImageFormat::from_path(&path).expect("an ending");
        let picture = DynamicImage::ImageLuma8(picture.clone());
        let picture = if format == ImageFormat::Gif {
            picture.into_rgba8().into()
        } else {
            picture
        };
        picture.save_with_format(path, format).expect("a picture is written");
    }

    pub fn open(&self) -> Manifest {
        self.open_with(&Options::default())
    }

    pub fn open_with(&self, options: &Options) -> Manifest {
        dataset::open(self.path(), options).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn refusal(&self, options: &Options) -> String {
        dataset::open(self.path(), options)
            .expect_err("it is refused")
            .to_string()
    }
}

/// How many rows there are of every value.
pub fn count<T: Ord>(rows: &[Row], value: impl Fn(&Row) -> T) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(value(row)).or_default() += 1;
    }
    counts
}

/// The row of a file.
pub fn row<'a>(manifest: &'a Manifest, file: &str) -> &'a Row {
    let files: Vec<&str> = manifest.rows.iter().map(|row| row.file.as_str()).collect();
    let found = manifest.rows.iter().find(|row| row.file == file);
    found.unwrap_or_else(|| panic!("no {file} among {files:?}"))
}
