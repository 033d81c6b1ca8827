//! Broken bytes: whatever they are, opening ends in a picture or a sentence. `RECOVNET_MUTANTS` names a folder
//! of broken files with a `manifest.csv` (columns `file` and `expect`: error, either or show).

use std::path::PathBuf;

use image::ImageFormat;
use proptest::prelude::*;
use recovnet::imaging::{self, phantom};

use crate::fixture::open_bytes;

/// Opens bytes; a sentence about a decoder that gave up counts as a fault in our own reading.
fn opens_or_says_why(bytes: &[u8], ours: bool) {
    match open_bytes(bytes) {
        Ok(radiograph) => {
            let shown = radiograph.display(&radiograph.default_voi());
            assert!(shown.len() >= radiograph.pixel_count());
        }
        Err(error) => {
            let sentence = error.to_string();
            assert!(!ours || !sentence.contains("no decoder copes"), "{sentence}");
        }
    }
}

fn damaged(mut bytes: Vec<u8>, hits: &[(prop::sample::Index, u8)], keep: Option<prop::sample::Index>) -> Vec<u8> {
    for (place, value) in hits {
        let at = place.index(bytes.len());
        bytes[at] = *value;
    }
    if let Some(keep) = keep {
        bytes.truncate(keep.index(bytes.len()));
    }
    bytes
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let png = phantom::png_bytes(24, 24).expect("made");
    let grey = image::load_from_memory(&png).expect("a PNG").into_luma8();
    let mut bytes = std::io::Cursor::new(Vec::new());
    grey.write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_dicom_never_panics(
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        in_header in any::<bool>(),
        keep in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let whole = phantom::dicom_bytes(8, 8).expect("made");
        let header = whole.len() - 128;
        let bytes = if in_header {
            let mut bytes = damaged(whole[132..header].to_vec(), &hits, None);
            bytes.splice(0..0, whole[..132].iter().copied());
            bytes.extend(&whole[header..]);
            bytes
        } else {
            damaged(whole, &hits, keep)
        };
        opens_or_says_why(&bytes, true);
    }

    #[test]
    fn damaged_pictures_never_panic(
        format in prop_oneof![
            Just(ImageFormat::Png), Just(ImageFormat::Jpeg), Just(ImageFormat::Tiff), Just(ImageFormat::Bmp),
        ],
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
        keep in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        opens_or_says_why(&damaged(picture(format), &hits, keep), false);
    }

    #[test]
    fn noise_behind_the_mark_never_panics(noise in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        bytes.extend(noise);
        opens_or_says_why(&bytes, true);
    }
}

#[test]
fn mutants_behave_as_their_manifest_says() {
    let Some(folder) = std::env::var_os("RECOVNET_MUTANTS").map(PathBuf::from) else {
        println!("skipped: RECOVNET_MUTANTS names no folder of broken files");
        return;
    };
    let mut manifest = csv::Reader::from_path(folder.join("manifest.csv")).expect("a manifest");
    let mut faults = Vec::new();
    for row in manifest.byte_records() {
        let row = row.expect("a row");
        let (file, expect, note) = (path_of(&row[0]), &row[3], String::from_utf8_lossy(&row[4]).into_owned());
        println!("{}", file.display());
        let path = folder.join(&file);
        if note.contains("non-root") && std::fs::File::open(&path).is_ok() {
            println!("    passed over: this user may read everything");
            continue;
        }
        let result = imaging::open(&path);
        match (&result, expect) {
            (Ok(_), b"error") => faults.push(format!("{} was shown ({note})", file.display())),
            (Err(error), b"show") => faults.push(format!("{error} ({note})")),
            (Err(error), _) => println!("    {error}"),
            (Ok(_), _) => {}
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}
