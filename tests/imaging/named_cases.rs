//! Faults that viewers of radiographs are known for, each by its name: what is shown here must never be shown
//! otherwise again.

use std::io::Cursor;

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgba};
use recovnet::imaging::{Polarity, Radiograph, VoiLutFunction, VoiTransform, Window};

use crate::fixture::{Dicom, SAMPLES, open_bytes, stored};

/// A VOI LUT for the fixture's 12 bits: 4096 entries of `bits` bits, `entry` of each modality value.
fn with_voi_lut(dicom: Dicom, bits: u16, entry: impl Fn(u32) -> u16) -> Dicom {
    let entries: Vec<u16> = (0..4096).map(entry).collect();
    dicom.sequence(tags::VOILUT_SEQUENCE, |item| {
        item.with(
            tags::LUT_DESCRIPTOR,
            VR::US,
            PrimitiveValue::U16([4096, 0, bits].into_iter().collect()),
        )
        .text(tags::LUT_EXPLANATION, VR::LO, "NORMAL")
        .words(tags::LUT_DATA, &entries)
    })
}

fn shown(radiograph: &Radiograph) -> Vec<u8> {
    radiograph.display(&radiograph.default_voi())
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("the encoder works");
    bytes.into_inner()
}

/// The reader turns away from the file's VOI LUT by dragging: the window then works on modality values, not on the
/// table's output, and not at all on nothing.
#[test]
fn voi_lut_sequence_on_dx_then_a_manual_window() {
    let dicom = with_voi_lut(Dicom::new(), 12, |value| (4095 - value) as u16)
        .text(tags::RESCALE_SLOPE, VR::DS, "1")
        .text(tags::RESCALE_INTERCEPT, VR::DS, "0");
    let radiograph = dicom.open().expect("opens");
    let VoiTransform::Table(_) = radiograph.default_voi() else {
        panic!("the file's VOI LUT comes first");
    };
    let by_table = shown(&radiograph);
    assert_eq!((by_table[0], by_table[11]), (255, 0), "the table falls");
    let window = Window {
        center: 1000.5,
        width: 2001.0,
        function: VoiLutFunction::Linear,
    };
    let by_window = radiograph.display(&VoiTransform::Window(window));
    for (&value, grey) in SAMPLES.iter().zip(by_window) {
        let expected = (f64::from(value) / 2000.0 * 255.0).min(255.0);
        let difference = (f64::from(grey) - expected).abs();
        assert!(difference <= 0.5, "{value}: 0 to 2000 fill the range, and rise");
    }
    assert_eq!(shown(&radiograph), by_table, "the file's own look-up is still there");
}

/// The output of a VOI LUT of 16 bits is scaled by its 16 bits, not by the pixels' 12 and not by 8.
#[test]
fn radiograph_going_white_on_a_16_bit_voi_lut() {
    let radiograph = with_voi_lut(Dicom::new(), 16, |value| (value * 16) as u16)
        .open()
        .expect("opens");
    let expected: Vec<u8> = SAMPLES
        .iter()
        .map(|&value| (f64::from(value) * 16.0 * 255.0 / 65_535.0 + 0.5).floor() as u8)
        .collect();
    assert_eq!(shown(&radiograph), expected);
    assert_eq!(shown(&radiograph)[6], 62, "1000 of 4095 is dark grey, not white");
}

/// Computed radiography stores film density: MONOCHROME1, dense is dark. Inverted after the VOI, once.
#[test]
fn cr_inversion() {
    let cr = Dicom::new()
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.1")
        .text(tags::MODALITY, VR::CS, "CR")
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
    let windowed = cr
        .clone()
        .text(tags::WINDOW_CENTER, VR::DS, "2048")
        .text(tags::WINDOW_WIDTH, VR::DS, "4096")
        .open()
        .expect("opens");
    assert_eq!(windowed.polarity, Polarity::Inverse);
    let expected: Vec<u8> = SAMPLES
        .iter()
        .map(|&value| (255.0 - f64::from(value) / 4095.0 * 255.0 + 0.5).floor() as u8)
        .collect();
    assert_eq!(shown(&windowed), expected, "by a window");
    let by_table = with_voi_lut(cr.clone(), 12, |value| value as u16)
        .open()
        .expect("opens");
    assert_eq!(shown(&by_table), expected, "by a table");
    let without = cr.open().expect("opens");
    assert_eq!((shown(&without)[0], shown(&without)[11]), (255, 0), "by its range");
}

/// MONOCHROME1 and INVERSE are the normal pair of a DX (PS3.3 C.8.11.3.1.2) and say the same thing: one inversion.
#[test]
fn monochrome1_with_presentation_lut_shape_inverse_inverts_once() {
    let dx = Dicom::new()
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1")
        .text(tags::WINDOW_CENTER, VR::DS, "2048")
        .text(tags::WINDOW_WIDTH, VR::DS, "4096");
    let alone = dx.clone().open().expect("opens");
    let both = dx
        .text(tags::PRESENTATION_LUT_SHAPE, VR::CS, "INVERSE")
        .open()
        .expect("opens");
    assert_eq!(shown(&both), shown(&alone));
    assert_eq!((shown(&both)[0], shown(&both)[11]), (255, 0));
}

/// Sixteen bits stay sixteen: not cut to the high byte before the window is found.
#[test]
fn png_of_16_bits() {
    let picture: DynamicImage = ImageBuffer::from_fn(16, 16, |x, y| Luma([30_000_u16 + (y * 16 + x) as u16])).into();
    let radiograph = open_bytes(&encoded(&picture, ImageFormat::Png)).expect("opens");
    assert_eq!(radiograph.bits_stored, 16);
    assert_eq!(stored(&radiograph), (30_000..30_256).collect::<Vec<i32>>());
    let expected: Vec<u8> = (0..=255).collect();
    assert_eq!(shown(&radiograph), expected, "256 levels that share two high bytes");
}

/// Transparency is not darkness: what lies under it is shown, and that is said.
#[test]
fn png_with_alpha() {
    let picture: DynamicImage = ImageBuffer::from_fn(16, 4, |x, y| {
        let grey = (x * 16 + y) as u8;
        Rgba([grey, grey, grey, if x < 8 { 255 } else { 0 }])
    })
    .into();
    let radiograph = open_bytes(&encoded(&picture, ImageFormat::Png)).expect("opens");
    let expected: Vec<u8> = (0..4).flat_map(|y| (0..16).map(move |x| x * 16 + y)).collect();
    assert_eq!(shown(&radiograph), expected);
    assert!(
        radiograph
            .warnings
            .iter()
            .any(|warning| warning.contains("transparency"))
    );
}

/// All eight orientations of EXIF, on a picture with one bright corner: it comes to where the tag says.
#[test]
fn exif_rotated_jpeg() {
    const SIZE: (u32, u32) = (48, 32);
    let picture: DynamicImage =
        ImageBuffer::from_fn(SIZE.0, SIZE.1, |x, y| Luma([if x < 16 && y < 8 { 240_u8 } else { 20 }])).into();
    let jpeg = encoded(&picture, ImageFormat::Jpeg);
    // Where the upper left corner goes: (right, bottom), and whether width and height change places.
    let places = [
        (false, false, false),
        (true, false, false),
        (true, true, false),
        (false, true, false),
        (false, false, true),
        (true, false, true),
        (true, true, true),
        (false, true, true),
    ];
    for (tag, (right, bottom, swapped)) in (1_u8..).zip(places) {
        let radiograph = open_bytes(&with_orientation(&jpeg, tag)).expect("opens");
        let size = if swapped { (SIZE.1, SIZE.0) } else { SIZE };
        assert_eq!((radiograph.width, radiograph.height), size, "orientation {tag}");
        let pixels = stored(&radiograph);
        let at = |x: u32, y: u32| pixels[(y * size.0 + x) as usize];
        let corner =
            |right: bool, bottom: bool| at(if right { size.0 - 2 } else { 1 }, if bottom { size.1 - 2 } else { 1 });
        for (x, y) in [(false, false), (true, false), (false, true), (true, true)] {
            let bright = corner(x, y) > 128;
            assert_eq!(
                bright,
                (x, y) == (right, bottom),
                "orientation {tag}, right {x}, bottom {y}"
            );
        }
        let said = radiograph.warnings.iter().any(|warning| warning.contains("turned"));
        assert_eq!(said, tag != 1, "orientation {tag}");
    }
}

/// The JPEG with an EXIF block of one entry: Orientation (0x0112), SHORT, 1.
fn with_orientation(jpeg: &[u8], tag: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([tag, 0, 0, 0, 0, 0, 0, 0]);
    let mut turned = vec![0xff, 0xd8, 0xff, 0xe1];
    turned.extend(((exif.len() + 2) as u16).to_be_bytes());
    turned.extend(exif);
    turned.extend(&jpeg[2..]);
    turned
}

/// The preamble may hold another file's header, so that a TIFF reader finds the pixels too (PS3.10 7.1): `DICM` counts.
#[test]
fn tiff_header_in_the_preamble() {
    let mut bytes = Dicom::new().bytes();
    for header in [
        &b"II*\0\x08\0\0\0"[..],
        b"MM\0*\0\0\0\x08",
        b"\x89PNG\r\n\x1a\n",
        b"BM\0\0\0\0",
    ] {
        bytes[..header.len()].copy_from_slice(header);
        let radiograph = open_bytes(&bytes).expect("opens");
        let expected: Vec<i32> = SAMPLES.iter().map(|&sample| i32::from(sample)).collect();
        assert_eq!(stored(&radiograph), expected);
        assert_eq!(radiograph.acquisition.encoding, "1.2.840.10008.1.2.1");
    }
}
