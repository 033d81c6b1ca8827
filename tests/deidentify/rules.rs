//! The Basic Profile and each option, on a file with every kind of identity.

use recovnet::deidentify::{Dates, Options, Outcome};
use recovnet::imaging::tree::{Node, Syntax, file_bytes};

use crate::fixture::{IDENTITIES, Read, STUDY, file, file_as, holds, identified, syntax, text, treated};

fn basic(instance: u32) -> (Vec<u8>, Read) {
    let made = treated(&file(&identified(instance)), Options::default());
    let read = Read::of(&made.bytes);
    (made.bytes, read)
}

fn with(change: impl FnOnce(&mut Options)) -> Read {
    let mut options = Options::default();
    change(&mut options);
    Read::of(&treated(&file(&identified(1)), options).bytes)
}

#[test]
fn no_identity_survives_in_any_transfer_syntax() {
    for uid in [
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.1.99",
    ] {
        let syntax = syntax(uid);
        // Numbers of the fixture are little endian; this file has none that its rules look at.
        let original = file_as(&identified(1), &syntax);
        let made = treated(&original, Options::default());
        assert_eq!(Read::of(&made.bytes).syntax, syntax);
        // What is deflated is looked at as it was before.
        let bytes = if uid.ends_with("99") {
            let read = Read::of(&made.bytes);
            let nodes: Vec<Node> = read
                .tags()
                .into_iter()
                .filter_map(|tag| read.node(tag).cloned())
                .collect();
            file_bytes(&[], &nodes, &Syntax::explicit_little_endian()).unwrap()
        } else {
            assert!(
                IDENTITIES.iter().all(|identity| holds(&original, identity)),
                "the fixture has them all"
            );
            made.bytes.clone()
        };
        for identity in IDENTITIES {
            assert!(!holds(&bytes, identity), "{identity} is still there in {uid}");
        }
        assert_eq!(made.warnings, Vec::<String>::new());
        assert_eq!(Read::of(&made.bytes).pixels(), Read::of(&original).pixels());
    }
}

#[test]
fn what_the_profile_says_of_each_attribute_is_done() {
    let (_, read) = basic(1);
    let check = |tag, expected: Option<&str>| assert_eq!(read.text(tag).as_deref(), expected, "{tag:04x?}");
    check((0x0008, 0x0016), Some("1.2.840.10008.5.1.4.1.1.1.1"));
    check((0x0008, 0x0020), Some(""));
    check((0x0008, 0x0021), None);
    check((0x0008, 0x0030), Some(""));
    check((0x0008, 0x0050), Some(""));
    check((0x0008, 0x0060), Some("DX"));
    check((0x0008, 0x0080), None);
    check((0x0008, 0x0090), Some(""));
    check((0x0010, 0x0030), Some(""));
    check((0x0010, 0x0040), Some(""));
    check((0x0010, 0x1010), None);
    check((0x0020, 0x0010), Some(""));
    check((0x0020, 0x0020), Some("L\\F"));
    check((0x0012, 0x0062), Some("YES"));
    check((0x0028, 0x0303), Some("REMOVED"));
    assert!(read.text((0x0010, 0x0010)).unwrap().starts_with("RV-"));
    let id = read.text((0x0010, 0x0020)).unwrap();
    assert_eq!(read.text((0x0010, 0x0010)), Some(format!("{id}^")));
    assert!(read.text((0x0012, 0x0063)).unwrap().contains("PS3.15"));
    assert!(read.tags().iter().all(|tag| tag.0 % 2 == 0 && tag.0 < 0x7fe1));
    assert!(read.tags().iter().all(|tag| tag.0 & 0xff00 != 0x6000));
    assert!(
        read.tags().windows(2).all(|pair| pair[0] < pair[1]),
        "in the order of tags"
    );
    let nested = &read.items((0x0008, 0x2218))[0];
    assert_eq!(nested.text((0x0008, 0x0104)).as_deref(), Some("Chest"));
}

#[test]
fn the_method_is_said_in_codes() {
    let codes = |read: &Read| -> Vec<String> {
        let items = read.items((0x0012, 0x0064));
        items.iter().filter_map(|item| item.text((0x0008, 0x0100))).collect()
    };
    assert_eq!(codes(&basic(1).1), ["113100"]);
    let read = with(|options| {
        options.dates = Dates::Shift;
        options.retain_uids = true;
        options.clean_descriptors = true;
        options.retain_institution_identity = true;
    });
    assert_eq!(codes(&read), ["113100", "113105", "113107", "113110", "113112"]);
}

#[test]
fn uids_follow_over_files_and_runs() {
    let (bytes, one) = basic(1);
    let (again, _) = basic(1);
    let (_, two) = basic(2);
    assert_eq!(bytes, again);
    assert_eq!(one.text((0x0020, 0x000d)), two.text((0x0020, 0x000d)));
    assert_ne!(one.text((0x0020, 0x000d)).as_deref(), Some(STUDY));
    assert_eq!(one.text((0x0010, 0x0020)), two.text((0x0010, 0x0020)));
    assert_ne!(one.text((0x0008, 0x0018)), two.text((0x0008, 0x0018)));
    // File 1 refers to file 2.
    let reference = &one.items((0x0008, 0x1140))[0];
    assert_eq!(reference.text((0x0008, 0x1155)), two.text((0x0008, 0x0018)));
    // The meta information names the same instance.
    let uid = one.text((0x0008, 0x0018)).unwrap();
    let meta = &bytes[..400];
    assert!(holds(meta, &uid));
    assert!(bytes[..128].iter().all(|&byte| byte == 0));
}

#[test]
fn dates_are_shifted_alike_for_one_patient() {
    let read = with(|options| options.dates = Dates::Shift);
    let date = read.text((0x0008, 0x0020)).unwrap();
    assert_eq!(read.text((0x0008, 0x0021)).as_deref(), Some(date.as_str()));
    assert_eq!(read.text((0x0008, 0x0023)).as_deref(), Some(date.as_str()));
    assert_eq!(read.text((0x0008, 0x002a)), Some(format!("{date}112233.5")));
    assert_eq!(read.text((0x0008, 0x0030)).as_deref(), Some("112233"));
    assert_eq!(read.text((0x0010, 0x0030)).as_deref(), Some(""));
    assert!(("20140101".."20240201").contains(&date.as_str()), "{date}");
    assert_eq!(read.text((0x0028, 0x0303)).as_deref(), Some("MODIFIED"));
    let kept = with(|options| options.dates = Dates::Keep);
    assert_eq!(kept.text((0x0008, 0x0020)).as_deref(), Some("20240229"));
    assert_eq!(kept.text((0x0028, 0x0303)).as_deref(), Some("UNMODIFIED"));
}

#[test]
fn options_keep_what_they_say_and_no_more() {
    let check = |read: &Read, tag, expected: Option<&str>| {
        assert_eq!(read.text(tag).as_deref(), expected, "{tag:04x?}");
        assert!(read.text((0x0010, 0x0010)).unwrap().starts_with("RV-"));
    };
    let uids = with(|options| options.retain_uids = true);
    check(&uids, (0x0020, 0x000d), Some(STUDY));
    check(&uids, (0x0008, 0x0080), None);
    let device = with(|options| options.retain_device_identity = true);
    check(&device, (0x0018, 0x1000), Some("SN-556677"));
    check(&device, (0x0018, 0x700a), Some("DET-112233"));
    let institution = with(|options| options.retain_institution_identity = true);
    check(&institution, (0x0008, 0x0080), Some("Waldkrankenhaus Bergstadt"));
    check(&institution, (0x0008, 0x1050), None);
    let patient = with(|options| options.retain_patient_characteristics = true);
    check(&patient, (0x0010, 0x0040), Some("F"));
    check(&patient, (0x0010, 0x1010), Some("090Y"));
    let private = with(|options| options.retain_safe_private = true);
    check(&private, (0x0019, 0x100c), Some("800"));
    check(&private, (0x0019, 0x10f0), None);
    let words = with(|options| options.clean_descriptors = true);
    check(&words, (0x0008, 0x1030), Some("Chest PA"));
    check(&words, (0x0008, 0x103e), None);
    let structured = with(|options| options.clean_structured_content = true);
    let item = &structured.items((0x0040, 0xa730))[0];
    check(&structured, (0x0008, 0x1030), None);
    assert_eq!(item.text((0x0040, 0xa160)).as_deref(), Some("chest pain"));
    let graphics = with(|options| options.clean_graphics = true);
    check(&graphics, (0x6000, 0x0040), Some("G"));
    check(&graphics, (0x6000, 0x0022), None);
    assert!(graphics.node((0x6000, 0x3000)).is_some());
    for identity in ["Mustermann", "Overlaytext"] {
        let values = graphics.tags().into_iter().filter_map(|tag| graphics.text(tag));
        assert!(values.into_iter().all(|value| !holds(value.as_bytes(), identity)));
    }
}

#[test]
fn the_report_has_no_old_value_unless_it_is_asked_for() {
    let bytes = file(&identified(1));
    let made = treated(&bytes, Options::default());
    let words = format!("{:?}", made.changes);
    assert!(made.changes.len() > 25);
    assert!(made.changes.iter().all(|change| change.old.is_none()));
    for identity in IDENTITIES {
        assert!(!holds(words.as_bytes(), identity), "{identity}");
    }
    let name = made.changes.iter().find(|change| change.path == "(0010,0010)").unwrap();
    assert_eq!((name.name.as_str(), name.action), ("Patient's Name", Outcome::Replaced));
    let nested = "(0008,2218)[0]/(0040,0260)[0]/(0040,A075)";
    assert!(made.changes.iter().any(|change| change.path == nested), "{words}");
    let mut settings = crate::fixture::settings(Options::default());
    settings.old_values = true;
    let made = recovnet::deidentify::deidentify("made.dcm".as_ref(), &bytes, &settings).unwrap();
    let name = made.changes.iter().find(|change| change.path == "(0010,0010)").unwrap();
    assert_eq!(name.old.as_deref(), Some("Mustermann^Erika"));
}

#[test]
fn a_name_where_no_rule_looks_is_reported() {
    let mut nodes = identified(1);
    let at = nodes.iter().position(|node| node.tag == (0x0018, 0x1000)).unwrap();
    // Body Part Examined is no attribute of the profile.
    nodes.insert(at, text((0x0018, 0x0015), b"CS", "MUSTERMANN"));
    nodes.sort_by_key(|node| node.tag);
    let made = treated(&file(&nodes), Options::default());
    assert_eq!(made.warnings.len(), 1, "{:?}", made.warnings);
    assert!(made.warnings[0].contains("(0018,0015)"));
    assert!(!holds(made.warnings[0].as_bytes(), "mustermann"));
}

#[test]
fn a_broken_or_endless_file_is_refused_in_words() {
    let mut nest = vec![text((0x0008, 0x0104), b"LO", "deep")];
    for _ in 0..200 {
        nest = vec![Node::sequence((0x0040, 0xa730), vec![nest])];
    }
    let settings = crate::fixture::settings(Options::default());
    let refuse = |bytes: &[u8]| recovnet::deidentify::deidentify("x.dcm".as_ref(), bytes, &settings).unwrap_err();
    assert!(refuse(&file(&nest)).contains("nested deeper"));
    let mut cut = file(&identified(1));
    cut.truncate(700);
    assert!(refuse(&cut).contains("ends in the middle"));
    assert!(!refuse(b"no DICOM at all, but some text").is_empty());
    let directory = [text((0x0004, 0x1130), b"CS", "ROOT")];
    assert!(refuse(&file(&directory)).contains("DICOMDIR"));
}
