//! Small codestreams of other programs, as a picture of 16 x 8 pixels: JPEG 2000 by `OpenJPEG`, JPEG-LS by `CharLS`.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use recovnet::imaging::{Radiograph, Samples};

use crate::bombs::refused;
use crate::fixture::{Dicom, open_bytes, stored};

const JPEG_LS_LOSSLESS: &str = "1.2.840.10008.1.2.4.80";
const LOSSLESS: &str = "1.2.840.10008.1.2.4.90";
const LOSSY: &str = "1.2.840.10008.1.2.4.91";
const HIGH_THROUGHPUT: &str = "1.2.840.10008.1.2.4.201";

/// `13 x + 7 y`.
const EIGHT: &[u8] = b"\
    \xffO\xffQ\0)\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\x01\x07\x01\x01\xffR\0\
    \x0c\0\0\0\x01\0\0\x04\x04\0\x01\xff\\\0\x04@@\xff\x90\0\n\0\0\0\0\0~\0\x01\xff\x93\xdf\x83h\x123R\xd5\x91=\xd9\
    \xfe\xce\xf37V\x10\xf5Yv;QN(P2\xb6\x0fy^,\xb72+\x8b\x0b\xe7\xc4bVl\x19\xa8\xb0Wr\x8b\x95\xf0\xacv\xd4\xe5\x90\xe1\
    \x1b\xb4\xe4\x9c\xcd\x99\xb87\xce\x10\xca\x81\0\x92R\x94\xa5\xaa\xcc\x1cmm\x95,C\xdbcW\xa9\x19\x96\xd5\xc5:\xb1\
    \xa9G7k\x1a\x8f\xff<D\xe1\xa5\xfb\xb8\x89\xc4N\"o\xc8{\x118\x7f\xff\xd9";
/// `250 x + 40 y`.
const TWELVE: &[u8] = b"\
    \xffO\xffQ\0)\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\x01\x0b\x01\x01\xffR\0\
    \x0c\0\0\0\x01\0\0\x04\x04\0\x01\xff\\\0\x04@`\xff\x90\0\n\0\0\0\0\0\xb3\0\x01\xff\x93\xdf\xe2\x88\x123R\xd4\xe6\
    \xf8=\xa3\x17\r\xe2\xa3F\x11\xa0T0\x94|\xa84\xa1\0J\xad\xbe\xf9\xe6\xb7\xd1\xdf\xf3b1x3|P\\aJK4\xe9des\xe1\xbc4<\t\
    \xce;\xbe\xaa\xda\xd6\xfd\x8bS\xf1\xb0\xb4\x9d\x9b\xcf\xae\x11,\xb1\xf8F\x11,x\x95\x05\xa0\xa0\xc5\x1d\x19\xf6\xb7\
    A\x9d\xec\xd0#~\xacq\xa8}\x896\0\xe0\xfd\x92\xbd\xd0\xf7\xe3\x80:\xc4\xa9\x9a\x87\xe7\x8a\x16\xa9Qi\x95jK|\xd4>y\
    \x84:\xb6\x976\xcet\x9dp\x19\x9e\xe9;\x0e+\xa4\xeb\x80p\xd8l6\x1b\r\x86\xc3a\xb0\xd8l6\x1b\r\x86\xc3_\x8d/\xff\xd9";
/// `13 x - 11 y - 90`, with a sign.
const SIGNED: &[u8] = b"\
    \xffO\xffQ\0)\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\x01\x87\x01\x01\xffR\0\
    \x0c\0\0\0\x01\0\0\x04\x04\0\x01\xff\\\0\x04@@\xff\x90\0\n\0\0\0\0\0\x7f\0\x01\xff\x93\xdf\x83pv\xe2s\xebb\x10\x19\
    \xf0 \x80=\x9aJ\xb7\xebX\x9f\xd0\0\xc2\xcdA[o\xba\x0fK>D\xc1\xf0\xffl\xb1\xc7\x0f\x02~\x81\xd7/tp@\x81\xa2\xe80n\
    \xc2P\xb2\0\xad\x91\x89\x1d=\xdd\xb3^``T\xf7[\x8d\xf1\xf6\xf7!\x03\x06\xdc\xbb\x1d\xe6\x82c\\\xa7\xc17\x8f\x88X\
    \xad KY<\xa6\xc0\xb7\x91\xc4K\xb3\x9bj\xaa\xaa\xaa\xaa\xaa\xaa\xaa\x87]?\xff\xd9";
/// Red `16 x`, green `30 y`, blue `255 - 8 x - 8 y`.
const COLOUR: &[u8] = b"\
    \xffO\xffQ\0/\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\x03\x07\x01\x01\x07\
    \x01\x01\x07\x01\x01\xffR\0\x0c\0\0\0\x01\x01\0\x04\x04\0\x01\xff\\\0\x04@@\xff\x90\0\n\0\0\0\0\x01<\0\x01\xff\x93\
    \xcf\xb5\\\x123!\xd8\xeb7\x89\xdc\xb6\x07\xab\xaf\x0b\xf1\x97\xc3B\xc9\xcf\xb7\x19\x88\x1eN\x05N\"\x0b\xc6\n-\xec\
    \xa8\xbf'\xabq\xfd\xee48\xd3\xdb\x9b\xd2\xe4\x07\x1b\x8e\xc4\x81\x0b\x8cuh\xa96\x1b\r\x86/S\x7f.f\xc8,\xbcY\x95\
    \xcb\xb6J\0\0\0\0\0\xcb\xe2\x91A\x1a/\0\0\x07\xdf\x838\x14\0\x1ed\xb6\xd6h)\xe0\x01\xb3P\x9cG\r\x91\xb60I\xc6\xb9\
    \x1a\n\xd2n\x8b\x9f>OF\x87\xb6S\xf8\xfc(\"0\xa49\x13\xc9;/\xa4\xd6\xce\xe4\xc1\x12\xb28\xd5\xe4\xba\xaa\xaa\xaa\
    \xaa\xad\xa0m\xeb`\x05|\xe51\xe1\xe8,\xaa\xaa\xaa\xaa\xaa\xad\x83| \xf9q^\x83\xbe\xac\t\0\0\0\0\0\0m\xd6 &I\xd5:\
    \xce\0\xa7\xdf\x838<\x01|\x16\x0fv\xb8\xe4{\x90\"<pU\xef\xe7~\x04\x14\xd8\x13\xb0:\xa1\xc5\xa2\xa1\x82\xb3\xed\x1b\
    ]\xd1A\x90\xb0\xdb\xd4\xaf\\Q\x90\x82\xb8n\x1cae\xe7v\x1b\x0b|\xe2B\xb4\x9f\x86\xeb\x81\xcf\xfc\xd6s}\xc0\xf8I:\
    \xb3*Rs\x9c\xe2\x90eP\xf3\x01,+\xcc\xe7#.\x81@\xc0\0\0\0\0\0\0\x05\x15SU\xf6\x05\xff\x7f\xff\xd9";
/// That of eight bits in two tiles.
const TILED: &[u8] = b"\
    \xffO\xffQ\0)\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\x08\0\0\0\0\0\0\0\0\0\x01\x07\x01\x01\xffR\0\
    \x0c\0\0\0\x01\0\x01\x04\x04\0\x01\xff\\\0\x07@@HHP\xff\x90\0\n\0\0\0\0\x000\0\x01\xff\x93\xdf\x80\x88\x12\x0b\xce'X\
    [\x1d\xa7p\xfa\x02[s\xb5\xfd\xaf\xcf\xc0\xf9\x02@|!\x80\"\x18\xad\xdf\x03~_\xff\x90\0\n\0\x01\0\0\0/\0\x01\xff\x93\
    \xcf\xb4@\x1e\xb2\xc1\xc5sW\xf5n\xfae\x9d/\xffr\x83\xaf\xc0\xf9\x02@|!\x80\"\x18\xad\xdf\x03~_\xff\xd9";
/// That of eight bits by the wavelet that loses something.
const WAVELET_9_7: &[u8] = b"\
    \xffO\xffQ\0)\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\x08\0\0\0\0\0\0\0\0\0\x01\x07\x01\x01\xffR\0\
    \x0c\0\0\0\x01\0\x01\x04\x04\0\0\xff\\\0\x0bBH$W\xd3W\xd3Wb\xff\x90\0\n\0\0\0\0\0G\0\x01\xff\x93\xcf\xc0\x8c\x11N\
    \xf8\x05\xaf\xc1CG\x01\\}\xa1\x0floa\xf1j!YP\x04M\xe4r\x08\x1d\x036\xbf\x98\xab\xf8\xae\x9f\xc0|\x81\xe0\x1f\x08\
    \xa06\x9d\xa6E\\\xc5W\x03\x84\x8f\xf5K\xff\xd9";
/// That of eight bits.
const JPEG_LS: &[u8] = b"\
    \xff\xd8\xff\xe8\0 SPIFF\0\x02\0\0\x01\0\0\0\x08\0\0\0\x10\n\x08\x06\x01\0\0\x01,\0\0\x01,\xff\xe8\0\x08\0\0\0\x01\
    \xff\xd8\xff\xf7\0\x0b\x08\0\x08\0\x10\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\0\0\x80\xa0P*\xea\xa6\x8f\xfb\xbc\
    \xe6\xffq\x86b\x91\xd9\x99\xb6\xdb\r\xb4\x92J\xaa\xa6UUUZ\xbf\xffQ\xff\x7f\xdf\xffy\xff\x7f\x80\xff\xd9";
/// The same, each value off by 2 at most.
const NEAR_2: &[u8] = b"\
    \xff\xd8\xff\xe8\0 SPIFF\0\x02\0\0\x01\0\0\0\x08\0\0\0\x10\n\x08\x06\x01\0\0\x01,\0\0\x01,\xff\xe8\0\x08\0\0\0\x01\
    \xff\xd8\xff\xf7\0\x0b\x08\0\x08\0\x10\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\x02\0\0\x8d\x9b?\xfd\x7f\xfaI(\xa9^\
    \x89\x15$U\xf5\xff~\x97\xfft\xbf\xff%\xff~_\xff`\xff\xd9";

/// The pixels of a function of column and row.
fn pixels(value: impl Fn(i32, i32) -> i32) -> Vec<i32> {
    (0..8)
        .flat_map(|y| (0..16).map(|x| (x, y)).collect::<Vec<_>>())
        .map(|(x, y)| value(x, y))
        .collect()
}

fn eight() -> Vec<i32> {
    pixels(|x, y| (13 * x + 7 * y) & 0xff)
}

/// A picture of bits allocated and stored.
fn sized([allocated, stored]: [u16; 2]) -> Dicom {
    Dicom::new()
        .number(tags::COLUMNS, 16)
        .number(tags::ROWS, 8)
        .number(tags::BITS_ALLOCATED, allocated)
        .number(tags::BITS_STORED, stored)
        .number(tags::HIGH_BIT, stored - 1)
}

fn coloured() -> Dicom {
    sized([8, 8])
        .number(tags::SAMPLES_PER_PIXEL, 3)
        .number(tags::PLANAR_CONFIGURATION, 0)
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "YBR_RCT")
}

fn open(dicom: Dicom, transfer_syntax: &'static str, stream: &[u8]) -> Radiograph {
    open_bytes(&dicom.encapsulated(transfer_syntax, &[stream])).expect("opens")
}

/// Whole files, for tests that break them.
pub fn codestream_files() -> Vec<Vec<u8>> {
    vec![
        sized([8, 8]).encapsulated(LOSSLESS, &[EIGHT]),
        sized([16, 12]).encapsulated(LOSSLESS, &[TWELVE]),
        sized([8, 8])
            .number(tags::PIXEL_REPRESENTATION, 1)
            .encapsulated(LOSSLESS, &[SIGNED]),
        coloured().encapsulated(LOSSLESS, &[COLOUR]),
        sized([8, 8]).encapsulated(LOSSLESS, &[TILED]),
        sized([8, 8]).encapsulated(LOSSY, &[&jp2(&[], EIGHT)]),
        sized([8, 8]).encapsulated(JPEG_LS_LOSSLESS, &[JPEG_LS]),
    ]
}

#[test]
fn grey_streams_come_back() {
    for (stream, bits, transfer_syntax, values) in [
        (EIGHT, [8, 8], LOSSLESS, eight()),
        (EIGHT, [16, 12], LOSSLESS, eight()),
        (TILED, [8, 8], LOSSLESS, eight()),
        (TWELVE, [16, 12], LOSSLESS, pixels(|x, y| 250 * x + 40 * y)),
        (JPEG_LS, [8, 8], JPEG_LS_LOSSLESS, eight()),
    ] {
        let radiograph = open(sized(bits), transfer_syntax, stream);
        assert_eq!(stored(&radiograph), values);
        assert!(radiograph.acquisition.lossy.is_none() && radiograph.warnings.is_empty());
    }
}

/// The codestream may have fewer bits than are stored.
#[test]
fn signs_go_up_to_the_last_bit_stored() {
    let values = pixels(|x, y| i32::from((13 * x - 11 * y - 90) as i8));
    for bits in [[8, 8], [16, 8], [16, 12], [16, 16]] {
        let dicom = sized(bits).number(tags::PIXEL_REPRESENTATION, 1);
        assert_eq!(stored(&open(dicom, LOSSLESS, SIGNED)), values, "{bits:?}");
    }
}

#[test]
fn colours_come_back() {
    let radiograph = open(coloured(), LOSSLESS, COLOUR);
    let Samples::Colour(colours) = &radiograph.samples else {
        panic!("no colours")
    };
    let channels = [
        pixels(|x, _| 16 * x),
        pixels(|_, y| 30 * y),
        pixels(|x, y| 255 - 8 * x - 8 * y),
    ];
    for (index, colour) in colours.iter().enumerate() {
        let expected = [0, 1, 2].map(|channel: usize| channels[channel][index] as u8);
        assert_eq!(*colour, expected, "pixel {index}");
    }
}

#[test]
fn lossy_streams_under_a_lossless_transfer_syntax_are_said_to_be() {
    for (stream, transfer_syntax, error) in [
        (WAVELET_9_7, LOSSLESS, 1),
        (WAVELET_9_7, HIGH_THROUGHPUT, 1),
        (NEAR_2, JPEG_LS_LOSSLESS, 2),
    ] {
        // Whoever believes that nothing was lost says so.
        let file = sized([8, 8]).text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
        let radiograph = open(file, transfer_syntax, stream);
        let near = stored(&radiograph);
        assert!(near.iter().zip(eight()).all(|(a, b)| a.abs_diff(b) <= error));
        let said = radiograph
            .warnings
            .iter()
            .any(|warning| warning.contains("compressed otherwise"));
        assert!(said && radiograph.acquisition.lossy.is_some(), "{transfer_syntax}");
    }
    let right = open(sized([8, 8]), LOSSY, WAVELET_9_7);
    assert!(right.acquisition.lossy.is_some() && right.warnings.is_empty());
}

/// The places of the tile-parts.
fn tile_parts(stream: &[u8]) -> Vec<usize> {
    let starts = |at: &usize| stream[*at..].starts_with(&[0xff, 0x90, 0, 10]);
    (0..stream.len()).filter(starts).collect()
}

#[test]
fn a_header_ends_with_its_tile_part() {
    let first = tile_parts(EIGHT)[0];
    let mut stream = EIGHT[..first].to_vec();
    // A comment that goes over the next part's start to that part's comment: whoever follows it reads all of them, from
    // every one.
    let part = b"\xff\x90\0\x0a\0\0\0\0\0\x10\0\x01\xff\x64\0\x0e";
    stream.extend(part.repeat(1 << 17));
    refused(&sized([8, 8]).encapsulated(LOSSLESS, &[&stream]), "compressed frame");
}

#[test]
fn tiles_that_are_not_there_are_not_black() {
    let refusal = |stream: &[u8], words: &str| {
        let opened = open_bytes(&sized([8, 8]).encapsulated(LOSSLESS, &[stream]));
        let sentence = opened.expect_err("this must not be shown").to_string();
        assert!(sentence.contains(words), "{sentence}");
    };
    let &[first, second] = &tile_parts(TILED)[..] else {
        panic!("two tiles")
    };
    let end = TILED.len() - 2;
    let [main, one, two] = [&TILED[..first], &TILED[first..second], &TILED[second..end]];
    let eoc = b"\xff\xd9";
    refusal(&[main, one, eoc].concat(), "tile 2 of 2 is not all there");
    refusal(&[main, two, eoc].concat(), "tile 1 of 2 is not all there");
    refusal(&[main, eoc].concat(), "tile 1 of 2 is not all there");
    // The second tile says that it has two parts.
    let mut more = TILED.to_vec();
    more[second + 11] = 2;
    refusal(&more, "tile 2 of 2 is not all there");
    // One that there is not.
    let mut other = TILED.to_vec();
    other[second + 5] = 2;
    refusal(&other, "no JPEG 2000 codestream");
    // The last length may be left out, and so may the number of parts.
    let mut open_end = TILED.to_vec();
    open_end[second + 6..second + 10].fill(0);
    open_end[first + 11] = 0;
    let turned = [main, two, one, eoc].concat();
    for stream in [&open_end, &turned] {
        assert_eq!(stored(&open(sized([8, 8]), LOSSLESS, stream)), eight());
    }
    for keep in [second, second + 20, end - 1] {
        let _ = open_bytes(&sized([8, 8]).encapsulated(LOSSLESS, &[&TILED[..keep]])).expect_err("is cut short");
    }
}

fn boxed(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = (content.len() as u32 + 8).to_be_bytes();
    [&size[..], &kind, content].concat()
}

/// A JP2 file with what stands before its codestream.
fn jp2(before: &[u8], stream: &[u8]) -> Vec<u8> {
    let signature = boxed(*b"jP  ", b"\r\n\x87\n");
    let kind = boxed(*b"ftyp", b"jp2 \0\0\0\0jp2 ");
    // 16 x 8 pixels, one channel of 8 bits, grey.
    let size = boxed(*b"ihdr", b"\0\0\0\x08\0\0\0\x10\0\x01\x07\x07\0\0");
    let colour = boxed(*b"colr", b"\x01\0\0\0\0\0\x11");
    let header = boxed(*b"jp2h", &[size, colour, before.to_vec()].concat());
    [signature, kind, header, boxed(*b"jp2c", stream)].concat()
}

#[test]
fn what_is_decoded_is_what_was_checked() {
    let whole = jp2(&[], EIGHT);
    assert_eq!(stored(&open(sized([8, 8]), LOSSLESS, &whole)), eight());
    // An enormous codestream behind one that is right.
    let mut enormous = EIGHT.to_vec();
    for place in [8, 12, 24, 28] {
        enormous[place..place + 4].copy_from_slice(&14_000_u32.to_be_bytes());
    }
    let decoy = jp2(&boxed(*b"uuid", EIGHT), &enormous);
    let file = sized([8, 8]).encapsulated(LOSSLESS, &[&decoy]);
    refused(&file, "has 14000 x 14000 pixels where the header says 16 x 8");
    // Its indices are not grey.
    let palette = jp2(&boxed(*b"pclr", &[0; 12]), EIGHT);
    let file = sized([8, 8]).encapsulated(LOSSLESS, &[&palette]);
    refused(&file, "has a palette of its own");
    let orders = |channels: [u16; 3]| {
        let channels = (0_u16..)
            .zip(channels)
            .flat_map(|(channel, colour)| [channel, 0, colour]);
        let words: Vec<u8> = std::iter::once(3).chain(channels).flat_map(u16::to_be_bytes).collect();
        jp2(&boxed(*b"cdef", &words), EIGHT)
    };
    let file = sized([8, 8]).encapsulated(LOSSLESS, &[&orders([3, 2, 1])]);
    refused(&file, "has its channels in another order");
    let file = sized([8, 8]).encapsulated(LOSSLESS, &[&orders([1, 2, 3])]);
    assert!(open_bytes(&file).is_ok());
    let nothing = jp2(&[], &[]);
    refused(
        &sized([8, 8]).encapsulated(LOSSLESS, &[&nothing]),
        "no JPEG 2000 codestream",
    );
}
