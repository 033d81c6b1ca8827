//! Lossless JPEG and extended JPEG of 12 bits: every variant comes back as it was, and what is broken is refused. Two
//! streams with their pixels are the Independent JPEG Group's, by dcmtk.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use proptest::prelude::*;
use recovnet::imaging::unpacked::unpack;
use recovnet::imaging::{Original, Radiograph, Samples};

use crate::fixture::{Dicom, open_bytes, stored};
use crate::jpeg_streams::{Lossless, Table, extended};

const EXTENDED: &str = "1.2.840.10008.1.2.4.51";
const LOSSLESS: &str = "1.2.840.10008.1.2.4.57";
const FIRST_ORDER: &str = "1.2.840.10008.1.2.4.70";

/// 16 x 8 pixels by predictor 6, without their two lowest bits.
const IJG_LOSSLESS: &[u8] = b"\
    \xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc3\0\x0b\x10\0\x08\0\x10\x01\x01\x11\0\xff\xc4\0\x1c\0\
    \0\x02\x02\x03\x01\x01\0\0\0\0\0\0\0\0\0\0\x06\x07\x08\t\x04\x05\n\x0b\x0e\xff\xda\0\x08\x01\x01\0\x06\0\x02\xf9\
    \xff\0\xf3CSSSCSS[\x15555455\xdc6\x1f\x92\x8adGf\xbb\xf6Qq\x91n\xcd~\x1f*\x8a\xb1\xb9u\xdc5\xdf\xd0\xab0\xc9\xb0\
    \xfc\x85^\x81\x94d\xd7~\xc2\xac\xd3\x1d\xc3^\x02\xda\xfcO2k\xc0k]\x8a\x06\x5c+\xfa\x82\xc5\xd8\xa0g\xb9k\xbfaVi\
    \x8b]\xfb\n\xf3\x0c\x9a\xfc>\xd9^a\x96\xe2\xb8\x004\xd9\x86u\xbe\x01\xa6\xcd1\xeb\x82\xf0y\xe7\xcc2\xdc5\xdf\xd2\x8a\
    dGV\xc3\xf2Qq\x8fn\xfc+S\xe7TS&:\xee\x1a\xef\xd8W\x98d\xd7\x7fB\xac\xc3&\xc3\xf2\x15f\x19\xff\0\xff\xff\xd9";
/// 16 x 8 pixels, from black to white and beyond.
const IJG_EXTENDED: &[u8] = b"\
    \xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\0C\0\x08\x06\x06\x07\x06\x05\x08\x07\x07\x07\t\t\
    \x08\n\x0c\x14\r\x0c\x0b\x0b\x0c\x19\x12\x13\x0f\x14\x1d\x1a\x1f\x1e\x1d\x1a\x1c\x1c $.' \x22,#\x1c\x1c(7),01444\
    \x1f'9=82<.342\xff\xc1\0\x0b\x0c\0\x08\0\x10\x01\x01\x11\0\xff\xc4\0\x15\0\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\t\n\
    \xff\xc4\0\x1d\x10\0\x02\x02\x03\x01\x01\x01\0\0\0\0\0\0\0\0\0\x03\x05\x04\x06\x02\x07\x08\t\n\x01\xff\xda\0\x08\
    \x01\x01\0\0?\0\x9do\x93\xdf%\xf5\x9c\xed+\xc3\x11b\xf0\xb3Wi\x5c0FF\x0cKV\xaf\x9d\xc5\xbd\xb1\x105\xfc\x8a\x11E\
    \xfcf62\xd7Hf\x19\x99\x10\xb9\x1e 3\x02\xe0c\x88\x85(9\xe7!u\xfb\x99\xf6\xa7h\xf1G\x1b\xf1&\x88\xf9\xf6\xf4\xd7\
    \xa5\xb9j\xe1E\xa7\xdb\x1baQ\xe7\x8e\xa4\xdb4\x0b\xee\x12\xe5\xbe\xd9U]\xa32\xd58\xab\xf0\xab\xd8\xd1'\xb5\xea\xdc\
    \xa2\xd6\x22$\xb1\xaf\x9b_,G\xa2R\x96}u\x9a\xc2&\xff\xff\xd9";
#[rustfmt::skip]
const IJG_EXTENDED_PIXELS: [i32; 128] = [
    0, 221, 425, 625, 837, 1069, 1256, 1479, 1689, 2796, 3010, 3217, 3430, 3642, 3857, 4067,
    96, 613, 1103, 1643, 2148, 1138, 1675, 2166, 2675, 10, 3113, 3618, 46, 539, 1065, 53,
    194, 990, 1819, 1124, 1949, 1233, 2061, 2877, 2191, 3883, 3203, 4019, 709, 33, 848, 178,
    297, 1421, 995, 2124, 1729, 1355, 2445, 2069, 3182, 3687, 3307, 306, 4045, 1038, 647, 255,
    386, 1792, 1723, 1626, 1522, 1447, 2863, 2760, 2655, 3509, 3388, 714, 627, 529, 459, 351,
    492, 695, 883, 1129, 1343, 1534, 1742, 1963, 2180, 3279, 3495, 3719, 3916, 37, 242, 458,
    566, 1115, 1607, 2118, 2614, 1639, 2154, 2660, 3177, 467, 3592, 5, 512, 1020, 1542, 554,
    688, 1481, 2291, 1614, 2416, 1740, 2544, 3358, 2665, 287, 3686, 409, 1215, 529, 1342, 639,
];

/// A file of grey pixels.
fn grey(frame: &[u8], transfer_syntax: &'static str, [columns, rows]: [usize; 2], bits: u8) -> Vec<u8> {
    Dicom::new()
        .number(tags::COLUMNS, columns as u16)
        .number(tags::ROWS, rows as u16)
        .number(tags::BITS_ALLOCATED, if bits > 8 { 16 } else { 8 })
        .number(tags::BITS_STORED, bits.into())
        .number(tags::HIGH_BIT, u16::from(bits) - 1)
        .encapsulated(transfer_syntax, &[frame])
}

/// The stored values of a grey frame, or the sentence with which it is refused.
fn decoded(frame: &[u8], transfer_syntax: &'static str, size: [usize; 2], bits: u8) -> Result<Vec<i32>, String> {
    let opened = open_bytes(&grey(frame, transfer_syntax, size, bits));
    opened.as_ref().map(stored).map_err(ToString::to_string)
}

fn refused(frame: &[u8], transfer_syntax: &'static str, size: [usize; 2], bits: u8, words: &str) {
    let sentence = decoded(frame, transfer_syntax, size, bits).expect_err("this must not be shown");
    assert!(sentence.contains(words), "{sentence}");
}

/// A file of colours.
fn colours(picture: &Lossless, frame: &[u8]) -> Vec<u8> {
    let allocated = if picture.precision > 8 { 16 } else { 8 };
    Dicom::new()
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB")
        .number(tags::SAMPLES_PER_PIXEL, 3)
        .number(tags::PLANAR_CONFIGURATION, 0)
        .number(tags::COLUMNS, picture.columns as u16)
        .number(tags::ROWS, picture.rows as u16)
        .number(tags::BITS_ALLOCATED, allocated)
        .number(tags::BITS_STORED, allocated)
        .number(tags::HIGH_BIT, allocated - 1)
        .encapsulated(LOSSLESS, &[frame])
}

/// The colours of the file, whatever is shown of them.
fn triples(radiograph: &Radiograph) -> Vec<u16> {
    match (&radiograph.original, &radiograph.samples) {
        (Some(Original::Sixteen(triples)), _) => triples.as_flattened().to_vec(),
        (Some(Original::Eight(triples)), _) | (None, Samples::Colour(triples)) => {
            triples.as_flattened().iter().map(|&sample| sample.into()).collect()
        }
        other => panic!("no colours: {other:?}"),
    }
}

/// Noise on a slope, over all values of so many bits.
fn noisy(count: usize, precision: u8, seed: u32) -> Vec<u16> {
    let highest = ((1_u32 << precision) - 1) as u16;
    let mut state = seed | 1;
    let samples = (0..count as u32).map(|index| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // Mostly small differences, at times any.
        let noise = if state.is_multiple_of(16) {
            state >> 8
        } else {
            state >> 29
        };
        (index * 3 + noise) as u16 & highest
    });
    samples.collect()
}

/// Any lossless picture of one or three components.
fn pictures(components: usize) -> impl Strategy<Value = Lossless> {
    let size = (1..20_usize, 1..14_usize);
    let form = (2..=16_u8, 1..=7_u8, 0..4_u8, 0..4_usize, any::<bool>());
    (size, form, any::<u32>()).prop_map(move |((columns, rows), form, seed)| {
        let (precision, predictor, point_transform, restart_rows, interleaved) = form;
        let point_transform = point_transform.min(precision - 1);
        let mut samples = noisy(columns * rows * components, precision, seed);
        for sample in &mut samples {
            *sample = *sample >> point_transform << point_transform;
        }
        Lossless {
            columns,
            rows,
            components,
            precision,
            predictor,
            point_transform,
            restart_rows,
            interleaved,
            samples,
        }
    })
}

fn tables() -> impl Strategy<Value = Option<u8>> {
    prop::option::of(0..17_u8)
}

fn table(first: Option<u8>) -> Table {
    first.map_or_else(Table::even, Table::skewed)
}

proptest! {
    #[test]
    fn lossless_grey_comes_back(picture in pictures(1), first in tables()) {
        let frame = picture.encoded(&table(first));
        let values = decoded(&frame, LOSSLESS, [picture.columns, picture.rows], picture.precision);
        let expected: Vec<i32> = picture.samples.iter().map(|&sample| sample.into()).collect();
        prop_assert_eq!(values, Ok(expected));
    }

    #[test]
    fn lossless_colours_come_back(picture in pictures(3), first in tables()) {
        let frame = picture.encoded(&table(first));
        let opened = open_bytes(&colours(&picture, &frame));
        let radiograph = opened.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(triples(&radiograph), picture.samples);
    }

    #[test]
    fn extended_grey_comes_back(
        columns in 1..40_usize,
        rows in 1..30_usize,
        step in 1..6_u16,
        restart_interval in 0..5_u16,
        seed in any::<u32>(),
    ) {
        let samples = noisy(columns * rows, 12, seed);
        let frame = extended(&samples, [columns, rows], step, restart_interval);
        let values = decoded(&frame, EXTENDED, [columns, rows], 12).map_err(TestCaseError::fail)?;
        // 64 coefficients are off by half a step at most; squares add up to the same sum in the samples. And a rounding.
        let allowed = 4 * i32::from(step) + 1;
        for (value, sample) in values.iter().zip(&samples) {
            prop_assert!((value - i32::from(*sample)).abs() <= allowed, "{} for {}", value, sample);
        }
    }
}

/// Whole files, for tests that break them.
pub fn jpeg_files() -> Vec<Vec<u8>> {
    let lossless = Lossless {
        restart_rows: 2,
        predictor: 7,
        ..plain(9, 7)
    };
    let scans = Lossless {
        components: 3,
        interleaved: false,
        samples: noisy(9 * 7 * 3, 16, 5),
        ..plain(9, 7)
    };
    let dct = extended(&noisy(20 * 9, 12, 3), [20, 9], 4, 2);
    vec![
        grey(&lossless.encoded(&Table::skewed(3)), LOSSLESS, [9, 7], 16),
        colours(&scans, &scans.encoded(&Table::even())),
        grey(&dct, EXTENDED, [20, 9], 12),
    ]
}

#[test]
fn lossless_pixels_are_those_of_the_independent_jpeg_group() {
    let expected = (0..8).flat_map(|y| {
        (0..16).map(move |x| (x * 211 + y * 97 + x * y % 5 * 300 + i32::from(x > 8) * 900) % 4096 / 4 * 4)
    });
    let values = decoded(IJG_LOSSLESS, LOSSLESS, [16, 8], 16).expect("opens");
    assert_eq!(values, expected.collect::<Vec<_>>());
}

#[test]
fn extended_pixels_are_those_of_the_independent_jpeg_group() {
    assert_eq!(
        decoded(IJG_EXTENDED, EXTENDED, [16, 8], 12).expect("opens"),
        IJG_EXTENDED_PIXELS
    );
}

/// A grey picture by the left neighbour, 16 bits.
fn plain(columns: usize, rows: usize) -> Lossless {
    Lossless {
        columns,
        rows,
        components: 1,
        precision: 16,
        predictor: 1,
        point_transform: 0,
        restart_rows: 0,
        interleaved: true,
        samples: noisy(columns * rows, 16, 7),
    }
}

#[test]
fn half_of_all_values_is_a_difference_without_bits() {
    let samples = vec![0, 0x8000, 0, 0x7fff, 0xffff, 0x7fff];
    let picture = Lossless { samples, ..plain(3, 2) };
    let values = decoded(&picture.encoded(&Table::even()), FIRST_ORDER, [3, 2], 16);
    assert_eq!(values.expect("opens"), [0, 0x8000, 0, 0x7fff, 0xffff, 0x7fff]);
}

/// Wherever a stream is cut, the pixels behind the cut are missing, and so the whole is refused.
#[test]
fn cut_streams_are_refused() {
    let lossless = plain(9, 7).encoded(&Table::even());
    let extended = extended(&noisy(20 * 9, 12, 3), [20, 9], 4, 2);
    for keep in 0..lossless.len() - 2 {
        let _ = decoded(&lossless[..keep], FIRST_ORDER, [9, 7], 16).expect_err("a part must not be shown");
    }
    for keep in 0..extended.len() - 2 {
        let _ = decoded(&extended[..keep], EXTENDED, [20, 9], 12).expect_err("a part must not be shown");
    }
    refused(
        &lossless[..lossless.len() - 9],
        FIRST_ORDER,
        [9, 7],
        16,
        "ends too early",
    );
    // All is there but the mark of the end.
    assert!(decoded(&lossless[..lossless.len() - 2], FIRST_ORDER, [9, 7], 16).is_ok());
}

#[test]
fn broken_streams_are_refused() {
    let picture = Lossless {
        restart_rows: 2,
        ..plain(9, 7)
    };
    let whole = picture.encoded(&Table::even());
    let changed = |marker: u8, offset: usize, value: u8| {
        let at = whole
            .windows(2)
            .position(|two| two == [0xff, marker])
            .expect("is there");
        let mut changed = whole.clone();
        changed[at + offset] = value;
        changed
    };
    for (marker, offset, value, words) in [
        // Restart interval: three and a half rows, then one row, where there are no markers.
        (0xdd, 5, 32, "restart interval ends within a row"),
        (0xdd, 5, 9, "restart marker is missing"),
        (0xd1, 1, 0xd2, "restart marker is missing"),
        // More codes than values; a category that there is not; another selector.
        (0xc4, 5, 2, "Huffman table"),
        (0xc4, 21, 17, "means nothing"),
        (0xc4, 4, 2, "Huffman table is missing"),
        (0xda, 7, 0, "predictor"),
        (0xda, 7, 8, "predictor"),
        (0xda, 5, 9, "no header"),
    ] {
        refused(&changed(marker, offset, value), LOSSLESS, [9, 7], 16, words);
    }
}

/// Each frame is read by its own codestream, but all of them are written as the first one is.
#[test]
fn frames_of_another_kind_are_not_put_together() {
    let stored = plain(9, 7).samples.into_iter().map(|sample| sample >> 4);
    let values: Vec<u16> = stored.collect();
    let high = Lossless {
        samples: values.iter().map(|value| value << 4).collect(),
        ..plain(9, 7)
    };
    let low = Lossless {
        precision: 12,
        samples: values,
        ..plain(9, 7)
    };
    let [high, low] = [high, low].map(|picture| picture.encoded(&Table::even()));
    let frames = |frames: [&[u8]; 2]| {
        let dicom = Dicom::new()
            .number(tags::COLUMNS, 9)
            .number(tags::ROWS, 7)
            .number(tags::HIGH_BIT, 15)
            .text(tags::NUMBER_OF_FRAMES, VR::IS, "2");
        unpack(&dicom.encapsulated(LOSSLESS, &frames))
    };
    assert_eq!(frames([&high, &high]).expect("is unpacked").shift, 4);
    let sentence = frames([&high, &low]).err().expect("must not be unpacked");
    assert!(sentence.contains("frame 2 is of another kind"), "{sentence}");
}

/// A stream of three components in as many scans.
#[test]
fn scans_that_do_not_fit_their_frame_are_refused() {
    let picture = Lossless {
        components: 3,
        interleaved: false,
        samples: noisy(9 * 7 * 3, 16, 5),
        ..plain(9, 7)
    };
    let whole = picture.encoded(&Table::even());
    let mut twice = whole.clone();
    let scans: Vec<usize> = (0..whole.len() - 1)
        .filter(|&at| whole[at..at + 2] == [0xff, 0xda])
        .collect();
    twice[scans[1] + 5] = 1;
    let missing = [&whole[..scans[2]], b"\xff\xd9"].concat();
    let mut together = Lossless {
        interleaved: true,
        ..picture.clone()
    }
    .encoded(&Table::even());
    // The first component has twice the columns.
    let mut apart = whole.clone();
    for stream in [&mut together, &mut apart] {
        let frame = stream.windows(2).position(|two| two == [0xff, 0xc3]);
        stream[frame.expect("is there") + 11] = 0x21;
    }
    for (frame, words) in [
        (twice, "component comes twice"),
        (missing, "a scan is missing"),
        (together, "different sizes"),
        (apart, "different sizes"),
    ] {
        let sentence = open_bytes(&colours(&picture, &frame))
            .expect_err("this must not be shown")
            .to_string();
        assert!(sentence.contains(words), "{sentence}");
    }
}
