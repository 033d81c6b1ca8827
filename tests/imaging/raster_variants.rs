//! PNG, TIFF and JPEG files in the forms that X-rays come in on the web: palettes, few bits, profiles, print colours.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use recovnet::imaging::{Radiograph, Samples};

use crate::fixture::{open_bytes, stored};
use crate::png::{self, chunk};

const WIDTH: usize = 24;
const HEIGHT: usize = 10;

/// The sentence of refusal.
fn refusal(bytes: &[u8]) -> String {
    open_bytes(bytes).expect_err("this must not open").to_string()
}

fn warns(radiograph: &Radiograph, of: &str) -> bool {
    radiograph.warnings.iter().any(|warning| warning.contains(of))
}

/// Values of `bits` bits, row after row; each row begins with a new byte.
fn packed(values: &[u8], bits: usize) -> Vec<Vec<u8>> {
    let rows = values.chunks(WIDTH).map(|row| {
        let mut bytes = vec![0_u8; (row.len() * bits).div_ceil(8)];
        for (index, value) in row.iter().enumerate() {
            bytes[index * bits / 8] |= value << (8 - bits - index * bits % 8);
        }
        bytes
    });
    rows.collect()
}

/// Indices that use every entry of a palette of `bits` bits.
fn indices(bits: usize) -> Vec<u8> {
    (0..WIDTH * HEIGHT).map(|index| (index % (1 << bits)) as u8).collect()
}

/// A PNG in palette colours of 4 bits, and TIFFs in palette colours of 1, 4 and 8 bits.
pub fn palette_files() -> Vec<Vec<u8>> {
    let palette: Vec<u8> = falling(4).iter().flat_map(|&grey| [grey; 3]).collect();
    let mut files = vec![png(4, 3, &packed(&indices(4), 4), &chunk(*b"PLTE", &palette))];
    for bits in [1, 4, 8] {
        let channel: Vec<u16> = falling(bits).iter().map(|&grey| u16::from(grey) * 257).collect();
        let map = (320, [&channel[..], &channel, &channel].concat());
        files.push(tiff(&[bits as u16], 3, &packed(&indices(bits), bits).concat(), &[map]));
    }
    files
}

/// A PNG of a colour type with chunks of one's own before the data.
fn png(bits: u8, colour_type: u8, rows: &[Vec<u8>], before: &[u8]) -> Vec<u8> {
    png_of([WIDTH as u32, HEIGHT as u32], bits, colour_type, rows, before)
}

fn png_of(size: [u32; 2], bits: u8, colour_type: u8, rows: &[Vec<u8>], before: &[u8]) -> Vec<u8> {
    let mut data = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in rows {
        data.write_all(&[0]).expect("written to memory");
        data.write_all(row).expect("written to memory");
    }
    png::file(
        size,
        bits,
        colour_type,
        before,
        &data.finish().expect("written to memory"),
    )
}

/// A TIFF of one uncompressed strip; `entries` are further ones of its directory: tag, type, values.
fn tiff(bits: &[u16], photometric: u16, strip: &[u8], entries: &[(u16, Vec<u16>)]) -> Vec<u8> {
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    let strip_at = bytes.len() as u32;
    bytes.extend(strip);
    let mut directory: Vec<(u16, u16, Vec<u32>)> = vec![
        (256, 3, vec![WIDTH as u32]),
        (257, 3, vec![HEIGHT as u32]),
        (258, 3, bits.iter().map(|&bits| bits.into()).collect()),
        (259, 3, vec![1]),
        (262, 3, vec![photometric.into()]),
        (273, 4, vec![strip_at]),
        (277, 3, vec![bits.len() as u32]),
        (278, 3, vec![HEIGHT as u32]),
        (279, 4, vec![strip.len() as u32]),
    ];
    let further = entries
        .iter()
        .map(|(tag, values)| (*tag, 3, values.iter().map(|&value| value.into()).collect()));
    directory.extend(further);
    directory.sort_by_key(|entry| entry.0);
    let mut table = (directory.len() as u16).to_le_bytes().to_vec();
    for (tag, kind, values) in directory {
        let value: Vec<u8> = match kind {
            3 => values.iter().flat_map(|&value| (value as u16).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        };
        table.extend(tag.to_le_bytes());
        table.extend(kind.to_le_bytes());
        table.extend((values.len() as u32).to_le_bytes());
        if value.len() <= 4 {
            let mut value = value;
            value.resize(4, 0);
            table.extend(value);
        } else {
            table.extend((bytes.len() as u32).to_le_bytes());
            bytes.extend(value);
        }
    }
    table.extend([0; 4]);
    let at = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&at.to_le_bytes());
    bytes.extend(table);
    bytes
}

/// Greys that fall with the index, so that nobody takes an index for a level.
fn falling(bits: usize) -> Vec<u8> {
    let last = (1 << bits) - 1;
    (0..=last)
        .map(|index: usize| (255 - index * 255 / last) as u8)
        .collect()
}

#[test]
fn palette_png() {
    for bits in [1, 2, 4, 8] {
        let greys = falling(bits);
        let palette: Vec<u8> = greys.iter().flat_map(|&grey| [grey; 3]).collect();
        let bytes = png(bits as u8, 3, &packed(&indices(bits), bits), &chunk(*b"PLTE", &palette));
        let radiograph = open_bytes(&bytes).expect("opens");
        let expected: Vec<i32> = indices(bits)
            .iter()
            .map(|&index| greys[usize::from(index)].into())
            .collect();
        assert_eq!(stored(&radiograph), expected, "{bits} bits");
    }
    let colours: Vec<u8> = (0..4_u8).flat_map(|index| [index * 60, 10, 200 - index * 60]).collect();
    let bytes = png(2, 3, &packed(&indices(2), 2), &chunk(*b"PLTE", &colours));
    let coloured = open_bytes(&bytes).expect("opens");
    let Samples::Colour(pixels) = &coloured.samples else {
        panic!("these are colours");
    };
    assert_eq!(pixels[3], [180, 10, 20]);
}

#[test]
fn grey_png_of_few_bits() {
    for bits in [1_usize, 2, 4] {
        let radiograph = open_bytes(&png(bits as u8, 0, &packed(&indices(bits), bits), &[])).expect("opens");
        let last = (1 << bits) - 1;
        let expected: Vec<i32> = indices(bits)
            .iter()
            .map(|&value| i32::from(value) * 255 / last)
            .collect();
        assert_eq!(stored(&radiograph), expected, "{bits} bits");
    }
}

#[test]
fn palette_tiff() {
    for bits in [1, 4, 8] {
        let greys = falling(bits);
        let channel: Vec<u16> = greys.iter().map(|&grey| u16::from(grey) * 257).collect();
        let map = (320, [&channel[..], &channel, &channel].concat());
        let strip = packed(&indices(bits), bits).concat();
        let bytes = tiff(&[bits as u16], 3, &strip, &[map]);
        let radiograph = open_bytes(&bytes).expect("opens");
        let expected: Vec<i32> = indices(bits)
            .iter()
            .map(|&index| greys[usize::from(index)].into())
            .collect();
        assert_eq!(stored(&radiograph), expected, "{bits} bits");
        let short = (320, channel.clone());
        assert!(refusal(&tiff(&[bits as u16], 3, &strip, &[short])).contains("palette"));
        let cut = tiff(&[bits as u16], 3, &strip[..strip.len() / 2], &[]);
        assert!(refusal(&cut).contains("TIFF"));
    }
}

#[test]
fn palette_tiff_is_turned_as_its_tag_says() {
    let strip = indices(8);
    let channel: Vec<u16> = (0..256).map(|index| index * 257).collect();
    let map = (320, [&channel[..], &channel, &channel].concat());
    // Orientation 3: upside down.
    let radiograph = open_bytes(&tiff(&[8], 3, &strip, &[(274, vec![3]), map])).expect("opens");
    let expected: Vec<i32> = strip.iter().rev().map(|&index| index.into()).collect();
    assert_eq!(stored(&radiograph), expected);
    assert!(warns(&radiograph, "turned"));
}

#[test]
fn white_is_zero_tiff_of_8_and_16_bits() {
    let eight = indices(8);
    let radiograph = open_bytes(&tiff(&[8], 0, &eight, &[])).expect("opens");
    let expected: Vec<i32> = eight.iter().map(|&value| 255 - i32::from(value)).collect();
    assert_eq!(stored(&radiograph), expected);
    let sixteen: Vec<u16> = (0..WIDTH * HEIGHT).map(|index| 40_000 + index as u16).collect();
    let strip: Vec<u8> = sixteen.iter().flat_map(|value| value.to_le_bytes()).collect();
    let radiograph = open_bytes(&tiff(&[16], 0, &strip, &[])).expect("opens");
    let expected: Vec<i32> = sixteen.iter().map(|&value| 65_535 - i32::from(value)).collect();
    assert_eq!((stored(&radiograph), radiograph.bits_stored), (expected, 16));
}

#[test]
fn grey_with_alpha_of_8_and_16_bits() {
    let greys = indices(8);
    let rows: Vec<Vec<u8>> = greys
        .chunks(WIDTH)
        .map(|row| row.iter().flat_map(|&grey| [grey, 0]).collect())
        .collect();
    let radiograph = open_bytes(&png(8, 4, &rows, &[])).expect("opens");
    let expected: Vec<i32> = greys.iter().map(|&grey| grey.into()).collect();
    assert_eq!(stored(&radiograph), expected);
    assert!(warns(&radiograph, "transparency"));
    let rows: Vec<Vec<u8>> = greys
        .chunks(WIDTH)
        .map(|row| row.iter().flat_map(|&grey| [grey, 7, 255, 255]).collect())
        .collect();
    let radiograph = open_bytes(&png(16, 4, &rows, &[])).expect("opens");
    let expected: Vec<i32> = greys.iter().map(|&grey| i32::from(grey) * 256 + 7).collect();
    assert_eq!((stored(&radiograph), radiograph.bits_stored), (expected, 16));
}

#[test]
fn print_colours_are_refused() {
    let ink = vec![100; WIDTH * HEIGHT * 4];
    assert!(refusal(&tiff(&[8; 4], 5, &ink, &[])).contains("CMYK"));
    // A JPEG frame of four channels; its scan is not looked at any more.
    let frame = b"\xff\xd8\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04\x01\x11\0\x02\x11\0\x03\x11\0\x04\x11\0";
    let scan = b"\xff\xda\x00\x0e\x04\x01\0\x02\0\x03\0\x04\0\0\x3f\0\x00\xff\xd9";
    assert!(refusal(&[&frame[..], scan].concat()).contains("CMYK"));
}

#[test]
fn a_colour_profile_is_ignored_and_said() {
    let greys = indices(8);
    let profile = vec![7; 200];
    let (width, height) = (WIDTH as u32, HEIGHT as u32);
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        open_bytes(&bytes).expect("opens")
    };
    let with_profile = written(&|bytes| {
        let mut encoder = PngEncoder::new(bytes);
        encoder.set_icc_profile(profile.clone()).expect("PNG takes profiles");
        let image = encoder.write_image(&greys, width, height, ExtendedColorType::L8);
        image.expect("written to memory");
    });
    assert!(warns(&with_profile, "ICC"));
    let expected: Vec<i32> = greys.iter().map(|&grey| grey.into()).collect();
    assert_eq!(stored(&with_profile), expected, "the levels are the file's");
    let jpeg = written(&|bytes| {
        let mut encoder = JpegEncoder::new(bytes);
        encoder.set_icc_profile(profile.clone()).expect("JPEG takes profiles");
        let image = encoder.write_image(&greys, width, height, ExtendedColorType::L8);
        image.expect("written to memory");
    });
    assert!(warns(&jpeg, "ICC"));
    let without = written(&|bytes| {
        let image = PngEncoder::new(bytes).write_image(&greys, width, height, ExtendedColorType::L8);
        image.expect("written to memory");
    });
    assert!(!warns(&without, "ICC"));
}

/// What a header promises is not made room for unless the file can hold it.
#[test]
fn pictures_larger_than_their_file_are_refused_before_decoding() {
    let promising = png_of([14_000; 2], 8, 0, &packed(&indices(8), 8), &[]);
    assert!(refusal(&promising).contains("cannot hold 14000 x 14000"));
    let mut bitmap = vec![0; 2000];
    bitmap[..2].copy_from_slice(b"BM");
    bitmap[10..14].copy_from_slice(&1078_u32.to_le_bytes());
    bitmap[14..18].copy_from_slice(&40_u32.to_le_bytes());
    bitmap[18..22].copy_from_slice(&12_000_i32.to_le_bytes());
    bitmap[22..26].copy_from_slice(&12_000_i32.to_le_bytes());
    bitmap[26..30].copy_from_slice(&[1, 0, 8, 0]);
    assert!(refusal(&bitmap).contains("cannot hold 12000 x 12000"));
}

#[test]
fn refusals_say_how_far_the_file_was_read() {
    let whole = png(8, 0, &packed(&indices(8), 8), &[]);
    let cut = &whole[..whole.len() - 40];
    let sentence = refusal(cut);
    assert!(
        sentence.contains(&format!("byte {} of {}", cut.len(), cut.len())),
        "{sentence}"
    );
}
