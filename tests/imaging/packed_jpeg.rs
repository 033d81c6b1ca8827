//! A JPEG packed into JPEG XL gives the pixels of the JPEG. The streams are libjpeg-turbo's and libjxl's.

use std::path::Path;

use dicom_dictionary_std::tags;
use recovnet::imaging::{self, Radiograph};

use crate::bombs::refused;
use crate::fixture::{Dicom, open_bytes, stored};

const JPEG: &str = "1.2.840.10008.1.2.4.50";
const PACKED: &str = "1.2.840.10008.1.2.4.111";
const SIZE: [u16; 2] = [16, 8];

/// Grey slopes.
const GREY: &[u8] = b"\
    \xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\0C\0\x06\x04\x05\x06\x05\x04\x06\x06\x05\x06\x07\
    \x07\x06\x08\n\x10\n\n\t\t\n\x14\x0e\x0f\x0c\x10\x17\x14\x18\x18\x17\x14\x16\x16\x1a\x1d%\x1f\x1a\x1b#\x1c\x16\
    \x16 , #&')*)\x19\x1f-0-(0%()(\xff\xc0\0\x0b\x08\0\x08\0\x10\x01\x01\x11\0\xff\xc4\0\x15\0\x01\x01\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\x07\x08\xff\xc4\0\x19\x10\0\x01\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x07!3Q\xff\xda\0\x08\x01\x01\
    \0\0?\0(n\xd2U\x18T\r\xdaJ\xa3\x0f\xff\xd9";
const GREY_PACKED: &[u8] = b"\
    \0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl \0\0\0\x13jxlp\0\0\0\0\xff\n\xc1AP\xdc\x08\0\0\0?jbrd\xc1\
    \r \x08-\x03\x02\0\x84\x80$\0\0\0\xa0\x85\xff\x13\x92\0\0\0@\xf4 \xcb\x0c\xf5?\xc0\x0f\0\0\0\x0b\x08\x80\xe0\0\
    \x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\x03\0\0\0\xd6jxlp\x80\0\0\x01\xe0[\0\x10\0\x0c\x03\x0cl\x0cl\x0cl\xfe\xff\
    \x0e\0\0\x18\0\x08\0\x01\0\0\0\0\0\x80\x80%\x89S\xc4\xdd\xbc\x1eP6\xe7\xf0\x03\x14\nCRP ?tX\xc7\xc6\xc6\x18\x1dc\
    \xdd\x18,\x19c$\x12\xdch86\x8c\x8e\x88\x8e\x8deL'4\x03\x1a\xc0\x14y\x0cH\x04\0\x80\x02\x9d\0bx\xdc.\0,\x15\x17\
    \x1ep\x8f)\xa7\x10\x12>f\x12\x17i\xdf\xb6\xf7x\xfc\x86\xc5.\x8a5\x02$\x19*E\x0eJOjN\x84\xfc\x16'^\xa1\x9c\x1c\
    \xe3\xa1\x84\xb0\xcd\x1f\xd5\xf2V\xf6\xbe\xef\xf9\x1d\x975\x0c\xfb\xd0\xe6\x03_2\xc7\x12\xe0\xe6x\xd0\xfcBZ]y;\
    \xe0*\0\0\0\0\0\0%\x89\xc4\xc8\xbc\x85\x10\xe0\0\xbc\xd7\x1f\x84\x01\x10z\xfdA\x18\0\x01";
/// Colour slopes, chroma halved.
const COLOUR: &[u8] = b"\
    \xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\0C\0\x06\x04\x05\x06\x05\x04\x06\x06\x05\x06\x07\
    \x07\x06\x08\n\x10\n\n\t\t\n\x14\x0e\x0f\x0c\x10\x17\x14\x18\x18\x17\x14\x16\x16\x1a\x1d%\x1f\x1a\x1b#\x1c\x16\
    \x16 , #&')*)\x19\x1f-0-(0%()(\xff\xdb\0C\x01\x07\x07\x07\n\x08\n\x13\n\n\x13(\x1a\x16\x1a((((((((((((((((((((((\
    ((((((((((((((((((((((((((((\xff\xc0\0\x11\x08\0\x08\0\x10\x03\x01!\0\x02\x11\x01\x03\x11\x01\xff\xc4\0\x15\0\
    \x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\x07\xff\xc4\0\x18\x10\0\x02\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x05!2\
    \xff\xc4\0\x15\x01\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x03\xff\xc4\0\x1a\x11\0\x01\x05\x01\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\x01\x04\x05\x0712\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0?\0nm}Q?\x9b_TVi\xc6\x85b\x9c\x1f\xff\xd9";
const COLOUR_PACKED: &[u8] = b"\
    \0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl \0\0\0\x11jxlp\0\0\0\0\xff\n\xc1A$\0\0\0Ujbrd\xc0m\x03\x08\
    \x82 \xb4\x0c\x08\x80P\xa3@\x12\0\0\0P\xfd\x7f\x82P\0\0\0@\xd4 \xc7\xfc\xaf$\0\0\0\x80\xf8\xff\x85\x9c\0\0\0\0\
    \x8a\xeaa\x8e\xf9_\xe0\x07\0*\x0b\0\x0b\x08\x80\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\x03\0\0\0\xbcjxlp\x80\
    \0\0\x01\xe0[\x04\x10\0\xa4\x02\x0en\x0cl\x0en\xfe\xff\x0e\0\0\x18\0\x08\0\x01\0\0\0\0\0\x80\x80%\x89\x84\x88\
    \xbb\xb9\x1e\x02\0e\xb2\x16\xf7\x0e\x14\n3RP\x98\x8bsc\x19\x19#c\x8c\x8a\x91d\xc2\xbae\x01\xfc\x81\xff\x07\xdc\
    \xdf\x04\xc0\t \xc68\x07\x12\xc0\xd2\xc6'Q\xd9\x11e\xf1\x83EL\xa8#m\x91\x08[\x19\xbb`s\x83\xc8$%Gy+\xce\xab\xb69\
    \xd4\rWA\xc8\xc9\x11\xddE\xf0?\x9d\xbbZ\xa0\xbdc\tb\xe6\xc0P\x1d\x15Hic\x0c[\x102\xd2#\0\0\0\0\0\0%\x89\xc4D;\
    \xaf\xf5\x03\xd0@`\x995\x8a\xf4c\t\x9c\xae\xbf\x81\x9bY\xa3\x08";

fn picture(samples: u16) -> Dicom {
    let dicom = Dicom::new()
        .number(tags::COLUMNS, SIZE[0])
        .number(tags::ROWS, SIZE[1])
        .number(tags::BITS_ALLOCATED, 8)
        .number(tags::BITS_STORED, 8)
        .number(tags::HIGH_BIT, 7)
        .number(tags::SAMPLES_PER_PIXEL, samples);
    if samples == 1 {
        return dicom;
    }
    let photometric = tags::PHOTOMETRIC_INTERPRETATION;
    dicom
        .text(photometric, dicom_core::VR::CS, "YBR_FULL_422")
        .number(tags::PLANAR_CONFIGURATION, 0)
}

/// Whole files, for tests that break them.
pub fn packed_jpeg_files() -> Vec<Vec<u8>> {
    vec![
        picture(1).encapsulated(PACKED, &[GREY_PACKED]),
        picture(3).encapsulated(PACKED, &[COLOUR_PACKED]),
    ]
}

fn open(samples: u16, transfer_syntax: &'static str, frame: &[u8]) -> Radiograph {
    let bytes = picture(samples).encapsulated(transfer_syntax, &[frame]);
    open_bytes(&bytes).expect("opens")
}

#[test]
fn grey_and_colour_are_those_of_the_jpeg() {
    let [jpeg, packed] = [(JPEG, GREY), (PACKED, GREY_PACKED)].map(|(syntax, frame)| open(1, syntax, frame));
    let values = stored(&packed);
    assert_eq!(values, stored(&jpeg));
    // By libjpeg.
    let first = [0, 16, 30, 44, 61, 74, 89, 105, 119, 136, 150, 164, 181, 194, 209, 225];
    assert!(first.iter().zip(&values).all(|(a, b): (&i32, _)| a.abs_diff(*b) <= 1));
    assert!(packed.acquisition.lossy.is_some(), "JPEG has lost something");
    let [jpeg, packed] = [(JPEG, COLOUR), (PACKED, COLOUR_PACKED)].map(|(syntax, frame)| open(3, syntax, frame));
    assert_eq!(packed.display(&packed.default_voi()), jpeg.display(&jpeg.default_voi()));
    assert!(packed.grey().is_none(), "it has colours");
}

#[test]
fn codestreams_under_a_wrong_transfer_syntax_are_read_as_what_they_are() {
    for (transfer_syntax, frame) in [
        ("1.2.840.10008.1.2.4.90", GREY),
        ("1.2.840.10008.1.2.4.80", GREY),
        ("1.2.840.10008.1.2.4.57", GREY),
        ("1.2.840.10008.1.2.4.70", GREY),
        (JPEG, GREY_PACKED),
    ] {
        let picture = open(1, transfer_syntax, frame);
        let right = stored(&open(1, JPEG, GREY));
        assert!(stored(&picture).iter().zip(&right).all(|(a, b)| a.abs_diff(*b) <= 1));
        let said = picture
            .warnings
            .iter()
            .any(|warning| warning.contains("compressed otherwise"));
        assert!(said && picture.acquisition.lossy.is_some(), "{transfer_syntax}");
    }
    let right = open(1, JPEG, GREY);
    assert!(right.warnings.is_empty(), "{:?}", right.warnings);
}

/// The place of a box's size.
fn place(stream: &[u8], kind: [u8; 4]) -> usize {
    let at = stream.windows(4).position(|four| four == kind);
    at.expect("there is such a box") - 4
}

fn size(stream: &[u8], at: usize) -> usize {
    u32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize
}

#[test]
fn what_lost_the_way_back_shows_its_own_pixels() {
    let mut stream = GREY_PACKED.to_vec();
    let at = place(&stream, *b"jbrd");
    stream.drain(at..at + size(&stream, at));
    let (own, jpeg) = (stored(&open(1, PACKED, &stream)), stored(&open(1, JPEG, GREY)));
    assert!(own.iter().zip(&jpeg).all(|(own, jpeg)| own.abs_diff(*jpeg) <= 1));
}

#[test]
fn broken_and_enormous_boxes_are_refused() {
    let at = place(GREY_PACKED, *b"jbrd");
    let size = size(GREY_PACKED, at);
    // What the JPEG has beside its pixels stands last, compressed into these bytes.
    let packed = at + size - 21;
    let with = |bytes: &[u8]| {
        let mut stream = GREY_PACKED.to_vec();
        stream.splice(packed..at + size, bytes.iter().copied());
        let size = (packed - at + bytes.len()) as u32;
        stream[at..at + 4].copy_from_slice(&size.to_be_bytes());
        picture(1).encapsulated(PACKED, &[&stream])
    };
    refused(&with(ZEROS), "unpacks to more");
    refused(&with(&[0x0f]), "compressed in a way");
    // A large window of 2^30 bytes.
    refused(&with(&[0x11, 0x1e]), "compressed in a way");
    refused(&with(b"\xcb\xff"), "box jbrd of its JPEG XL frame is broken");
    let cut = picture(1).encapsulated(PACKED, &[&GREY_PACKED[..at + 30]]);
    refused(&cut, "JPEG XL");
}

/// Many boxes together have the bounds of one.
#[test]
fn boxes_without_end_are_refused() {
    let with = |kind: &[u8], content: &[u8], count: usize| {
        let size = (content.len() + 8) as u32;
        let each = [&size.to_be_bytes(), kind, content].concat();
        let stream = [GREY_PACKED, &each.repeat(count)].concat();
        picture(1).encapsulated(PACKED, &[&stream])
    };
    let half = [b"xml ", HALF].concat();
    assert!(open_bytes(&with(b"brob", &half, 1)).is_ok(), "it is within the bounds");
    refused(&with(b"brob", &half, 2), "unpacks to more");
    refused(&with(b"brob", &half, 2000), "unpacks to more");
    refused(&with(b"brob", b"Exif\x06", 2000), "unpacks to more");
    let at = place(GREY_PACKED, *b"jbrd");
    let jpeg = &GREY_PACKED[at + 8..at + size(GREY_PACKED, at)];
    refused(&with(b"jbrd", jpeg, 1), "comes twice");
}

#[test]
fn no_changed_byte_ends_the_process() {
    for (samples, stream) in [(1, GREY_PACKED), (3, COLOUR_PACKED)] {
        let whole = picture(samples).encapsulated(PACKED, &[stream]);
        let first = whole.windows(stream.len()).position(|bytes| bytes == stream).unwrap();
        let mut shown = 0;
        for (at, change) in (0..stream.len()).flat_map(|at| [(at, 0xff), (at, 0x01)]) {
            let mut changed = whole.clone();
            changed[first + at] ^= change;
            match imaging::decode(Path::new("changed.dcm"), &changed) {
                Ok(radiograph) => {
                    assert_eq!([radiograph.width, radiograph.height], SIZE.map(u32::from));
                    shown += 1;
                }
                Err(error) => assert!(error.to_string().contains("changed.dcm"), "{error}"),
            }
        }
        assert!(shown > 0, "a changed coefficient is no reason to refuse");
    }
}

/// 40 MiB of zeros by Brotli.
const ZEROS: &[u8] = b"\
    \xcb\xff\xff\x3f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x8f\xff\xff\x7f\xf0\x4f\x00\xc4\x61\x11\x80\xee\xfd\x1f\xff\
    \xff\xff\xe0\x9f\x00\x88\xc3\x02\x00\xdd\xfb\x3f\xfe\xff\xff\xc1\x3f\x01\x10\x87\x05\x00\xba\xf7\x7f\xf9\xff\xff\
    \x87\x7f\x02\x20\x0e\x0b\x00\x74\xef\xff\x00";
/// 600 KiB of zeros by Brotli.
const HALF: &[u8] = b"\x5b\xff\x5f\x89\x7f\x02\x20\x1e\x0b\x04\x72\xaf\x12\0";
