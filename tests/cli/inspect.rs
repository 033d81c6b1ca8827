//! `recovnet inspect`: tags and what the display was taken from, in words and as JSON; exit codes.

use std::path::Path;

use serde_json::Value;

use crate::elements::{element, with_meta};
use crate::{run, stderr, stdout};

fn write(path: &Path, elements: &[Vec<u8>]) {
    std::fs::write(path, with_meta(&elements.concat())).unwrap();
}

/// A MONOCHROME1 radiograph of 2 x 2 pixels with a window and a spacing at the detector.
fn radiograph(path: &Path) {
    let number = |value: u16| value.to_le_bytes();
    write(
        path,
        &[
            element((0x0008, 0x0005), *b"CS", b"ISO_IR 100"),
            element((0x0008, 0x0060), *b"CS", b"DX"),
            element((0x0010, 0x0010), *b"PN", b"M\xfcller^J\xfcrgen"),
            element((0x0018, 0x1164), *b"DS", b"0.2\\0.25"),
            element((0x0028, 0x0002), *b"US", &number(1)),
            element((0x0028, 0x0004), *b"CS", b"MONOCHROME1"),
            element((0x0028, 0x0010), *b"US", &number(2)),
            element((0x0028, 0x0011), *b"US", &number(2)),
            element((0x0028, 0x0100), *b"US", &number(16)),
            element((0x0028, 0x0101), *b"US", &number(12)),
            element((0x0028, 0x0102), *b"US", &number(11)),
            element((0x0028, 0x0103), *b"US", &number(0)),
            element((0x0028, 0x1050), *b"DS", b"2000"),
            element((0x0028, 0x1051), *b"DS", b"4000"),
            element((0x7fe0, 0x0010), *b"OW", &[7; 8]),
        ],
    );
}

#[test]
fn tags_and_what_the_display_was_taken_from_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    radiograph(&folder.path().join("a.dcm"));
    let output = run(folder.path(), &["inspect", "a.dcm"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    for line in [
        "d  (0010,0010) PN Patient Name: Müller^Jürgen",
        "dn (0002,0010) UI Transfer Syntax UID: 1.2.840.10008.1.2.1 (Explicit VR Little Endian)",
        "dn (7FE0,0010) OW Pixel Data: 8 bytes: 07 07 07 07 07 07 07 07",
        "Modality values: stored values as they are",
        "center 2000, width 4000, LINEAR",
        "White: low values are white",
        "Padding: none is declared",
        "Spacing: 0.2 mm between rows, 0.25 mm between columns, at detector: Imager Pixel Spacing",
        "Orientation: the file does not say",
    ] {
        assert!(text.contains(line), "{line} is not in: {text}");
    }
}

#[test]
fn json_has_every_tag_with_its_place_and_use() {
    let folder = tempfile::tempdir().unwrap();
    radiograph(&folder.path().join("a.dcm"));
    let output = run(folder.path(), &["inspect", "a.dcm", "--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let elements = object["elements"].as_array().unwrap();
    assert_eq!(elements.len(), 16);
    let center = elements
        .iter()
        .find(|element| element["keyword"] == "WindowCenter")
        .unwrap();
    assert_eq!(
        (&center["tag"], &center["vr"], &center["value"]),
        (&"(0028,1050)".into(), &"DS".into(), &"2000".into())
    );
    assert!(center["used_for"].as_str().unwrap().contains("networks"));
    assert!(
        object["display"]["spacing"]
            .as_str()
            .unwrap()
            .contains("Imager Pixel Spacing")
    );
    assert_eq!(object["problems"], serde_json::json!([]));
    assert_eq!(object["transfer_syntax"], "1.2.840.10008.1.2.1");
}

#[test]
fn a_file_without_a_picture_gives_its_tags() {
    let folder = tempfile::tempdir().unwrap();
    let class = element((0x0008, 0x0016), *b"UI", b"1.2.840.10008.5.1.4.1.1.88.11");
    write(
        &folder.path().join("sr.dcm"),
        &[class, element((0x0010, 0x0020), *b"LO", b"4711")],
    );
    let output = run(folder.path(), &["inspect", "sr.dcm"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("(0010,0020) LO Patient ID: 4711"), "{text}");
    assert!(
        text.contains("No picture: ") && text.contains("structured report"),
        "{text}"
    );
}

#[test]
fn what_is_no_dicom_file_ends_in_1_with_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.txt"), "plain words").unwrap();
    for file in ["x.txt", "missing.dcm", "."] {
        let output = run(folder.path(), &["inspect", file]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
}

#[test]
fn mislabelled_text_is_read_in_the_set_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let cyrillic = element((0x0010, 0x0010), *b"PN", &[0xc8, 0xe2, 0xe0, 0xed, 0xee, 0xe2]);
    write(&folder.path().join("a.dcm"), &[cyrillic]);
    let named = run(folder.path(), &["inspect", "a.dcm", "--character-set", "windows-1251"]);
    assert!(stdout(&named).contains("Иванов"), "{}", stdout(&named));
    let declared = run(folder.path(), &["inspect", "a.dcm"]);
    assert!(stdout(&declared).contains("read as Latin-1"), "{}", stdout(&declared));
    let unknown = run(folder.path(), &["inspect", "a.dcm", "--character-set", "klingon"]);
    assert_eq!(unknown.status.code(), Some(1));
}
