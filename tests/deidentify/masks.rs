//! Masks in native and compressed pixels.

use recovnet::deidentify::{Masking, Options, Region, deidentify};
use recovnet::imaging::tree::Node;
use recovnet::imaging::{self, Radiograph};

use crate::fixture::{Read, file, file_as, identified, put, settings, syntax, text, treated, us};

fn masked(bytes: &[u8], regions: &[Region]) -> Vec<u8> {
    let mut settings = settings(Options::default());
    settings.masking = Masking::Regions(regions.to_vec());
    deidentify("made.dcm".as_ref(), bytes, &settings).unwrap().bytes
}

const REGION: Region = Region {
    x: 2,
    y: 1,
    width: 3,
    height: 2,
};

fn is_inside(index: usize, columns: usize) -> bool {
    (2..5).contains(&(index % columns)) && (1..3).contains(&(index / columns))
}

fn stored(bytes: &[u8]) -> (Radiograph, Vec<i32>) {
    let radiograph = imaging::decode("made.dcm".as_ref(), bytes).unwrap();
    let grey = radiograph.grey().unwrap();
    let values = (0..grey.values.len()).map(|index| grey.get(index)).collect();
    (radiograph, values)
}

#[test]
fn native_grey_is_black_inside_and_the_same_outside() {
    for (photometric, shape, brightest) in [
        ("MONOCHROME2", "IDENTITY", false),
        ("MONOCHROME1", "INVERSE", true),
        ("MONOCHROME2", "INVERSE", true),
    ] {
        let mut nodes = identified(1);
        put(&mut nodes, text((0x0028, 0x0004), b"CS", photometric));
        put(&mut nodes, text((0x2050, 0x0020), b"CS", shape));
        let original = file(&nodes);
        let bytes = masked(&original, &[REGION]);
        let (before, after) = (stored(&original).1, stored(&bytes).1);
        let black = if brightest {
            before.iter().max()
        } else {
            before.iter().min()
        };
        for (index, (old, new)) in before.iter().zip(&after).enumerate() {
            let expected = if is_inside(index, 8) { black.unwrap() } else { old };
            assert_eq!(new, expected, "{photometric} {shape} at {index}");
        }
        let read = Read::of(&bytes);
        assert_eq!(read.text((0x0028, 0x0301)).as_deref(), Some("NO"));
        assert_eq!(read.text((0x0008, 0x0008)).as_deref(), Some("DERIVED\\PRIMARY"));
        let codes = read.items((0x0012, 0x0064));
        assert!(
            codes
                .iter()
                .any(|code| code.text((0x0008, 0x0100)).as_deref() == Some("113101"))
        );
    }
}

#[test]
fn signed_values_are_ordered_by_their_sign() {
    let mut nodes = identified(1);
    put(&mut nodes, us((0x0028, 0x0101), 16));
    put(&mut nodes, us((0x0028, 0x0102), 15));
    put(&mut nodes, us((0x0028, 0x0103), 1));
    let pixels: Vec<u8> = (0..48_i16)
        .flat_map(|value| (value * 100 - 2000).to_le_bytes())
        .collect();
    put(&mut nodes, Node::new((0x7fe0, 0x0010), *b"OW", pixels));
    let after = stored(&masked(&file(&nodes), &[REGION])).1;
    assert_eq!(after[8 + 2], -2000);
    assert_eq!(after[8 + 1], -2000 + 900);
}

#[test]
fn every_frame_and_every_plane_is_masked() {
    let mut nodes = identified(1);
    for node in [
        us((0x0028, 0x0002), 3),
        text((0x0028, 0x0004), b"CS", "RGB"),
        us((0x0028, 0x0006), 1),
        text((0x0028, 0x0008), b"IS", "2"),
        us((0x0028, 0x0100), 8),
        us((0x0028, 0x0101), 8),
        us((0x0028, 0x0102), 7),
        Node::new((0x7fe0, 0x0010), *b"OB", [200; 2 * 3 * 48]),
    ] {
        put(&mut nodes, node);
    }
    let pixels = Read::of(&masked(&file(&nodes), &[REGION])).pixels();
    for (index, &byte) in pixels.iter().enumerate() {
        let expected = if is_inside(index % 48, 8) { 0 } else { 200 };
        assert_eq!(byte, expected, "{index}");
    }
}

#[test]
fn a_region_outside_is_cut_and_the_file_without_pixels_is_refused() {
    let far = Region {
        x: 7,
        y: 5,
        width: u32::MAX,
        height: u32::MAX,
    };
    let after = stored(&masked(&file(&identified(1)), &[far])).1;
    assert_eq!(after[47], 0);
    assert_eq!(after[46], 46 * 80);
    let mut settings = settings(Options::default());
    settings.masking = Masking::Regions(vec![REGION]);
    let nodes = [text((0x0008, 0x0018), b"UI", "1.2.3")];
    let refused = deidentify("made.dcm".as_ref(), &file(&nodes), &settings);
    assert!(refused.unwrap_err().contains("pixels"));
}

/// The same elements with a JPEG picture of 64 x 48 pixels of 8 bits.
fn jpeg_file() -> Vec<u8> {
    let (columns, rows) = (64, 48);
    let picture = image::GrayImage::from_fn(columns, rows, |x, y| image::Luma([(x + 3 * y) as u8]));
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let mut nodes = identified(1);
    for node in [
        us((0x0028, 0x0010), rows as u16),
        us((0x0028, 0x0011), columns as u16),
        us((0x0028, 0x0100), 8),
        us((0x0028, 0x0101), 8),
        us((0x0028, 0x0102), 7),
    ] {
        put(&mut nodes, node);
    }
    nodes.retain(|node| node.tag.0 < 0x7fe0);
    let mut bytes = file_as(&nodes, &syntax("1.2.840.10008.1.2.4.50"));
    bytes.extend([0xe0, 0x7f, 0x10, 0x00, b'O', b'B', 0, 0, 0xff, 0xff, 0xff, 0xff]);
    // An empty offset table, the picture, the delimiter.
    for content in [&[], jpeg.get_ref().as_slice()] {
        bytes.extend([0xfe, 0xff, 0x00, 0xe0]);
        bytes.extend(((content.len() + content.len() % 2) as u32).to_le_bytes());
        bytes.extend(content);
        bytes.extend(&[0][..content.len() % 2]);
    }
    bytes.extend([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn compressed_pixels_are_decoded_and_say_that_they_were_lossy() {
    let bytes = jpeg_file();
    let untouched = treated(&bytes, Options::default()).bytes;
    assert_eq!(Read::of(&untouched).pixels(), Read::of(&bytes).pixels());
    assert_eq!(Read::of(&untouched).syntax.uid, "1.2.840.10008.1.2.4.50");

    let made = masked(&bytes, &[REGION]);
    let read = Read::of(&made);
    assert_eq!(read.syntax.uid, "1.2.840.10008.1.2.1");
    assert_eq!(read.text((0x0028, 0x2110)).as_deref(), Some("01"));
    assert_eq!(read.text((0x0028, 0x2114)).as_deref(), Some("ISO_10918_1"));
    assert!(read.text((0x0028, 0x2112)).unwrap().parse::<f64>().unwrap() > 1.0);
    let (before, after) = (stored(&bytes).1, stored(&made).1);
    for (index, (old, new)) in before.iter().zip(&after).enumerate() {
        if is_inside(index, 64) {
            assert_eq!(new, before.iter().min().unwrap());
        } else {
            assert_eq!(old, new);
        }
    }
}
