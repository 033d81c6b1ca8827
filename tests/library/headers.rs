//! What is read of a file, and how little.

use std::fs::File;
use std::time::{Duration, Instant};

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use proptest::prelude::*;
use recovnet::imaging::header::{self, Head, Header};

use crate::fixture::{Dicom, EXPLICIT};
use crate::instance;

fn head_of(bytes: &[u8]) -> Result<Head, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.dcm");
    std::fs::write(&path, bytes).unwrap();
    header::read(&path).map_err(|error| error.to_string())
}

fn header_of(bytes: &[u8]) -> Header {
    match head_of(bytes).unwrap() {
        Head::Dicom(header) => *header,
        other => panic!("a header was expected, not {other:?}"),
    }
}

/// Offset of the data set of a file with meta information.
fn body(bytes: &[u8]) -> usize {
    bytes.windows(6).position(|six| six == b"\x08\0\x16\0UI").unwrap()
}

/// Offset of Pixel Data.
fn pixels(bytes: &[u8]) -> usize {
    bytes.windows(6).position(|six| six == b"\xe0\x7f\x10\0OW").unwrap()
}

/// The same object with its data set deflated: in stored blocks, which every inflater reads.
fn deflated(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.windows(6).position(|six| six == b"\x02\0\x10\0UI").unwrap();
    let uid = "1.2.840.10008.1.2.1.99";
    let old = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
    bytes.splice(
        at + 6..at + 8 + old,
        [&(uid.len() as u16).to_le_bytes(), uid.as_bytes()].concat(),
    );
    let data = bytes.split_off(body(&bytes));
    let chunks: Vec<&[u8]> = data.chunks(60_000).collect();
    for (number, chunk) in chunks.iter().enumerate() {
        let length = chunk.len() as u16;
        bytes.push(u8::from(number + 1 == chunks.len()));
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(*chunk);
    }
    bytes
}

#[test]
fn a_header_says_who_what_and_where() {
    let header = header_of(&instance(1, 2, 3, 4).text(tags::VIEW_POSITION, VR::CS, "PA").bytes());
    assert_eq!(header.transfer_syntax, EXPLICIT);
    assert_eq!(header.identity.patient_name.as_deref(), Some("Doe, Patient1"));
    assert_eq!(header.identity.patient_id.as_deref(), Some("P1"));
    assert_eq!(header.study.uid.as_deref(), Some("2.25.10002"));
    assert_eq!(header.study.date.as_deref(), Some("20240103"));
    assert_eq!(header.series.number, Some(3));
    assert_eq!(header.series.modality.as_deref(), Some("DX"));
    assert_eq!(header.instance_number, Some(4));
    assert_eq!(header.view_position.as_deref(), Some("PA"));
    assert_eq!((header.size, header.frames), (Some((3, 4)), 1));
}

#[test]
fn every_way_to_write_a_file_gives_the_same_header() {
    let plain = instance(1, 2, 3, 4).bytes();
    let expected = header_of(&plain);
    let bare = header_of(&plain[body(&plain)..]);
    assert_eq!(bare, expected, "without preamble and meta information");
    let inflated = header_of(&deflated(plain));
    let renamed = Header {
        transfer_syntax: expected.transfer_syntax.clone(),
        ..inflated
    };
    assert_eq!(renamed, expected, "deflated");
}

/// The same object in Implicit VR Little Endian, which says of no element what it is.
fn implicit(dicom: Dicom) -> Vec<u8> {
    let mut bytes = dicom.transfer_syntax("1.2.840.10008.1.2").bytes();
    let explicit = bytes.split_off(body(&bytes));
    let mut rest = explicit.as_slice();
    while !rest.is_empty() {
        let (head, length) = if matches!(&rest[4..6], b"OB" | b"OW") {
            (12, u32::from_le_bytes(rest[8..12].try_into().unwrap()))
        } else {
            (8, u32::from(u16::from_le_bytes([rest[6], rest[7]])))
        };
        let end = head + length as usize;
        bytes.extend(&rest[..4]);
        bytes.extend(length.to_le_bytes());
        bytes.extend(&rest[head..end]);
        rest = &rest[end..];
    }
    bytes
}

#[test]
fn frames_are_counted_in_digits_whether_or_not_the_file_says_so() {
    for (digits, frames) in [("12", 12), ("1 ", 1), ("0", 1), ("x", 1), ("-3", 1), ("70000", 70_000)] {
        let dicom = || instance(1, 2, 3, 4).text(tags::NUMBER_OF_FRAMES, VR::IS, digits);
        let explicit = header_of(&dicom().bytes());
        assert_eq!(explicit.frames, frames, "{digits}");
        let renamed = Header {
            transfer_syntax: explicit.transfer_syntax.clone(),
            ..header_of(&implicit(dicom()))
        };
        assert_eq!(renamed, explicit, "{digits}");
    }
}

#[test]
fn a_header_without_end_is_not_kept_without_end() {
    let mut bytes = instance(1, 2, 3, 4).bytes();
    let at = bytes.windows(6).position(|six| six == b"\x20\0\x0d\0UI").unwrap();
    let element = [b"\x18\0\0\x10LO".as_slice(), &4000_u16.to_le_bytes(), &[b'x'; 4000]].concat();
    bytes.splice(at..at, element.repeat(600));
    let header = header_of(&bytes);
    assert_eq!(header.sop_instance_uid.as_deref(), Some("2.25.1234"));
    assert_eq!(
        header.study.uid, None,
        "it stands behind more than any real file's header has"
    );
}

#[test]
fn pixels_are_never_needed() {
    let bytes = instance(1, 2, 3, 4).bytes();
    let expected = header_of(&bytes);
    // Cut off before the first pixel, and in the middle of the tag of Pixel Data.
    for end in [pixels(&bytes) + 12, pixels(&bytes) + 2] {
        assert_eq!(header_of(&bytes[..end]), expected);
    }
}

#[test]
fn long_values_are_passed_over_without_being_read() {
    let bytes = instance(1, 2, 3, 4).bytes();
    let expected = header_of(&bytes);
    let start = body(&bytes);
    let length = 900_u32 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.dcm");
    // SOP Class UID stays first; then a private value of 900 MiB that is a hole in the file.
    let first = start + 8 + usize::from(u16::from_le_bytes([bytes[start + 6], bytes[start + 7]]));
    let file = File::create(&path).unwrap();
    let mut at = 0;
    let mut put = |bytes: &[u8], skip: u64| {
        std::os::unix::fs::FileExt::write_all_at(&file, bytes, at).unwrap();
        at += bytes.len() as u64 + skip;
    };
    put(&bytes[..first], 0);
    put(
        &[b"\x08\0\x17\0OB\0\0".as_slice(), &length.to_le_bytes()].concat(),
        u64::from(length),
    );
    put(&bytes[first..], 0);
    let begin = Instant::now();
    assert_eq!(header::read(&path).unwrap(), Head::Dicom(Box::new(expected)));
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn sequences_before_the_uids_are_passed_over() {
    let with = instance(1, 2, 3, 4).sequence(tags::REFERENCED_STUDY_SEQUENCE, |item| {
        item.text(tags::STUDY_INSTANCE_UID, VR::UI, "9.9.9")
            .sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, |item| {
                item.text(tags::CODE_VALUE, VR::SH, "121311")
            })
    });
    assert_eq!(header_of(&with.bytes()), header_of(&instance(1, 2, 3, 4).bytes()));
}

#[test]
fn a_broken_header_keeps_what_stands_before_its_fault_and_says_what_there_is_none_of() {
    let whole = instance(1, 2, 3, 4)
        .with(Tag(0x0021, 0x0010), VR::LO, PrimitiveValue::from("PRIVATE"))
        .bytes();
    let private = whole.windows(6).position(|six| six == b"\x21\0\x10\0LO").unwrap();
    let mut broken = whole.clone();
    broken[private + 4..private + 6].copy_from_slice(b"\0\0");
    let header = header_of(&broken);
    assert_eq!(header.study.uid.as_deref(), Some("2.25.10002"));
    assert_eq!(header.size, None, "it stands behind the fault");
    let mut nothing = whole[..body(&whole)].to_vec();
    nothing.extend(b"\x08\0\x16\0??\0\0");
    let reason = head_of(&nothing).unwrap_err();
    assert!(reason.contains("broken"), "{reason}");
}

#[test]
fn deep_nesting_ends_in_a_sentence_and_not_in_the_stack() {
    let bytes = instance(1, 2, 3, 4).bytes();
    let mut nested = bytes[..body(&bytes)].to_vec();
    for _ in 0..20_000 {
        nested.extend(b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff");
    }
    let reason = head_of(&nested).unwrap_err();
    assert!(reason.contains("nested deeper"), "{reason}");
}

#[test]
fn pictures_have_a_size_and_no_patient_and_other_files_are_told_from_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    image::GrayImage::new(30, 20).save(&path).unwrap();
    assert_eq!(header::read(&path).unwrap(), Head::Picture(30, 20));
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "not a picture").unwrap();
    assert_eq!(header::read(&notes).unwrap(), Head::Other);
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    assert_eq!(header::read(&empty).unwrap(), Head::Other);
    let liar = folder.path().join("liar.dcm");
    std::fs::write(&liar, "not a picture").unwrap();
    assert!(header::read(&liar).unwrap_err().to_string().contains("no DICOM"));
}

proptest! {
    #[test]
    fn no_file_breaks_the_reader(cut in 0_usize..900, at in 0_usize..900, value in any::<u8>()) {
        let mut bytes = instance(1, 2, 3, 4).bytes();
        let length = bytes.len();
        bytes[at % length] = value;
        bytes.truncate(length - cut % length);
        // A header or a sentence: either is right.
        if let Err(reason) = head_of(&bytes) {
            prop_assert!(reason.len() > 20, "{}", reason);
        }
    }
}
