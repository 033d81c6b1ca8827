//! Whatever the attributes, the depth and the options: no identity survives anywhere in the file.

use proptest::prelude::*;
use recovnet::deidentify::profile;
use recovnet::deidentify::{Dates, Options};
use recovnet::imaging::tree::Node;

use crate::fixture::{Read, file_as, holds, syntax, text, treated};

/// A word of a name: letters that the vocabulary has no word of.
fn identity() -> impl Strategy<Value = String> {
    "[A-Z][a-z]{2}[qxz][a-z]{3}[qxz]"
}

/// VRs of texts that name people or places.
const TEXTS: [[u8; 2]; 7] = [*b"LO", *b"SH", *b"ST", *b"LT", *b"UT", *b"PN", *b"UC"];

/// Tags of texts that the Basic Profile treats, in their order, away from the file meta information.
fn named_tags() -> Vec<((u16, u16), [u8; 2])> {
    let mut tags: Vec<_> = profile::rows()
        .filter(|(tag, row)| {
            TEXTS.contains(&row.vr) && !row.is_temporal() && tag.0 >= 0x0008 && tag.0 & 0xff00 != 0x6000
        })
        .map(|(tag, row)| (*tag, row.vr))
        .collect();
    tags.sort_unstable();
    tags
}

fn options() -> impl Strategy<Value = Options> {
    (any::<[bool; 3]>(), 0..3_u8).prop_map(|([descriptors, structured, graphics], dates)| Options {
        clean_descriptors: descriptors,
        clean_structured_content: structured,
        clean_graphics: graphics,
        dates: [Dates::Remove, Dates::Shift, Dates::Keep][usize::from(dates)],
        ..Options::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn nothing_that_names_survives(
        word in identity(),
        picks in prop::collection::vec((0.0_f64..1.0, 0..4_u8), 1..40),
        options in options(),
        encoding in 0..3_usize,
        class in 0..2_usize,
    ) {
        let tags = named_tags();
        let mut nodes = vec![
            text((0x0008, 0x0016), b"UI", ["1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.88.33"][class]),
            text((0x0008, 0x0018), b"UI", "1.2.3.4"),
            text((0x0010, 0x0010), b"PN", &format!("{word}^A")),
            text((0x0033, 0x0010), b"LO", &format!("{word} private")),
            text((0x0033, 0x1001), b"UT", &word),
        ];
        for (place, depth) in picks {
            let (tag, vr) = tags[(place * tags.len() as f64) as usize];
            let mut node = text(tag, &vr, &word);
            // Sequences that the profile keeps and recurses into.
            for _ in 0..depth {
                node = Node::sequence((0x0008, 0x2218), vec![vec![node]]);
            }
            if nodes.iter().all(|other| other.tag != node.tag) {
                nodes.push(node);
            }
        }
        nodes.sort_by_key(|node| node.tag);
        let syntax = syntax(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"][encoding]);
        let original = file_as(&nodes, &syntax);
        prop_assert!(holds(&original, &word));
        let made = treated(&original, options);
        prop_assert!(!holds(&made.bytes, &word), "{word} survives: {:?}", Read::of(&made.bytes).tags());
        prop_assert!(made.warnings.is_empty(), "{:?}", made.warnings);
    }

    #[test]
    fn pixels_are_the_same_bytes(pixels in prop::collection::vec(any::<u8>(), 0..400)) {
        let nodes = [
            text((0x0008, 0x0018), b"UI", "1.2.3.4"),
            Node::new((0x7fe0, 0x0010), *b"OW", pixels),
        ];
        let original = crate::fixture::file(&nodes);
        let made = treated(&original, Options::default());
        prop_assert_eq!(Read::of(&made.bytes).pixels(), Read::of(&original).pixels());
    }
}
