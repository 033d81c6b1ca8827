//! How samples lie in Pixel Data (PS3.5 8.1.1, PS3.3 C.7.6.3): widths, bit positions, floats, bitmaps, palettes and
//! halved colours, on files made here.

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use recovnet::imaging::{ModalityLut, Original, Radiograph, Samples, Scope};

use crate::fixture::{Dicom, SAMPLES, open_bytes, open_frame_of, stored};

fn integers(allocated: u16, stored: u16, signed: bool, bytes: Vec<u8>) -> Dicom {
    Dicom::new()
        .number(tags::BITS_ALLOCATED, allocated)
        .number(tags::BITS_STORED, stored)
        .number(tags::HIGH_BIT, stored - 1)
        .number(tags::PIXEL_REPRESENTATION, u16::from(signed))
        .with(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U8(bytes.into()))
}

fn wide(radiograph: &Radiograph) -> Vec<f64> {
    match &radiograph.samples {
        Samples::Wide(wide) => wide.values.to_vec(),
        other => panic!("not wide: {other:?}"),
    }
}

#[test]
fn wide_integers_of_a_narrow_range_are_sixteen_bit_samples() {
    let values: Vec<i32> = (0..12).map(|i| 1_000_000 + 5000 * i).collect();
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let radiograph = integers(32, 32, true, bytes).open().expect("opens");
    assert_eq!(stored(&radiograph), values);
    assert_eq!(radiograph.display(&radiograph.default_voi())[11], 255);
}

#[test]
fn wide_integers_of_a_wide_range_are_exact() {
    let values: Vec<i32> = (0..12)
        .map(|i| (i64::from(i32::MIN) + 390_000_001 * i) as i32)
        .collect();
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let radiograph = integers(32, 32, true, bytes).open().expect("opens");
    assert_eq!(
        wide(&radiograph),
        values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>()
    );
    let shown = radiograph.display(&radiograph.default_voi());
    assert_eq!((shown[0], shown[11]), (0, 255));
    assert!(shown.is_sorted());
}

#[test]
fn sixty_four_bits_keep_their_sign_and_say_what_was_rounded() {
    let values: Vec<i64> = (0..12).map(|i| -(1 << 40) + (1 << 37) * i).collect();
    let bytes = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let radiograph = integers(64, 64, true, bytes(&values)).open().expect("opens");
    assert_eq!(
        wide(&radiograph),
        values.iter().map(|&value| value as f64).collect::<Vec<_>>()
    );
    assert!(radiograph.warnings.is_empty(), "{:?}", radiograph.warnings);
    let huge = vec![i64::MAX; 6].into_iter().chain(vec![0; 6]).collect::<Vec<_>>();
    let radiograph = integers(64, 64, true, bytes(&huge)).open().expect("opens");
    assert!(radiograph.warnings.iter().any(|warning| warning.contains("rounded")));
}

#[test]
fn floats_are_shown_and_what_is_no_number_is_black() {
    let floats: Vec<f32> = vec![
        -1.0,
        0.0,
        0.5,
        f32::NAN,
        1.0,
        2.0,
        2.5,
        3.0,
        f32::INFINITY,
        4.0,
        4.5,
        7.0,
    ];
    let radiograph = Dicom::new()
        .without(tags::PIXEL_DATA)
        .without(tags::PIXEL_REPRESENTATION)
        .without(tags::BITS_STORED)
        .without(tags::HIGH_BIT)
        .number(tags::BITS_ALLOCATED, 32)
        .with(
            tags::FLOAT_PIXEL_DATA,
            VR::OF,
            PrimitiveValue::F32(floats.clone().into()),
        )
        .open()
        .expect("opens");
    let found = wide(&radiograph);
    assert!(
        found
            .iter()
            .zip(&floats)
            .all(|(a, b)| *a == f64::from(*b) || b.is_nan())
    );
    let shown = radiograph.display(&radiograph.default_voi());
    assert_eq!((shown[0], shown[3], shown[8], shown[11]), (0, 0, 255, 255));
    assert!(radiograph.warnings.iter().any(|warning| warning.contains("no numbers")));
}

/// Implicit VR Little Endian, Explicit VR Little and Big Endian.
const UNCOMPRESSED: [&str; 3] = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"];

#[test]
fn padding_of_floats_is_read_in_every_encoding() {
    let empty = || {
        Dicom::new()
            .without(tags::PIXEL_DATA)
            .without(tags::PIXEL_REPRESENTATION)
            .without(tags::BITS_STORED)
            .without(tags::HIGH_BIT)
    };
    let values = [-2000.0, -1500.5, 0.0, 0.25, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 7.0];
    let floats = |value: f32| PrimitiveValue::from(value);
    let float = empty()
        .number(tags::BITS_ALLOCATED, 32)
        .with(tags::FLOAT_PIXEL_PADDING_VALUE, VR::FL, floats(-2000.0))
        .with(tags::FLOAT_PIXEL_PADDING_RANGE_LIMIT, VR::FL, floats(-1500.5))
        .with(
            tags::FLOAT_PIXEL_DATA,
            VR::OF,
            PrimitiveValue::F32(values.iter().map(|&value| value as f32).collect()),
        );
    let double = empty()
        .number(tags::BITS_ALLOCATED, 64)
        .with(
            tags::DOUBLE_FLOAT_PIXEL_PADDING_VALUE,
            VR::FD,
            PrimitiveValue::from(-2000.0),
        )
        .with(
            tags::DOUBLE_FLOAT_PIXEL_PADDING_RANGE_LIMIT,
            VR::FD,
            PrimitiveValue::from(-1500.5),
        )
        .with(
            tags::DOUBLE_FLOAT_PIXEL_DATA,
            VR::OD,
            PrimitiveValue::F64(values.into_iter().collect()),
        );
    for dicom in [float, double] {
        for transfer_syntax in UNCOMPRESSED {
            let bytes = dicom.clone().written_in(transfer_syntax);
            let radiograph = open_bytes(&bytes).expect("opens");
            assert_eq!(wide(&radiograph), values, "{transfer_syntax}");
            assert_eq!(radiograph.padding, Some((-2000.0, -1500.5)), "{transfer_syntax}");
        }
        // A writer that did not know the attributes.
        let mut bytes = dicom.written_in(UNCOMPRESSED[1]);
        for vr in [*b"FL", *b"FD"] {
            let unknown = |at: usize| bytes[at..].starts_with(&vr) && bytes[at - 4..].starts_with(&[0x28, 0]);
            for at in (4..bytes.len() - 8)
                .filter(|&at| unknown(at))
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
            {
                let length = [bytes[at + 2], bytes[at + 3]];
                bytes.splice(at..at + 4, [b'U', b'N', 0, 0, length[0], length[1], 0, 0]);
            }
        }
        let radiograph = open_bytes(&bytes).expect("opens");
        assert_eq!(radiograph.padding, Some((-2000.0, -1500.5)), "in VR UN");
    }
}

#[test]
fn bits_of_several_frames_begin_inside_bytes() {
    // Two frames of 12 bits: 1000_0000_1111 and 0101_0101_0101, the first pixel in the lowest bit.
    let bytes = Dicom::new()
        .number(tags::BITS_ALLOCATED, 1)
        .number(tags::BITS_STORED, 1)
        .number(tags::HIGH_BIT, 0)
        .text(tags::NUMBER_OF_FRAMES, VR::IS, "2")
        .with(
            tags::PIXEL_DATA,
            VR::OB,
            PrimitiveValue::U8(vec![0x01, 0xaf, 0xaa, 0x00].into()),
        )
        .bytes();
    let frame = |number| stored(&open_frame_of(&bytes, number).expect("opens"));
    assert_eq!(frame(1), [1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
    assert_eq!(frame(2), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let first = open_frame_of(&bytes, 1).expect("opens");
    assert_eq!(first.display(&first.default_voi())[0], 255);
}

#[test]
fn values_above_unused_low_bits_are_shifted_down() {
    let shifted: Vec<u16> = SAMPLES.iter().map(|&sample| sample << 4 | 0x9).collect();
    let radiograph = Dicom::new()
        .number(tags::HIGH_BIT, 15)
        .words(tags::PIXEL_DATA, &shifted)
        .open()
        .expect("opens");
    assert_eq!(stored(&radiograph), SAMPLES.map(i32::from));
}

#[test]
fn modality_tables_map_stored_values_and_clamp_at_their_ends() {
    let entries: Vec<u16> = (0..200).map(|i| 7 * i).collect();
    let dicom = Dicom::new().sequence(tags::MODALITY_LUT_SEQUENCE, |item| {
        item.with(
            tags::LUT_DESCRIPTOR,
            VR::US,
            PrimitiveValue::U16([200, 100, 16].into_iter().collect()),
        )
        .words(tags::LUT_DATA, &entries)
    });
    let radiograph = dicom.open().expect("opens");
    let ModalityLut::Table(_) = &radiograph.modality_lut else {
        panic!("{:?}", radiograph.modality_lut)
    };
    let modality = |stored: i32| radiograph.modality_lut.apply(stored);
    assert_eq!(
        [0, 100, 150, 299, 4095].map(modality),
        [0.0, 0.0, 350.0, 1393.0, 1393.0]
    );
    let shown = radiograph.display(&radiograph.default_voi());
    assert_eq!((shown[0], shown[11]), (0, 255));
}

#[test]
fn unusable_modality_tables_are_left_out_in_words() {
    let radiograph = Dicom::new()
        .sequence(tags::MODALITY_LUT_SEQUENCE, |item| {
            item.text(tags::LUT_EXPLANATION, VR::LO, "X")
        })
        .open()
        .expect("opens");
    assert_eq!(radiograph.modality_lut, ModalityLut::IDENTITY);
    assert!(
        radiograph
            .warnings
            .iter()
            .any(|warning| warning.contains("Modality LUT"))
    );
}

fn indices(indices: &[u8; 12]) -> Dicom {
    Dicom::new()
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR")
        .number(tags::BITS_ALLOCATED, 8)
        .number(tags::BITS_STORED, 8)
        .number(tags::HIGH_BIT, 7)
        .with(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(indices.to_vec().into()))
}

/// Red, green and blue: descriptor, table, segmented table.
const CHANNELS: [[Tag; 3]; 3] = [
    [
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
    [
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
    [
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
];

/// Indices with a plain table for each channel.
fn with_palette<const N: usize>(indices_of: &[u8; 12], first: u16, tables: [[u16; N]; 3]) -> Dicom {
    let channels = CHANNELS.iter().zip(tables);
    channels.fold(indices(indices_of), |dicom, (&[about, data, _], entries)| {
        dicom
            .with(about, VR::US, descriptor(N as u16, first, 16))
            .words(data, &entries)
    })
}

/// Indices with the same segmented table of 12 entries for every channel.
fn with_segments(indices_of: &[u8; 12], words: &[u16]) -> Dicom {
    CHANNELS.iter().fold(indices(indices_of), |dicom, &[about, _, data]| {
        dicom.with(about, VR::US, descriptor(12, 0, 16)).words(data, words)
    })
}

fn descriptor(count: u16, first: u16, bits: u16) -> PrimitiveValue {
    PrimitiveValue::U16([count, first, bits].into_iter().collect())
}

#[test]
fn palettes_give_colours_and_keep_the_indices() {
    let tables = [
        [0x1000, 0x2000, 0x3000, 0xff00],
        [0, 0, 0, 0x8000],
        [0x0100, 0x0200, 0x0300, 0x0400],
    ];
    let dicom = with_palette(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255], 2, tables);
    let radiograph = dicom.open().expect("opens");
    let Samples::Colour(colours) = &radiograph.samples else {
        panic!("not in colour")
    };
    assert_eq!(colours[..3], [[0x10, 0, 1]; 3]);
    assert_eq!((colours[3], colours[11]), ([0x20, 0, 2], [0xff, 0x80, 4]));
    let Some(Original::Indices(kept)) = &radiograph.original else {
        panic!("no indices")
    };
    assert_eq!(kept.get(11), 255);
    assert_eq!(radiograph.stored_values()[4], 4.0);
}

#[test]
fn segmented_palettes_run_straight_and_repeat() {
    // Discrete 0, 0xff00; linear to 0 in 4; then the two again.
    let words = [0, 2, 0, 0xff00, 1, 4, 0, 2, 2, 0, 0];
    let dicom = with_segments(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], &words);
    let radiograph = dicom.open().expect("opens");
    let shown = radiograph.display(&radiograph.default_voi());
    assert_eq!(shown, [0, 255, 191, 127, 63, 0, 0, 255, 191, 127, 63, 0]);
}

fn colours(photometric: &str, bits: u16, bytes: Vec<u8>) -> Dicom {
    Dicom::new()
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric)
        .number(tags::SAMPLES_PER_PIXEL, 3)
        .number(tags::PLANAR_CONFIGURATION, 0)
        .number(tags::BITS_ALLOCATED, bits)
        .number(tags::BITS_STORED, bits)
        .number(tags::HIGH_BIT, bits - 1)
        .with(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U8(bytes.into()))
}

#[test]
fn halved_chroma_belongs_to_two_pixels() {
    let bytes: Vec<u8> = (0..6_u8).flat_map(|i| [10 * i, 10 * i + 5, 128, 200]).collect();
    let radiograph = colours("YBR_FULL_422", 8, bytes).open().expect("opens");
    assert_eq!(radiograph.stored_values()[..6], [0.0, 128.0, 200.0, 5.0, 128.0, 200.0]);
    let Samples::Colour(shown) = &radiograph.samples else {
        panic!("not in colour")
    };
    // Red is luma + 1.402 x 72.
    assert_eq!((shown[0][0], shown[1][0]), (101, 106));
}

#[test]
fn sixteen_bit_colours_are_shown_with_eight_and_kept_whole() {
    let levels: Vec<u16> = (0..36).map(|i| i * 1800).collect();
    let bytes = levels.iter().flat_map(|level| level.to_le_bytes()).collect();
    let radiograph = colours("RGB", 16, bytes).open().expect("opens");
    let shown = radiograph.display(&radiograph.default_voi());
    let expected = |&level: &u16| (f64::from(level) * 255.0 / 65_535.0).round() as u8;
    assert_eq!(shown, levels.iter().map(expected).collect::<Vec<_>>());
    assert_eq!(radiograph.stored_values()[35], f64::from(levels[35]));
}

#[test]
fn a_table_cut_short_is_no_table_of_bytes() {
    let entries: Vec<u16> = (0..150).collect();
    let radiograph = Dicom::new()
        .sequence(tags::MODALITY_LUT_SEQUENCE, |item| {
            item.with(tags::LUT_DESCRIPTOR, VR::US, descriptor(200, 0, 16))
                .words(tags::LUT_DATA, &entries)
        })
        .open()
        .expect("opens");
    assert_eq!(radiograph.modality_lut, ModalityLut::IDENTITY);
    assert!(
        radiograph
            .warnings
            .iter()
            .any(|warning| warning.contains("Modality LUT"))
    );
}

#[test]
fn a_dark_channel_of_a_wide_palette_stays_dark() {
    let tables = [[0, 0xff00], [0, 0x8000], [0, 0x00ff]];
    let dicom = with_palette(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1], 0, tables);
    let radiograph = dicom.open().expect("opens");
    assert_eq!(radiograph.display(&radiograph.default_voi())[3..6], [0xff, 0x80, 0]);
}

#[test]
fn a_palette_that_repeats_nothing_for_ever_ends() {
    // An empty discrete segment, repeated 65,535 times by each of many indirect segments.
    let mut words = vec![0_u16, 0];
    for _ in 0..30_000 {
        words.extend([2, 65_535, 0, 0]);
    }
    let dicom = with_segments(&[0; 12], &words);
    let began = std::time::Instant::now();
    assert!(dicom.refusal().contains("palette"));
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn a_tint_is_shown_and_does_not_keep_the_networks_away() {
    let mut bytes: Vec<u8> = (0..12_u8).flat_map(|i| [20 * i; 3]).collect();
    bytes[0] = 10;
    let radiograph = colours("RGB", 8, bytes.clone()).open().expect("opens");
    assert_eq!(radiograph.display(&radiograph.default_voi()), bytes);
    assert!(radiograph.is_colour() && radiograph.is_grey_enough());
    assert_eq!(radiograph.scope, Scope::InScope);
    bytes[..18].copy_from_slice(&[255, 0, 0].repeat(6));
    let radiograph = colours("RGB", 8, bytes).open().expect("opens");
    assert!(!radiograph.is_grey_enough());
    assert_ne!(radiograph.scope, Scope::InScope);
}

#[test]
fn what_is_missing_is_assumed_in_words_where_it_can_be() {
    for (tag, word) in [
        (tags::BITS_STORED, "Bits Stored"),
        (tags::PIXEL_REPRESENTATION, "Pixel Representation"),
        (tags::PHOTOMETRIC_INTERPRETATION, "Photometric Interpretation"),
    ] {
        let radiograph = Dicom::new().without(tag).open().expect("opens");
        assert_eq!(stored(&radiograph), SAMPLES.map(i32::from), "{word}");
        let said = radiograph.warnings.iter().any(|warning| warning.contains(word));
        assert!(said, "{word}: {:?}", radiograph.warnings);
    }
}

#[test]
fn compressed_pixels_of_32_bits_are_refused() {
    let dicom = Dicom::new()
        .number(tags::BITS_ALLOCATED, 32)
        .number(tags::BITS_STORED, 32)
        .number(tags::HIGH_BIT, 31)
        .transfer_syntax("1.2.840.10008.1.2.4.90");
    assert!(!dicom.refusal().is_empty());
}
