//! Data sets that are not as the standard has them, and what they must not smuggle through.

use recovnet::deidentify::{Dates, Options, Outcome, deidentify};
use recovnet::imaging::tree::{DicomFile, Node};

use crate::fixture::{IDENTITIES, Read, STUDY, file, file_as, holds, identified, put, settings, syntax, text, treated};

fn refused(bytes: &[u8]) -> String {
    deidentify("made.dcm".as_ref(), bytes, &settings(Options::default())).unwrap_err()
}

#[test]
fn elements_out_of_order_are_treated_alike() {
    let mut nodes = identified(1);
    let ordered = treated(&file(&nodes), Options::default());
    nodes.reverse();
    let made = treated(&file(&nodes), Options::default());
    let tags = Read::of(&made.bytes).tags();
    assert!(tags.windows(2).all(|pair| pair[0] < pair[1]), "{tags:04x?}");
    for identity in IDENTITIES {
        assert!(!holds(&made.bytes, identity), "{identity}");
    }
    assert!(made.bytes == ordered.bytes);
}

#[test]
fn a_tag_that_stands_twice_is_refused() {
    let mut nodes = identified(1);
    nodes.insert(30, text((0x0010, 0x0010), b"PN", "Mustermann^Max"));
    let reason = refused(&file(&nodes));
    assert!(reason.contains("(0010,0010) stands twice"), "{reason}");
    let mut nodes = identified(1);
    let item = vec![
        text((0x0010, 0x0020), b"LO", "1"),
        text((0x0008, 0x0060), b"CS", "DX"),
        text((0x0010, 0x0020), b"LO", "2"),
    ];
    put(&mut nodes, Node::sequence((0x0008, 0x2218), vec![item]));
    assert!(refused(&file(&nodes)).contains("(0010,0020) stands twice"));
}

#[test]
fn only_registered_uids_stay_below_the_root_of_the_standard() {
    let mut nodes = identified(1);
    put(&mut nodes, text((0x0020, 0x000d), b"UI", "1.2.840.10008.4711.1"));
    let item = vec![
        text((0x0008, 0x010c), b"UI", "1.2.840.10008.2.16.4"),
        text((0x0008, 0x1155), b"UI", "1.2.840.10008.4711.2"),
        text((0x0008, 0x1160), b"IS", "1"),
    ];
    let palette = vec![text((0x0008, 0x1155), b"UI", "1.2.840.10008.1.5.1")];
    put(&mut nodes, Node::sequence((0x0008, 0x1140), vec![item, palette]));
    let made = treated(&file(&nodes), Options::default());
    assert!(!holds(&made.bytes, "1.2.840.10008.4711"));
    let items = Read::of(&made.bytes).items((0x0008, 0x1140));
    assert_eq!(items[0].text((0x0008, 0x010c)).as_deref(), Some("1.2.840.10008.2.16.4"));
    assert_eq!(items[1].text((0x0008, 0x1155)).as_deref(), Some("1.2.840.10008.1.5.1"));
}

#[test]
fn groups_of_files_and_messages_go_and_no_text_passes_for_a_uid() {
    let mut nodes = identified(1);
    let item = vec![
        text((0x0000, 0x1000), b"UI", STUDY),
        text((0x0002, 0x0016), b"AE", "AETITLE1"),
        text((0x0004, 0x1500), b"CS", "MUSTERMANN"),
        text((0x0008, 0x0104), b"LO", "Chest"),
    ];
    put(&mut nodes, Node::sequence((0x0008, 0x2218), vec![item]));
    put(&mut nodes, text((0x0008, 0x0016), b"UI", "Mustermann^Erika"));
    for options in [
        Options::default(),
        Options {
            retain_uids: true,
            ..Options::default()
        },
    ] {
        let made = treated(&file(&nodes), options);
        for identity in ["Mustermann", "AETITLE1"] {
            assert!(!holds(&made.bytes, identity), "{identity}");
        }
        let read = Read::of(&made.bytes);
        assert_eq!(read.items((0x0008, 0x2218))[0].tags(), [(0x0008, 0x0104)]);
        assert!(read.text((0x0008, 0x0016)).unwrap().starts_with("2.25."));
    }
    let syntax = syntax("Mustermann");
    assert!(!refused(&file_as(&identified(1), &syntax)).is_empty());
}

#[test]
fn what_earlier_treatment_said_stays_beside_ours() {
    let mut nodes = identified(1);
    let code = |code: &str| {
        vec![
            text((0x0008, 0x0100), b"SH", code),
            text((0x0008, 0x0102), b"SH", "DCM"),
            text((0x0008, 0x0104), b"LO", "a meaning"),
        ]
    };
    put(&mut nodes, text((0x0012, 0x0063), b"LO", "Earlier method"));
    let said = vec![code("113109"), code("113100")];
    put(&mut nodes, Node::sequence((0x0012, 0x0064), said));
    let made = treated(&file(&nodes), Options::default());
    let read = Read::of(&made.bytes);
    let method = read.text((0x0012, 0x0063)).unwrap();
    assert!(method.starts_with("Earlier method\\ReCovNet"), "{method}");
    let codes = read.items((0x0012, 0x0064));
    let codes: Vec<_> = codes.iter().filter_map(|item| item.text((0x0008, 0x0100))).collect();
    assert_eq!(codes, ["113109", "113100"]);
    let changed = |path: &str| {
        let change = made.changes.iter().find(|change| change.path == path);
        change.map(|change| change.action)
    };
    assert_eq!(changed("(0012,0063)"), Some(Outcome::Replaced));
    assert_eq!(changed("(0012,0064)"), None);
    assert_eq!(changed("(0012,0062)"), Some(Outcome::Added));
    // Once more, and nothing is added.
    let again = treated(&made.bytes, Options::default());
    assert_eq!(Read::of(&again.bytes).text((0x0012, 0x0063)), Some(method));
}

#[test]
fn an_id_that_stands_for_nobody_makes_no_patient_of_many() {
    let pseudonym = |id: &str, name: &str| {
        let mut nodes = identified(1);
        put(&mut nodes, text((0x0010, 0x0020), b"LO", id));
        put(&mut nodes, text((0x0010, 0x0010), b"PN", name));
        let made = treated(&file(&nodes), Options::default());
        Read::of(&made.bytes).text((0x0010, 0x0020)).unwrap()
    };
    for id in ["UNKNOWN", "000000", "n/a", "xxx"] {
        assert_ne!(pseudonym(id, "Doe^Jane"), pseudonym(id, "Roe^Jim"), "{id}");
        assert_eq!(pseudonym(id, "Doe^Jane"), pseudonym("", "Doe^Jane"), "{id}");
    }
    assert_eq!(pseudonym("4711", "Doe^Jane"), pseudonym("4711", "Roe^Jim"));
}

#[test]
fn addresses_go_from_a_sequence_that_is_cleaned() {
    let mut nodes = identified(1);
    let item = vec![
        text((0x0008, 0x010e), b"UR", "https://waldkrankenhaus.example/4711"),
        text((0x0040, 0xa040), b"CS", "TEXT"),
    ];
    put(&mut nodes, Node::sequence((0x0040, 0xa730), vec![item]));
    let options = Options {
        clean_structured_content: true,
        ..Options::default()
    };
    let made = treated(&file(&nodes), options);
    assert!(!holds(&made.bytes, "waldkrankenhaus.example"));
    let item = &Read::of(&made.bytes).items((0x0040, 0xa730))[0];
    assert_eq!(item.text((0x0040, 0xa040)).as_deref(), Some("TEXT"));
}

#[test]
fn overlays_are_drawn_in_the_data_set_alone_and_as_many_frames_as_are_said() {
    let mut nodes = identified(1);
    let overlay = Node::new((0x6000, 0x3000), *b"OW", [0xaa; 6]);
    put(&mut nodes, Node::sequence((0x0008, 0x2218), vec![vec![overlay]]));
    // 48 bits are the one frame of 6 x 8, and what stands behind it is none.
    let bits = [&[0xff_u8; 6][..], &[0xaa; 4]].concat();
    put(&mut nodes, Node::new((0x6000, 0x3000), *b"OW", bits));
    let options = Options {
        clean_graphics: true,
        ..Options::default()
    };
    let read = Read::of(&treated(&file(&nodes), options).bytes);
    assert_eq!(read.items((0x0008, 0x2218))[0].tags(), []);
    let kept = read.node((0x6000, 0x3000)).and_then(Node::bytes);
    assert_eq!(kept, Some(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..]));
}

/// Grayscale Softcopy Presentation State Storage.
const PRESENTATION_STATE: &str = "1.2.840.10008.5.1.4.1.1.11.1";

#[test]
fn what_a_file_does_not_know_the_vr_of_gets_the_standards_with_its_padding() {
    let mut nodes = identified(1);
    put(&mut nodes, text((0x0010, 0x0010), b"UN", "Mustermann^Erika"));
    put(&mut nodes, text((0x0010, 0x0020), b"UN", "PID-4711-0815"));
    put(&mut nodes, text((0x0018, 0x5100), b"UN", "HFS"));
    let read = Read::of(&treated(&file(&nodes), Options::default()).bytes);
    for (tag, vr) in [((0x0010, 0x0010), *b"PN"), ((0x0010, 0x0020), *b"LO")] {
        let node = read.node(tag).unwrap();
        assert_eq!(node.vr, vr);
        assert!(!node.bytes().unwrap().contains(&0), "padded with a space");
    }
    // What nobody changes stays as it is written.
    assert_eq!(read.node((0x0018, 0x5100)).unwrap().vr, *b"UN");
}

#[test]
fn what_a_class_requires_stays_with_dummies() {
    let mut nodes = identified(1);
    put(&mut nodes, text((0x0008, 0x0016), b"UI", PRESENTATION_STATE));
    put(&mut nodes, text((0x0070, 0x0082), b"DA", "20240229"));
    put(&mut nodes, text((0x0070, 0x0083), b"TM", "112233"));
    put(&mut nodes, text((0x0070, 0x0084), b"PN", "Doktorov^D"));
    // No row of the table names it.
    put(&mut nodes, text((0x0008, 0x041f), b"DT", "20240229112233"));
    let read = Read::of(&treated(&file(&nodes), Options::default()).bytes);
    assert_eq!(read.text((0x0070, 0x0082)).as_deref(), Some("19000101"));
    assert_eq!(read.text((0x0070, 0x0083)).as_deref(), Some("000000"));
    assert_eq!(read.text((0x0070, 0x0084)).as_deref(), Some("REMOVED^"));
    assert_eq!(read.text((0x0008, 0x041f)).as_deref(), Some("19000101000000"));
    let options = Options {
        dates: Dates::Keep,
        ..Options::default()
    };
    let read = Read::of(&treated(&file(&nodes), options).bytes);
    assert_eq!(read.text((0x0070, 0x0082)).as_deref(), Some("20240229"));
}

#[test]
fn a_referenced_study_stays_empty_in_requests_of_reports_alone_and_issuers_go() {
    let study = || Node::sequence((0x0008, 0x1110), vec![vec![text((0x0008, 0x1155), b"UI", STUDY)]]);
    let issuer = |tag| {
        Node::sequence(
            tag,
            vec![vec![text((0x0040, 0x0032), b"UT", "waldkrankenhaus.example")]],
        )
    };
    let mut nodes = identified(1);
    put(&mut nodes, study());
    put(&mut nodes, Node::sequence((0x0040, 0x0275), vec![vec![study()]]));
    put(&mut nodes, Node::sequence((0x0040, 0xa370), vec![vec![study()]]));
    for tag in [(0x0008, 0x0051), (0x0010, 0x0024), (0x0040, 0x0026), (0x0040, 0x0027)] {
        put(&mut nodes, issuer(tag));
    }
    let options = Options {
        clean_descriptors: true,
        ..Options::default()
    };
    let made = treated(&file(&nodes), options);
    let read = Read::of(&made.bytes);
    assert!(read.node((0x0008, 0x1110)).is_none());
    for item in read.items((0x0040, 0x0275)) {
        assert!(item.node((0x0008, 0x1110)).is_none());
    }
    let request = &read.items((0x0040, 0xa370))[0];
    assert!(request.node((0x0008, 0x1110)).is_some() && request.items((0x0008, 0x1110)).is_empty());
    assert!(!holds(&made.bytes, "waldkrankenhaus.example"));
}

#[test]
fn a_serial_number_or_a_physician_where_no_rule_looks_is_reported() {
    let warned = |value: &str, options: Options| {
        let mut nodes = identified(1);
        // Detector Description is no attribute of the profile.
        put(&mut nodes, text((0x0018, 0x7006), b"LT", value));
        treated(&file(&nodes), options).warnings
    };
    for value in ["CsI, SN=SN-556677", "calibrated by Doktorov"] {
        let warnings = warned(value, Options::default());
        assert!(
            warnings.len() == 1 && warnings[0].contains("(0018,7006)"),
            "{warnings:?}"
        );
    }
    let options = Options {
        retain_device_identity: true,
        ..Options::default()
    };
    assert_eq!(warned("CsI, SN=SN-556677", options), Vec::<String>::new());
}

#[test]
fn a_small_deflated_file_that_inflates_to_much_is_refused() {
    const MIB: usize = 1 << 20;
    let deflated = syntax("1.2.840.10008.1.2.1.99");
    let bomb = |tag, zeros: usize| {
        let mut nodes = identified(1);
        put(&mut nodes, Node::new(tag, *b"OB", vec![0; zeros]));
        file_as(&nodes, &deflated)
    };
    let pixel_data = (0x7fe0, 0x0010);
    for (bytes, words) in [
        (bomb(pixel_data, 12 * MIB), "more than 8 MiB behind its picture"),
        (bomb((0xfffc, 0xfffc), 12 * MIB), "more than 8 MiB behind its picture"),
        (bomb((0x0009, 0x1010), 80 * MIB), "no picture within 64 MiB"),
    ] {
        assert!(bytes.len() < 512 << 10, "{} bytes stand for many MiB", bytes.len());
        let reason = refused(&bytes);
        assert!(reason.contains(words), "{reason}");
        // Who asks for its tags is told the same.
        assert!(DicomFile::read(&bytes).is_err_and(|cause| cause.contains(words)));
    }
    // What may stand there does.
    for tag in [pixel_data, (0xfffc, 0xfffc), (0x0009, 0x1010)] {
        assert!(DicomFile::read(&bomb(tag, 7 * MIB)).is_ok());
    }
}
