//! Small files that claim to be enormous: they are refused before room is made for what they claim.

use std::io::Write;

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::fixture::{Dicom, SAMPLES, open_bytes, stored};
use crate::opener::{Answer, Opener, folder_for_everybody};

/// Most bytes that a refusal may take beside the file's.
const FLOOR_BYTES: u64 = 8 << 20;
/// A side whose square is just below the limit of 200 million pixels.
const SIDE: u16 = 14_000;
/// Explicit VR Little Endian deflated.
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

fn answer(bytes: &[u8]) -> Answer {
    let folder = folder_for_everybody();
    let path = folder.path().join("bomb");
    std::fs::write(&path, bytes).expect("the folder is writable");
    let answer = Opener::start().open(&path).expect("it is answered");
    // The process opened nothing else, so that the system's count is that of this file, decoders in C among it.
    let taken = answer.peak.max(answer.resident.unwrap_or_default());
    let taken = taken.saturating_sub(bytes.len() as u64);
    assert!(taken <= FLOOR_BYTES, "took {taken} bytes");
    assert!(answer.seconds <= 2.0, "took {} s", answer.seconds);
    answer
}

/// Opens bytes, which must be refused in these words at once.
pub fn refused(bytes: &[u8], words: &str) {
    let sentence = answer(bytes).result.expect_err("this must not be shown");
    assert!(sentence.contains(words), "{sentence}");
}

/// The fixture without pixels, of a size.
fn sized(side: u16) -> Dicom {
    Dicom::new()
        .number(tags::ROWS, side)
        .number(tags::COLUMNS, side)
        .without(tags::PIXEL_DATA)
}

fn bytes_of(dicom: Dicom, bits: u16) -> Dicom {
    dicom
        .number(tags::BITS_ALLOCATED, bits)
        .number(tags::BITS_STORED, bits)
        .number(tags::HIGH_BIT, bits - 1)
}

#[test]
fn more_than_200_million_pixels() {
    refused(
        &sized(20_000).words(tags::PIXEL_DATA, &[0; 100]).bytes(),
        "20000 x 20000",
    );
    refused(
        &sized(65_535).words(tags::PIXEL_DATA, &[0; 100]).bytes(),
        "65535 x 65535",
    );
}

#[test]
fn native_pixels_that_are_not_there() {
    for bits in [8, 16, 32] {
        let dicom = bytes_of(sized(SIDE), bits).words(tags::PIXEL_DATA, &[0; 100]);
        refused(&dicom.bytes(), "cut short");
    }
    let frames = Dicom::new().text(tags::NUMBER_OF_FRAMES, VR::IS, "2147483647");
    let answer = answer(&frames.bytes());
    assert_eq!(answer.result.ok(), Some(24), "its first frame is there");
}

#[test]
fn run_lengths_of_an_enormous_plane() {
    let mut frame = [0_u32; 16];
    frame[..3].copy_from_slice(&[2, 64, 564]);
    let mut frame: Vec<u8> = frame.iter().flat_map(|word| word.to_le_bytes()).collect();
    frame.extend([0x81, 0].repeat(500));
    refused(
        &sized(SIDE).encapsulated("1.2.840.10008.1.2.5", &[&frame]),
        "cannot hold",
    );
}

#[test]
fn codestreams_of_enormous_frames() {
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new(&mut jpeg);
    let image = encoder.write_image(&[9; 64], 8, 8, ExtendedColorType::L8);
    image.expect("written to memory");
    let at = jpeg
        .windows(2)
        .position(|two| two == [0xff, 0xc0])
        .expect("a frame header");
    let [high, low] = SIDE.to_be_bytes();
    jpeg[at + 5..at + 9].copy_from_slice(&[high, low, high, low]);
    for (process, transfer_syntax) in [
        (0xc0, "1.2.840.10008.1.2.4.50"),
        (0xc2, "1.2.840.10008.1.2.4.51"),
        (0xc3, "1.2.840.10008.1.2.4.70"),
    ] {
        jpeg[at + 1] = process;
        let bytes = bytes_of(sized(SIDE), 8).encapsulated(transfer_syntax, &[&jpeg]);
        refused(&bytes, "cannot hold");
    }
    // JPEG 2000: the size of picture and tile, one channel of 8 bits, and nothing behind it.
    let side = u32::from(SIDE).to_be_bytes();
    let mut codestream = b"\xff\x4f\xff\x51\0\x29\0\0".to_vec();
    for long in [side, side, [0; 4], [0; 4], side, side, [0; 4], [0; 4]] {
        codestream.extend(long);
    }
    codestream.extend(b"\0\x01\x07\x01\x01");
    let bytes = bytes_of(sized(SIDE), 8).encapsulated("1.2.840.10008.1.2.4.90", &[&codestream]);
    refused(&bytes, "cannot hold");
}

/// The file with what follows its meta information deflated, then `zeros` more.
fn deflated(dicom: Dicom, before_zeros: &[u8], zeros: usize) -> Vec<u8> {
    let bytes = dicom.transfer_syntax(DEFLATED).bytes();
    let body = bytes
        .windows(4)
        .position(|four| four == [8, 0, 0x16, 0])
        .expect("a SOP class");
    let mut encoder = DeflateEncoder::new(bytes[..body].to_vec(), Compression::best());
    encoder.write_all(&bytes[body..]).expect("written to memory");
    encoder.write_all(before_zeros).expect("written to memory");
    for _ in 0..zeros >> 20 {
        encoder.write_all(&vec![0; 1 << 20]).expect("written to memory");
    }
    encoder.finish().expect("written to memory")
}

/// Whole files that are unpacked by our own code: deflated, and by run lengths.
pub fn packed_files() -> Vec<Vec<u8>> {
    let mut frame = [0_u32; 16];
    frame[..3].copy_from_slice(&[2, 64, 78]);
    let mut frame: Vec<u8> = frame.iter().flat_map(|word| word.to_le_bytes()).collect();
    for byte in 0..2 {
        frame.push(11);
        frame.extend(SAMPLES.iter().map(|sample| (sample >> (8 - 8 * byte)) as u8));
        frame.push(0x80);
    }
    let run_lengths = Dicom::new().encapsulated("1.2.840.10008.1.2.5", &[&frame]);
    vec![deflated(Dicom::new(), &[], 0), run_lengths]
}

#[test]
fn whole_packed_files_are_shown() {
    for bytes in packed_files() {
        let expected: Vec<i32> = SAMPLES.iter().map(|&sample| sample.into()).collect();
        assert_eq!(stored(&open_bytes(&bytes).expect("opens")), expected);
    }
}

#[test]
fn deflated_zeros_without_end() {
    const ZEROS: usize = 192 << 20;
    let pixels = [&b"\xe0\x7f\x10\0OW\0\0"[..], &(ZEROS as u32).to_le_bytes()].concat();
    let whole = deflated(Dicom::new().without(tags::PIXEL_DATA), &pixels, ZEROS);
    assert_eq!(
        answer(&whole).result.ok(),
        Some(24),
        "4 x 3 pixels are all that is inflated"
    );
    let no_size = Dicom::new().without(tags::PIXEL_DATA).without(tags::ROWS);
    refused(&deflated(no_size, &pixels, ZEROS), "(0028,0010)");
}

#[test]
fn deflated_zeros_before_the_pixels() {
    const ZEROS: usize = 64 << 20;
    let private = [&b"\x09\0\x10\x10OB\0\0"[..], &(ZEROS as u32).to_le_bytes()].concat();
    let bytes = deflated(Dicom::new().without(tags::PIXEL_DATA), &private, ZEROS);
    let folder = folder_for_everybody();
    let path = folder.path().join("bomb");
    std::fs::write(&path, &bytes).expect("the folder is writable");
    let answer = Opener::start().open(&path).expect("it is answered");
    assert!(answer.result.is_err_and(|sentence| sentence.contains("16 MiB")));
    assert!(answer.peak < 24 << 20, "took {} bytes", answer.peak);
}

/// Elements and items take no more than a few times their bytes in the file.
#[test]
fn elements_and_items_without_end() {
    let item = b"\xfe\xff\0\xe0\x08\0\0\0\x28\0\x50\x10DS\0\0";
    let mut bytes = Dicom::new().without(tags::PIXEL_DATA).bytes();
    let items = item.repeat(1_000_000);
    bytes.extend(b"\0\x52\x30\x92SQ\0\0");
    bytes.extend((items.len() as u32).to_le_bytes());
    bytes.extend(items);
    bytes.extend(b"\xe0\x7f\x10\0OW\0\0\x18\0\0\0");
    bytes.extend([0; 24]);
    let folder = folder_for_everybody();
    let path = folder.path().join("bomb");
    std::fs::write(&path, &bytes).expect("the folder is writable");
    let answer = Opener::start().open(&path).expect("it is answered");
    assert!(answer.peak < 4 * bytes.len() as u64, "took {} bytes", answer.peak);
    assert!(answer.seconds <= 2.0, "took {} s", answer.seconds);
}

/// A table may not be asked for every value of 32 bits.
#[test]
fn modality_table_over_wide_pixels() {
    let wide = |value: u32| value.to_le_bytes();
    let pixels: Vec<u8> = (0..12).flat_map(|index| wide(index * 357_913_941)).collect();
    let dicom = bytes_of(Dicom::new(), 32)
        .with(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U8(pixels.into()))
        .sequence(tags::MODALITY_LUT_SEQUENCE, |item| {
            item.with(
                tags::LUT_DESCRIPTOR,
                VR::US,
                PrimitiveValue::U16([4, 0, 16].into_iter().collect()),
            )
            .words(tags::LUT_DATA, &[0, 100, 200, 300])
        });
    let _ = answer(&dicom.bytes());
}
