//! The headerless pictures of the JSRT database.

use std::path::Path;

use recovnet::imaging::{self, Polarity, phantom};
use tempfile::TempDir;

/// A chest as the database stores it: 2048 x 2048, big-endian, large samples dark.
fn chest() -> Vec<u8> {
    let small = phantom::render(256, 256).expect("a phantom");
    (0..2048 * 2048)
        .flat_map(|i| (4095 - small[i / 2048 / 8 * 256 + i % 2048 / 8]).to_be_bytes())
        .collect()
}

#[test]
fn a_headerless_chest_opens_with_air_dark() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("JPCLN001.IMG");
    std::fs::write(&path, chest()).expect("writable");
    let picture = imaging::open(&path).expect("a radiograph");
    assert_eq!((picture.width, picture.height, picture.bits_stored), (2048, 2048, 12));
    assert_eq!(picture.polarity, Polarity::Inverse);
    let shown = picture.display(&picture.network_voi());
    let grey = |x: usize, y: usize| shown[y * 2048 + x];
    assert!(
        grey(600, 900) + 40 < grey(1024, 1500),
        "a lung is darker than the spine"
    );
    assert_eq!(imaging::candidates(folder.path()), [path]);
    let error = imaging::open_frame(&folder.path().join("JPCLN001.IMG"), 2).expect_err("one frame");
    assert!(error.to_string().contains("no frame 2"), "{error}");
}

#[test]
fn name_length_and_samples_must_all_fit() {
    let whole = chest();
    let refused = |name: &str, bytes: &[u8]| {
        imaging::decode(Path::new(name), bytes)
            .expect_err("refused")
            .to_string()
    };
    assert!(refused("a.dat", &whole).contains("no DICOM"));
    assert!(refused("a.img", &whole[..whole.len() - 2]).contains("no DICOM"));
    let mut loud = whole.clone();
    loud[(2048 * 7 + 5) * 2] = 0x10;
    let error = refused("a.IMG", &loud);
    assert!(
        error.contains("column 5, row 7") && error.contains("12 bits"),
        "{error}"
    );
    loud[0] = 0xff;
    assert!(refused("a.IMG", &loud).contains("no DICOM"));
    assert!(imaging::decode(Path::new("a.img"), &whole).is_ok());
}
