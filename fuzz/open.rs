//! Throws bytes at the opener of DICOM and raster files: `imaging::decode`, then the picture as it is shown.
//!
//! A panic in our own code is a finding; one in a decoder of other people is caught by the opener and is not.
//! The corpus begins with the files that [`seeds`] makes, and with the small ones below `RECOVNET_DICOM` if set.

#![no_main]

#[allow(dead_code, unused_imports, reason = "the fuzzer uses a part of the module")]
#[path = "../src/imaging/mod.rs"]
mod imaging;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};
use libfuzzer_sys::fuzz_target;

/// Largest file of a folder that becomes a seed: fuzzing large files finds little and slowly.
const MAX_SEED_BYTES: u64 = 64 << 10;

fuzz_target!(
    init: {
        tell_panics_apart();
        fill_corpus();
    },
    |data: &[u8]| {
        if let Ok(radiograph) = imaging::decode(Path::new("fuzzed"), data) {
            let shown = radiograph.display(&radiograph.default_voi());
            assert!(shown.len() >= radiograph.pixel_count());
        }
    }
);

/// Aborts on a panic whose place is in this project's sources; others unwind to where the opener catches them.
fn tell_panics_apart() {
    std::panic::set_hook(Box::new(|panic| {
        let file = panic.location().map_or("", |place| place.file());
        if !file.contains("/registry/") && !file.starts_with("/rustc/") {
            eprintln!("{panic}");
            std::process::abort();
        }
    }));
}

fn fill_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/open");
    std::fs::create_dir_all(&corpus).expect("the corpus folder can be made");
    for (index, bytes) in seeds().into_iter().enumerate() {
        std::fs::write(corpus.join(format!("seed-{index:03}")), bytes).expect("the corpus folder is writable");
    }
    let Some(folder) = std::env::var_os("RECOVNET_DICOM").map(PathBuf::from) else {
        return;
    };
    for path in imaging::candidates(&folder) {
        let small = path.metadata().is_ok_and(|metadata| metadata.len() <= MAX_SEED_BYTES);
        if let (true, Some(name)) = (small, path.file_name()) {
            std::fs::copy(&path, corpus.join(name)).expect("the corpus folder is writable");
        }
    }
}

/// The phantom as DICOM and in every raster format, in grey, colour, with transparency, in 8 and 16 bits.
fn seeds() -> Vec<Vec<u8>> {
    let png = imaging::phantom::png_bytes(24, 24).expect("the phantom is a PNG");
    let picture = image::load_from_memory(&png).expect("a PNG");
    let forms: [DynamicImage; 5] = [
        picture.to_luma8().into(),
        picture.to_luma16().into(),
        picture.to_luma_alpha8().into(),
        picture.to_rgb8().into(),
        picture.to_rgba16().into(),
    ];
    let mut seeds = vec![imaging::phantom::dicom_bytes(16, 16).expect("the phantom is a DICOM file")];
    for form in &forms {
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::Tiff,
            ImageFormat::Bmp,
            ImageFormat::WebP,
        ] {
            let mut bytes = Cursor::new(Vec::new());
            // Not every format takes every form.
            if form.write_to(&mut bytes, format).is_ok() {
                seeds.push(bytes.into_inner());
            }
        }
    }
    seeds
}
