//! Raster files made here, with every pixel known.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};
use recovnet::imaging::{self, Radiograph, Samples, Scope};
use tempfile::TempDir;

use crate::png;

const WIDTH: u32 = 32;
const HEIGHT: u32 = 20;

fn ramp(x: u32, y: u32) -> u8 {
    (x * 8 + y % 8) as u8
}

fn ramp16(x: u32, y: u32) -> u16 {
    (x * 1500 + y * 37) as u16
}

fn grey8() -> DynamicImage {
    ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| Luma([ramp(x, y)])).into()
}

fn grey16() -> DynamicImage {
    ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| Luma([ramp16(x, y)])).into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("the encoder works");
    bytes.into_inner()
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("the folder is writable");
    path
}

fn open_bytes(bytes: &[u8]) -> Result<Radiograph, imaging::Error> {
    let folder = TempDir::new().expect("a temporary folder");
    imaging::open(&write(&folder, "picture", bytes))
}

fn stored(radiograph: &Radiograph) -> Vec<i32> {
    let grey = radiograph.grey().expect("a grey picture");
    (0..radiograph.pixel_count()).map(|index| grey.get(index)).collect()
}

fn expected<T: Into<i32>>(value: impl Fn(u32, u32) -> T) -> Vec<i32> {
    let value = &value;
    (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).map(move |x| value(x, y).into()))
        .collect()
}

/// Opens the bytes, which must fail, and checks what every message owes its reader.
fn refusal(bytes: &[u8]) -> String {
    let message = open_bytes(bytes).expect_err("this must not open").to_string();
    assert!(message.contains("picture"), "names the file: {message}");
    assert!(!message.contains('\n'), "is one sentence: {message}");
    message
}

#[test]
fn eight_bits_are_shown_as_they_are_stored() {
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Bmp] {
        let radiograph = open_bytes(&encoded(&grey8(), format)).expect("opens");
        assert_eq!((radiograph.width, radiograph.height), (WIDTH, HEIGHT));
        assert_eq!(radiograph.bits_stored, 8);
        assert_eq!(stored(&radiograph), expected(ramp), "{format:?}");
        let shown = radiograph.display(&radiograph.default_voi());
        assert_eq!(
            shown.iter().map(|&grey| i32::from(grey)).collect::<Vec<_>>(),
            expected(ramp)
        );
        let (grey, voi) = (radiograph.grey().expect("grey"), radiograph.network_voi());
        for (sample, display) in grey
            .table(|stored| radiograph.display_value(stored, &voi))
            .into_iter()
            .enumerate()
        {
            assert_eq!(display, sample as f64 / 255.0, "the networks see stored / 255");
        }
        assert_eq!(radiograph.scope, Scope::InScope);
        assert_eq!(radiograph.warnings, Vec::<String>::new());
        assert_eq!(radiograph.spacing, None);
    }
}

#[test]
fn sixteen_bits_keep_every_level() {
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let radiograph = open_bytes(&encoded(&grey16(), format)).expect("opens");
        assert_eq!(radiograph.bits_stored, 16);
        assert_eq!(stored(&radiograph), expected(ramp16), "{format:?}");
        let shown = radiograph.display(&radiograph.default_voi());
        assert_eq!((shown.iter().min(), shown.iter().max()), (Some(&0), Some(&255)));
    }
}

#[test]
fn lossy_formats_come_close() {
    for format in [ImageFormat::Jpeg, ImageFormat::WebP] {
        let radiograph = open_bytes(&encoded(&grey8(), format)).expect("opens");
        let worst = stored(&radiograph)
            .iter()
            .zip(expected(ramp))
            .map(|(a, b)| (a - b).abs())
            .max();
        assert!(worst.is_some_and(|worst| worst <= 12), "{format:?}: {worst:?}");
    }
}

#[test]
fn grey_in_colour_clothes_is_grey() {
    let rgba: DynamicImage = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| {
        let grey = ramp(x, y);
        Rgba([grey, grey, grey, if x < 8 { 255 } else { 0 }])
    })
    .into();
    let radiograph = open_bytes(&encoded(&rgba, ImageFormat::Png)).expect("opens");
    assert_eq!(stored(&radiograph), expected(ramp));
    assert_eq!(radiograph.scope, Scope::InScope);
    assert!(
        radiograph
            .warnings
            .iter()
            .any(|warning| warning.contains("transparency"))
    );

    let la: DynamicImage = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| LumaA([ramp(x, y), 9])).into();
    assert_eq!(
        stored(&open_bytes(&encoded(&la, ImageFormat::Png)).expect("opens")),
        expected(ramp)
    );

    let rgb16: DynamicImage = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| Rgb([ramp16(x, y); 3])).into();
    let radiograph = open_bytes(&encoded(&rgb16, ImageFormat::Png)).expect("opens");
    assert_eq!(stored(&radiograph), expected(ramp16));
    assert_eq!(radiograph.bits_stored, 16);
}

#[test]
fn the_border_between_grey_and_colour_is_two_levels() {
    let tinted = |spread: u8| -> DynamicImage {
        ImageBuffer::from_fn(WIDTH, HEIGHT, |x, _| {
            Rgb([x as u8 * 7, x as u8 * 7 + spread, x as u8 * 7])
        })
        .into()
    };
    let nearly = open_bytes(&encoded(&tinted(1), ImageFormat::Png)).expect("opens");
    assert!(nearly.grey().is_some());
    assert!(nearly.warnings.iter().any(|warning| warning.contains("differ")));

    let colour = open_bytes(&encoded(&tinted(2), ImageFormat::Png)).expect("opens");
    assert!(matches!(colour.samples, Samples::Colour(_)));
    assert!(matches!(colour.scope, Scope::OutOfScope(_)));
    assert!(colour.warnings.iter().any(|warning| warning.contains("not predicted")));
    assert_eq!(colour.display(&colour.default_voi())[..3], [0, 2, 0]);
}

#[test]
fn content_beats_the_name() {
    let folder = TempDir::new().expect("a temporary folder");
    let png = encoded(&grey8(), ImageFormat::Png);
    for name in ["a.dcm", "b.jpg", "c", "d.tiff"] {
        let radiograph = imaging::open(&write(&folder, name, &png)).expect("opens");
        assert_eq!(radiograph.acquisition.encoding, "PNG");
    }
}

#[test]
fn equal_pictures_have_equal_hashes() {
    let png = open_bytes(&encoded(&grey8(), ImageFormat::Png)).expect("opens");
    let bmp = open_bytes(&encoded(&grey8(), ImageFormat::Bmp)).expect("opens");
    assert_eq!(png.content_hash, bmp.content_hash);
    let mut other = grey8().into_luma8();
    other.put_pixel(3, 3, Luma([77]));
    let other = open_bytes(&encoded(&other.into(), ImageFormat::Png)).expect("opens");
    assert_ne!(png.content_hash, other.content_hash);
}

#[test]
fn one_pixel_is_a_picture() {
    let dot: DynamicImage = ImageBuffer::from_pixel(1, 1, Luma([200_u8])).into();
    let radiograph = open_bytes(&encoded(&dot, ImageFormat::Png)).expect("opens");
    assert_eq!(stored(&radiograph), [200]);
    let dot: DynamicImage = ImageBuffer::from_pixel(1, 1, Luma([60_000_u16])).into();
    let radiograph = open_bytes(&encoded(&dot, ImageFormat::Png)).expect("opens");
    assert_eq!(
        radiograph.display(&radiograph.default_voi()),
        [0],
        "a constant picture is black"
    );
}

#[test]
fn broken_files_are_refused_in_a_sentence() {
    let png = encoded(&grey8(), ImageFormat::Png);
    refusal(&[]);
    refusal(b"\0");
    refusal(b"hello world, hello world, hello world");
    refusal(&png[..png.len() / 2]);
    refusal(&png[..20]);
    let mut broken = png.clone();
    let data = broken
        .windows(4)
        .position(|four| four == b"IDAT")
        .expect("a PNG has data");
    broken[data + 12] ^= 0xff;
    refusal(&broken);
    let jpeg = encoded(&grey8(), ImageFormat::Jpeg);
    refusal(&jpeg[..30]);
    assert!(refusal(&jpeg[..jpeg.len() - 5]).contains("cut short"));
}

/// A PNG whose header promises `width` x `height` pixels, with next to no data.
fn promising_png(width: u32, height: u32) -> Vec<u8> {
    png::file([width, height], 16, 6, &[], &[0x78, 0x9c, 3, 0, 0, 0, 0, 1])
}

#[test]
fn huge_and_empty_headers_are_refused_before_decoding() {
    for (width, height) in [(65_535, 65_535), (0x7fff_ffff, 0x7fff_ffff), (20_000, 20_000)] {
        let message = refusal(&promising_png(width, height));
        assert!(
            message.contains("more than this program opens") || message.contains("cannot"),
            "{message}"
        );
    }
    refusal(&promising_png(0, 10));
}

#[test]
fn pages_beyond_the_first_are_mentioned() {
    let mut tiff = encoded(&grey8(), ImageFormat::Tiff);
    let directory = u32::from_le_bytes([tiff[4], tiff[5], tiff[6], tiff[7]]) as usize;
    let entries = usize::from(u16::from_le_bytes([tiff[directory], tiff[directory + 1]]));
    let copy = tiff[directory..directory + 2 + entries * 12 + 4].to_vec();
    let second = tiff.len() as u32;
    tiff.extend(copy);
    let next = directory + 2 + entries * 12;
    tiff[next..next + 4].copy_from_slice(&second.to_le_bytes());
    let radiograph = open_bytes(&tiff).expect("opens");
    assert!(
        radiograph.warnings.iter().any(|warning| warning.contains("pages")),
        "{:?}",
        radiograph.warnings
    );
}

#[test]
fn orientation_tags_are_obeyed() {
    let jpeg = encoded(&grey8(), ImageFormat::Jpeg);
    // An EXIF block with one entry: Orientation (0x0112), SHORT, 1, value 6 (turn by 90 degrees).
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut turned = vec![0xff, 0xd8, 0xff, 0xe1];
    turned.extend(((exif.len() + 2) as u16).to_be_bytes());
    turned.extend(exif);
    turned.extend(&jpeg[2..]);
    let radiograph = open_bytes(&turned).expect("opens");
    assert_eq!((radiograph.width, radiograph.height), (HEIGHT, WIDTH));
    let upright = stored(&open_bytes(&jpeg).expect("opens"));
    let corner = (HEIGHT - 1) as usize * WIDTH as usize;
    assert_eq!(
        stored(&radiograph)[0],
        upright[corner],
        "the lower left corner comes to the upper left"
    );
    assert!(radiograph.warnings.iter().any(|warning| warning.contains("turned")));
}

#[test]
fn frames_that_are_not_there_are_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = write(&folder, "picture.png", &encoded(&grey8(), ImageFormat::Png));
    assert!(imaging::open_frame(&path, 1).is_ok());
    assert!(imaging::open_frame(&path, 2).is_err());
    assert!(imaging::open_frame(&path, 0).is_err());
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let folder = TempDir::new().expect("a temporary folder");
    assert!(imaging::open(folder.path()).is_err());
    assert!(imaging::open(&folder.path().join("missing.png")).is_err());
    #[cfg(unix)]
    {
        assert!(imaging::open(Path::new("/dev/zero")).is_err());
        let pipe = folder.path().join("pipe.dcm");
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .is_ok_and(|status| status.success());
        assert!(made, "mkfifo is part of every Unix");
        assert!(imaging::open(&pipe).is_err());
        assert_eq!(imaging::candidates(folder.path()), Vec::<PathBuf>::new());
    }
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_open() {
    use std::os::unix::ffi::OsStrExt;
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"bad_\xff\xfe.png"));
    std::fs::write(&path, encoded(&grey8(), ImageFormat::Png)).expect("the folder is writable");
    assert!(imaging::open(&path).is_ok());
    assert_eq!(imaging::candidates(folder.path()), [path]);
}

#[test]
fn samples_of_floating_point_are_refused_in_words() {
    for value in [0.5, f32::NAN, f32::INFINITY] {
        let picture = ImageBuffer::from_pixel(WIDTH, HEIGHT, Rgb([value; 3]));
        let message = refusal(&encoded(&DynamicImage::ImageRgb32F(picture), ImageFormat::Tiff));
        assert!(
            message.contains("floating-point") && message.contains("8 or 16 bits"),
            "{message}"
        );
    }
}

#[test]
fn bytes_in_memory_are_read_as_the_file_is() {
    let bytes = encoded(&grey16(), ImageFormat::Png);
    let decoded = imaging::decode(Path::new("in memory"), &bytes).expect("it opens");
    assert_eq!(stored(&decoded), expected(ramp16));
    assert_eq!(decoded.content_hash, open_bytes(&bytes).expect("it opens").content_hash);
    for broken in [&[][..], b"no picture", &bytes[..40]] {
        let message = imaging::decode(Path::new("in memory"), broken)
            .expect_err("broken")
            .to_string();
        assert!(message.starts_with("in memory: "), "{message}");
    }
}
