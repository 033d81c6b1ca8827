//! Broken bytes: whatever they are, opening ends in a picture or a sentence.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use image::ImageFormat;
use proptest::prelude::*;
use recovnet::imaging::{Scope, phantom};

use crate::bombs::packed_files;
use crate::codestreams::codestream_files;
use crate::fixture::{Dicom, open_bytes};
use crate::jpeg::jpeg_files;
use crate::packed_jpeg::packed_jpeg_files;
use crate::raster_variants::palette_files;

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
            Just(ImageFormat::WebP),
        ],
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
        keep in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        opens_or_says_why(&damaged(picture(format), &hits, keep), false);
    }

    #[test]
    fn damaged_packed_files_never_panic(
        file in prop::sample::select(
            [packed_files(), palette_files(), jpeg_files(), codestream_files(), packed_jpeg_files()].concat(),
        ),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let ours = file.get(128..132) == Some(b"DICM");
        opens_or_says_why(&damaged(file, &hits, keep), ours);
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
fn texts_of_the_file_neither_break_nor_fill_the_sentences_they_come_into() {
    let hostile = format!("A\x1b[31mB\nC{}", "D".repeat(300));
    let radiograph = Dicom::new()
        .text(tags::MODALITY, VR::CS, &hostile)
        .text(tags::WINDOW_CENTER, VR::DS, "2000")
        .text(tags::WINDOW_WIDTH, VR::DS, "4000")
        .text(tags::VOILUT_FUNCTION, VR::CS, &hostile)
        .text(tags::SHUTTER_SHAPE, VR::CS, &hostile)
        .open()
        .expect("it is shown");
    let Scope::OutOfScope(reason) = &radiograph.scope else {
        panic!("this is no radiograph");
    };
    let sentences: Vec<&String> = radiograph.warnings.iter().chain([reason]).collect();
    for text in ["VOI LUT Function", "shutter", "modality"] {
        let sentence = sentences.iter().find(|sentence| sentence.contains(text));
        let sentence = sentence.unwrap_or_else(|| panic!("{text}: {sentences:?}"));
        assert!(!sentence.contains(char::is_control), "{sentence:?}");
        assert!(sentence.contains("A [31mB C") && sentence.len() < 160, "{sentence}");
    }
}

#[test]
fn a_shape_of_a_shutter_counts_once() {
    let names = format!("CIRCULAR{}\\RECTANGULAR", "\\CIRCULAR".repeat(30));
    let mut dicom = Dicom::new()
        .text(tags::SHUTTER_SHAPE, VR::CS, &names)
        .text(tags::CENTER_OF_CIRCULAR_SHUTTER, VR::IS, "2\\2")
        .text(tags::RADIUS_OF_CIRCULAR_SHUTTER, VR::IS, "1");
    for (tag, value) in [
        (tags::SHUTTER_LEFT_VERTICAL_EDGE, "2"),
        (tags::SHUTTER_RIGHT_VERTICAL_EDGE, "4"),
        (tags::SHUTTER_UPPER_HORIZONTAL_EDGE, "1"),
        (tags::SHUTTER_LOWER_HORIZONTAL_EDGE, "2"),
    ] {
        dicom = dicom.text(tag, VR::IS, value);
    }
    let radiograph = dicom.open().expect("it is shown");
    let shutter = radiograph.shutter.expect("a shutter");
    assert_eq!(shutter.shapes.len(), 2, "{:?}", shutter.shapes);
}
