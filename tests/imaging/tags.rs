//! The tree of a file's tags: every element, nested and private ones, text, broken files, use, difference.

use std::collections::BTreeSet;
use std::path::Path;

use dicom_core::{PrimitiveValue, Tag as DicomTag, VR};
use dicom_dictionary_std::tags as names;
use recovnet::imaging::tags::{self, Form, NodeKind, Reading, Tag, TagTree, UsedBy};
use recovnet::imaging::{self, Error};

use crate::dicom_goldens::{folder, goldens};
use crate::fixture::Dicom;

fn tree_of(bytes: &[u8]) -> TagTree {
    let tree = tags::decode(Path::new("fixture"), bytes, None).expect("a DICOM file");
    assert_nested(&tree, "fixture");
    tree
}

/// Every node ends behind itself and inside what holds it, and is as deep as there are nodes around it.
fn assert_nested(tree: &TagTree, name: &str) {
    let mut around: Vec<usize> = Vec::new();
    for (index, node) in tree.nodes.iter().enumerate() {
        while around.last().is_some_and(|&end| end <= index) {
            around.pop();
        }
        let within = around.last().copied().unwrap_or(tree.nodes.len());
        assert!(
            (index + 1..=within).contains(&node.end),
            "{name}: node {index}, {}, ends at {} of {within}",
            node.tag,
            node.end
        );
        assert_eq!(
            usize::from(node.depth),
            around.len(),
            "{name}: node {index}, {}",
            node.tag
        );
        around.push(node.end);
    }
}

fn text(tree: &TagTree, tag: DicomTag) -> &str {
    let node = tree.find(Tag(tag.0, tag.1)).unwrap_or_else(|| panic!("{tag} is there"));
    &node.value.text
}

#[test]
fn every_element_is_listed_with_meta_information() {
    let tree = tree_of(&Dicom::new().bytes());
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
    assert_eq!(tree.transfer_syntax.as_deref(), Some("1.2.840.10008.1.2.1"));
    assert_eq!(text(&tree, names::PATIENT_NAME), "DOE^JANE^Q");
    assert_eq!(text(&tree, names::ROWS), "3");
    let syntax = tree.find(Tag(0x0002, 0x0010)).unwrap();
    assert_eq!(syntax.value.meaning.as_deref(), Some("Explicit VR Little Endian"));
    let name = tree.find(Tag(0x0010, 0x0010)).unwrap();
    assert_eq!(
        (name.keyword, &*name.name, name.vr.as_str()),
        (Some("PatientName"), "Patient Name", "PN")
    );
    let pixels = tree.find(Tag(0x7fe0, 0x0010)).unwrap();
    assert_eq!((pixels.value.form, pixels.length), (Form::Bytes, Some(24)));
    assert_eq!(tree.nodes.last().unwrap().tag, Tag(0x7fe0, 0x0010));
}

#[test]
fn fragments_lie_in_their_pixels() {
    let bytes = Dicom::new().encapsulated("1.2.840.10008.1.2.5", &[b"first", b"second"]);
    let tree = tree_of(&bytes);
    assert_eq!(tree.nodes.last().expect("nodes").kind, NodeKind::Fragment(2));
    let pixels = tree.find(Tag(0x7fe0, 0x0010)).expect("pixels");
    assert_eq!(pixels.end, tree.nodes.len());
    let alone = tags::compare(&tree, None);
    assert!(alone.pairs.iter().enumerate().all(|(row, pair)| pair.end > row));
}

#[test]
fn positions_are_those_of_the_file() {
    let bytes = Dicom::new().bytes();
    for node in &tree_of(&bytes).nodes {
        let at = node.position as usize;
        let [a, b, c, d] = *bytes[at..].first_chunk().unwrap();
        assert_eq!(Tag(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])), node.tag);
    }
}

#[test]
fn sequences_nest_and_private_elements_name_their_creator() {
    let bytes = Dicom::new()
        .sequence(names::VIEW_CODE_SEQUENCE, |item| {
            item.text(names::CODE_MEANING, VR::LO, "postero-anterior")
                .sequence(names::VIEW_MODIFIER_CODE_SEQUENCE, |inner| {
                    inner.text(names::CODE_VALUE, VR::SH, "R-1")
                })
        })
        .text(DicomTag(0x0029, 0x0010), VR::LO, "ACME 1.1")
        .text(DicomTag(0x0029, 0x1001), VR::LO, "secret sauce")
        .bytes();
    let tree = tree_of(&bytes);
    let depths: Vec<(u8, NodeKind)> = tree
        .nodes
        .iter()
        .filter(|node| node.tag == Tag(0x0008, 0x0100) || matches!(node.kind, NodeKind::Item(_)))
        .map(|node| (node.depth, node.kind))
        .collect();
    assert_eq!(
        depths,
        [(1, NodeKind::Item(1)), (3, NodeKind::Item(1)), (4, NodeKind::Element)]
    );
    let private = tree.find(Tag(0x0029, 0x1001)).unwrap();
    assert_eq!(private.creator.as_deref(), Some("ACME 1.1"));
    assert_eq!(private.value.text, "secret sauce");
    let sequence = tree
        .nodes
        .iter()
        .position(|node| node.tag == Tag(0x0054, 0x0220))
        .unwrap();
    let inside = tree.nodes[sequence].end - sequence - 1;
    assert_eq!(inside, 5, "an item, its code, a sequence, an item, its code");
}

#[test]
fn numbers_tags_and_long_values_are_readable() {
    let long: Vec<u16> = (0..5000).collect();
    let bytes = Dicom::new()
        .with(DicomTag(0x0029, 0x1002), VR::FD, PrimitiveValue::from(0.25_f64))
        .with(DicomTag(0x0029, 0x1003), VR::SS, PrimitiveValue::from(-7_i16))
        .with(DicomTag(0x0029, 0x1004), VR::SL, PrimitiveValue::from(-70_000_i32))
        .with(
            DicomTag(0x0029, 0x1005),
            VR::US,
            PrimitiveValue::U16(long.into_iter().collect()),
        )
        .with(
            names::FRAME_INCREMENT_POINTER,
            VR::AT,
            PrimitiveValue::from(names::FRAME_TIME),
        )
        .bytes();
    let tree = tree_of(&bytes);
    assert_eq!(text(&tree, DicomTag(0x0029, 0x1002)), "0.25");
    assert_eq!(text(&tree, DicomTag(0x0029, 0x1003)), "-7");
    assert_eq!(text(&tree, DicomTag(0x0029, 0x1004)), "-70000");
    assert_eq!(text(&tree, names::FRAME_INCREMENT_POINTER), "(0018,1063)");
    let cut = tree.find(Tag(0x0029, 0x1005)).unwrap();
    assert!(cut.value.is_cut && cut.value.text.starts_with("0\\1\\2\\") && cut.length == Some(10_000));
}

#[test]
fn mislabelled_text_is_readable_and_marked() {
    let bytes = Dicom::new()
        .text(names::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100")
        .with(
            names::STUDY_DESCRIPTION,
            VR::UN,
            PrimitiveValue::U8("Lungenübersicht".bytes().collect()),
        )
        .bytes();
    let tree = tree_of(&bytes);
    let node = tree.find(Tag(0x0008, 0x1030)).unwrap();
    assert_eq!(node.value.text, "Lungenübersicht");
    assert_eq!(node.value.reading, Some(Reading::Utf8));
    assert!(node.vr_is_implied && node.vr.as_str() == "LO");
    let cyrillic = Dicom::new()
        .with(
            names::STUDY_DESCRIPTION,
            VR::UN,
            PrimitiveValue::U8([0xcb, 0xe5, 0xe3, 0xea, 0xe8, 0xe5].into_iter().collect()),
        )
        .bytes();
    let chosen = tags::decode(Path::new("fixture"), &cyrillic, Some("windows-1251")).unwrap();
    assert_eq!(text(&chosen, names::STUDY_DESCRIPTION), "Легкие");
    let unknown = tags::decode(Path::new("fixture"), &cyrillic, Some("klingon")).unwrap_err();
    assert!(unknown.to_string().contains("klingon"), "{unknown}");
}

#[test]
fn a_broken_file_gives_its_tags_up_to_the_break() {
    let bytes = Dicom::new().bytes();
    let whole = tree_of(&bytes).nodes.len();
    let mut counts = BTreeSet::new();
    for end in 140..bytes.len() {
        let tree = tree_of(&bytes[..end]);
        assert!(tree.nodes.len() <= whole);
        assert!(
            tree.problems.iter().all(|problem| problem.position <= end as u64),
            "{:?}",
            tree.problems
        );
        counts.insert(tree.nodes.len());
    }
    assert!(counts.len() > 15, "each cut leaves what stood before it");
    let cut = tree_of(&bytes[..bytes.len() - 10]);
    let [problem] = &cut.problems[..] else {
        panic!("{:?}", cut.problems)
    };
    assert_eq!(problem.position, bytes.len() as u64 - 24);
    assert!(
        problem.to_string().contains("(7FE0,0010)") && problem.to_string().contains("24 bytes"),
        "{problem}"
    );
}

#[test]
fn what_is_broken_inside_a_known_length_hides_nothing_behind_it() {
    let mut bytes = Dicom::new().bytes();
    let start = bytes.len() as u64;
    // A sequence of 16 bytes whose only item announces 200, then a private creator.
    bytes.extend(b"\xe1\x7f\x10\x00LO\x04\x00ACME");
    bytes.extend(b"\xe1\x7f\x01\x10SQ\0\0\x10\0\0\0\xfe\xff\x00\xe0\xc8\0\0\0\x08\0\x04\x01LO\x02\0");
    bytes.extend(b"\xe3\x7f\x10\x00LO\x04\x00LAST");
    let tree = tree_of(&bytes);
    assert!(!tree.problems.is_empty());
    assert!(
        tree.problems
            .iter()
            .all(|problem| problem.position > start && problem.position <= bytes.len() as u64 - 12)
    );
    assert_eq!(text(&tree, DicomTag(0x7fe3, 0x0010)), "LAST");
}

#[test]
fn deep_nesting_ends_in_a_sentence() {
    let mut bytes = Dicom::new().bytes();
    let mut deep = Vec::new();
    for _ in 0..20_000 {
        deep.extend([0x54, 0x00, 0x20, 0x02, b'S', b'Q', 0, 0, 0xff, 0xff, 0xff, 0xff]);
        deep.extend([0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff]);
    }
    bytes.extend(deep);
    let tree = tree_of(&bytes);
    assert!(
        tree.problems.iter().any(|problem| problem.reason.contains("deeper")),
        "{:?}",
        tree.problems
    );
    assert!(tree.nodes.iter().all(|node| node.depth <= 130));
}

#[test]
fn what_is_no_dicom_file_is_refused_in_words() {
    let refuse = |bytes: &[u8]| match tags::decode(Path::new("x"), bytes, None) {
        Err(Error::Undecodable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(refuse(b"plain words").contains("no DICOM"));
    assert!(refuse(b"\x89PNG\r\n\x1a\n and more").contains("no tags"));
    assert!(refuse(b"").contains("no DICOM"));
}

#[test]
fn used_tags_are_those_the_picture_was_made_with() {
    let dicom = Dicom::new()
        .text(names::WINDOW_CENTER, VR::DS, "2000")
        .text(names::WINDOW_WIDTH, VR::DS, "4000")
        .text(names::IMAGER_PIXEL_SPACING, VR::DS, "0.2\\0.2")
        .text(names::PIXEL_SPACING, VR::DS, "0.1\\0.1")
        .text(names::MANUFACTURER, VR::LO, "ACME");
    let (picture, tree) = (dicom.clone().open().unwrap(), tree_of(&dicom.bytes()));
    let uses = tags::uses(&tree, &picture);
    let by = |tag: DicomTag| {
        let index = tree
            .nodes
            .iter()
            .position(|node| node.tag == Tag(tag.0, tag.1))
            .unwrap();
        uses.get(&index).map(|used| used.by)
    };
    assert_eq!(by(names::WINDOW_CENTER), Some(UsedBy::Both));
    assert_eq!(by(names::PIXEL_SPACING), Some(UsedBy::Display));
    assert_eq!(
        by(names::IMAGER_PIXEL_SPACING),
        None,
        "the calibrated spacing is what counts"
    );
    assert_eq!(by(names::BODY_PART_EXAMINED), Some(UsedBy::Networks));
    assert_eq!(by(names::PATIENT_NAME), Some(UsedBy::Display));
    assert_eq!(by(names::MANUFACTURER), None);
    assert_eq!(by(names::PIXEL_DATA), Some(UsedBy::Both));
}

#[test]
fn two_trees_are_paired_by_tag() {
    let one = Dicom::new()
        .text(names::MANUFACTURER, VR::LO, "ACME")
        .sequence(names::VIEW_CODE_SEQUENCE, |item| {
            item.text(names::CODE_MEANING, VR::LO, "frontal")
        });
    let other = Dicom::new()
        .text(names::PATIENT_NAME, VR::PN, "ROE^RICHARD")
        .sequence(names::VIEW_CODE_SEQUENCE, |item| {
            item.text(names::CODE_MEANING, VR::LO, "lateral")
        });
    let (one, other) = (tree_of(&one.bytes()), tree_of(&other.bytes()));
    let compared = tags::compare(&one, Some(&other));
    let text = |tree: &TagTree, index: Option<usize>| index.map(|index| tree.nodes[index].value.text.clone());
    let differing: Vec<String> = compared
        .pairs
        .iter()
        .enumerate()
        .filter(|(at, pair)| pair.differs && pair.end == at + 1)
        .map(|(_, pair)| format!("{:?} {:?}", text(&one, pair.left), text(&other, pair.right)))
        .collect();
    assert_eq!(compared.differences, differing.len());
    assert_eq!(
        differing,
        [
            r#"Some("ACME") None"#,
            r#"Some("DOE^JANE^Q") Some("ROE^RICHARD")"#,
            r#"Some("frontal") Some("lateral")"#
        ]
    );
    let same = tags::compare(&one, Some(&one.clone()));
    assert_eq!((same.differences, same.pairs.len()), (0, one.nodes.len()));
    assert_eq!(tags::compare(&one, None).pairs.len(), one.nodes.len());
}

/// Values of a golden's `meta` are pydicom's: a list is written as `['L', 'F']` or `[0.143, 0.143]`.
fn values_of(golden: &str) -> Vec<String> {
    let list = golden.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let parts: Vec<&str> = list.map_or_else(|| vec![golden], |list| list.split(", ").collect());
    parts
        .into_iter()
        .map(|part| part.trim_matches('\'').trim().to_owned())
        .collect()
}

fn is_same_value(ours: &str, golden: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    ours == golden || number(ours).is_some_and(|ours| Some(ours) == number(golden))
}

#[test]
fn tags_of_public_files_are_those_of_an_independent_reader() {
    let Some(folder) = folder() else { return };
    let mut checked = 0;
    for golden in goldens(&folder) {
        let name = golden["file"].as_str().expect("a name");
        let Some(meta) = golden["meta"].as_object() else {
            continue;
        };
        let tree = match tags::read(&folder.join("files").join(name), None) {
            Ok(tree) => tree,
            Err(error) => panic!("{error}"),
        };
        assert_nested(&tree, name);
        for (keyword, value) in meta {
            let value = value.as_str().expect("meta values are text");
            let found = tree
                .children(None)
                .map(|index| &tree.nodes[index])
                .find(|node| node.keyword == Some(keyword));
            let node = found.unwrap_or_else(|| panic!("{name}: {keyword} is listed"));
            let ours: Vec<&str> = node.value.text.split('\\').map(str::trim).collect();
            let wanted = values_of(value);
            let same = ours.len() == wanted.len()
                && ours
                    .iter()
                    .zip(&wanted)
                    .all(|(ours, wanted)| is_same_value(ours, wanted));
            assert!(same, "{name}: {keyword} is {ours:?}, not {wanted:?}");
        }
        if golden["expected"] == "no_image" {
            let refused = imaging::open(&folder.join("files").join(name))
                .expect_err("no picture")
                .to_string();
            assert!(refused.contains("no picture"), "{refused}");
            assert!(tree.nodes.len() > 1, "{name}");
        }
        checked += 1;
    }
    assert!(checked >= 149, "{checked} goldens");
}
