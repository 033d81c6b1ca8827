//! Data sets that are not as the standard has them, and what they must not smuggle through.

use recovnet::deidentify::{Options, Outcome, deidentify};
use recovnet::imaging::tree::Node;

use crate::fixture::{IDENTITIES, Read, STUDY, file, file_as, holds, identified, settings, syntax, text, treated};

fn replace(nodes: &mut Vec<Node<'static>>, node: Node<'static>) {
    nodes.retain(|other| other.tag != node.tag);
    nodes.push(node);
    nodes.sort_by_key(|node| node.tag);
}

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
    replace(&mut nodes, Node::sequence((0x0008, 0x2218), vec![item]));
    assert!(refused(&file(&nodes)).contains("(0010,0020) stands twice"));
}

#[test]
fn only_registered_uids_stay_below_the_root_of_the_standard() {
    let mut nodes = identified(1);
    replace(&mut nodes, text((0x0020, 0x000d), b"UI", "1.2.840.10008.4711.1"));
    let item = vec![
        text((0x0008, 0x010c), b"UI", "1.2.840.10008.2.16.4"),
        text((0x0008, 0x1155), b"UI", "1.2.840.10008.4711.2"),
        text((0x0008, 0x1160), b"IS", "1"),
    ];
    let palette = vec![text((0x0008, 0x1155), b"UI", "1.2.840.10008.1.5.1")];
    replace(&mut nodes, Node::sequence((0x0008, 0x1140), vec![item, palette]));
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
    replace(&mut nodes, Node::sequence((0x0008, 0x2218), vec![item]));
    replace(&mut nodes, text((0x0008, 0x0016), b"UI", "Mustermann^Erika"));
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
    replace(&mut nodes, text((0x0012, 0x0063), b"LO", "Earlier method"));
    let said = vec![code("113109"), code("113100")];
    replace(&mut nodes, Node::sequence((0x0012, 0x0064), said));
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
        replace(&mut nodes, text((0x0010, 0x0020), b"LO", id));
        replace(&mut nodes, text((0x0010, 0x0010), b"PN", name));
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
    replace(&mut nodes, Node::sequence((0x0040, 0xa730), vec![item]));
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
    replace(&mut nodes, Node::sequence((0x0008, 0x2218), vec![vec![overlay]]));
    // 48 bits are the one frame of 6 x 8, and what stands behind it is none.
    let bits = [&[0xff_u8; 6][..], &[0xaa; 4]].concat();
    replace(&mut nodes, Node::new((0x6000, 0x3000), *b"OW", bits));
    let options = Options {
        clean_graphics: true,
        ..Options::default()
    };
    let read = Read::of(&treated(&file(&nodes), options).bytes);
    assert_eq!(read.items((0x0008, 0x2218))[0].tags(), []);
    let kept = read.node((0x6000, 0x3000)).and_then(Node::bytes);
    assert_eq!(kept, Some(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..]));
}
