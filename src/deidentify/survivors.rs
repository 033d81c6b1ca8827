//! A last look: whether what names the patient, the staff or the device still stands anywhere in the file that was made.
//! Rules treat attributes; a name or a serial number may stand where no rule looks for one.

use super::descriptors;
use crate::imaging::tree::{Node, Value, dictionary_vr};

/// Attributes whose values name the patient, the examination or the staff: name, IDs, accession number, address,
/// telephone, other names and IDs, mother's name; referring, performing and reading physicians, operators.
const NAMING: [(u16, u16); 13] = [
    (0x0010, 0x0010),
    (0x0010, 0x0020),
    (0x0008, 0x0050),
    (0x0010, 0x1040),
    (0x0010, 0x2154),
    (0x0010, 0x1000),
    (0x0010, 0x1001),
    (0x0010, 0x1005),
    (0x0010, 0x1060),
    (0x0008, 0x0090),
    (0x0008, 0x1050),
    (0x0008, 0x1060),
    (0x0008, 0x1070),
];
/// Attributes whose values tell a device: its serial number, the ID of its generator and of its detector.
const DEVICE: [(u16, u16); 3] = [(0x0018, 0x1000), (0x0018, 0x1005), (0x0018, 0x700a)];
/// Fewest bytes of a word that is looked for: shorter ones are found everywhere.
const LEAST: usize = 5;

/// Words that name somebody, and with `device` the device, in upper case, as the original has them.
pub(super) fn naming_words(nodes: &[Node], device: bool) -> Vec<Vec<u8>> {
    let values = nodes
        .iter()
        .filter(|node| NAMING.contains(&node.tag) || (device && DEVICE.contains(&node.tag)));
    let mut words: Vec<Vec<u8>> = Vec::new();
    for bytes in values.filter_map(Node::bytes) {
        let parts = bytes.split(|byte| b"^=\\ \0,".contains(byte));
        let parts = parts.filter(|part| part.len() >= LEAST);
        // A name that is a word of radiology tells nothing where it is one.
        let names = parts.filter(|part| !str::from_utf8(part).is_ok_and(descriptors::is_known));
        words.extend(names.map(<[u8]>::to_ascii_uppercase));
    }
    words.retain(|word| word.iter().any(|byte| Some(byte) != word.first()));
    words.sort();
    words.dedup();
    words
}

/// Where such words still stand: tags with the number of bytes in front, without the words.
pub(super) fn survivors(nodes: &[Node], words: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    if !words.is_empty() {
        look(nodes, words, "", &mut found);
    }
    found
}

fn look(nodes: &[Node], words: &[Vec<u8>], path: &str, found: &mut Vec<String>) {
    for node in nodes {
        let path = format!("{path}({:04X},{:04X})", node.tag.0, node.tag.1);
        match &node.value {
            Value::Items(items) => {
                for (number, item) in items.iter().enumerate() {
                    look(item, words, &format!("{path}[{number}]/"), found);
                }
            }
            Value::Bytes(bytes) if is_read(node) => {
                if holds(&bytes.to_ascii_uppercase(), words) {
                    found.push(path);
                }
            }
            // Plain samples are no text; compressed ones may carry comments.
            Value::Bytes(_) => {}
            Value::Fragments(fragments) => {
                let text = |fragment: &&&[u8]| holds(&fragment.to_ascii_uppercase(), words);
                if fragments.iter().find(text).is_some() {
                    found.push(format!("{path}, a comment in its compressed pixels"));
                }
            }
        }
    }
}

/// Whether a value may be read as text: all but samples and numbers.
fn is_read(node: &Node) -> bool {
    let vr = if node.vr == *b"UN" {
        dictionary_vr(node.tag).unwrap_or(node.vr)
    } else {
        node.vr
    };
    !matches!(
        &vr,
        b"OW" | b"OF" | b"OD" | b"OL" | b"OV" | b"US" | b"SS" | b"UL" | b"SL" | b"FL" | b"FD"
    ) && node.tag != (0x7fe0, 0x0010)
}

fn holds(text: &[u8], words: &[Vec<u8>]) -> bool {
    words.iter().any(|word| find(text, word))
}

/// Whether a word stands in a text; a number only as a whole one, since UIDs and coordinates are long rows of digits.
fn find(text: &[u8], word: &[u8]) -> bool {
    let Some((&first, _)) = word.split_first() else {
        return false;
    };
    let is_number = word.iter().all(u8::is_ascii_digit);
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|&byte| byte == first) {
        let at = from + at;
        from = at + 1;
        let Some(behind) = text[at..].strip_prefix(word) else {
            continue;
        };
        let beside = [text[..at].last(), behind.first()];
        if !(is_number && beside.iter().flatten().any(|byte| byte.is_ascii_digit())) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_as_a_whole_and_a_name_anywhere() {
        assert!(find(b"PID 47110 OF", b"47110"));
        assert!(find(b"47110", b"47110"));
        assert!(!find(b"2.25.9947110", b"47110"));
        assert!(find(b"147110.47110", b"47110"));
        assert!(!find(b"4711", b"47110"));
        assert!(find(b"XMUSTERMANN2", b"MUSTERMANN"));
    }

    #[test]
    fn what_is_one_letter_over_and_over_names_nobody() {
        let text = |tag, text: &str| Node::new(tag, *b"LO", text.as_bytes());
        let nodes = [text((0x0010, 0x0020), "000000"), text((0x0018, 0x1000), "SN-5577")];
        assert_eq!(naming_words(&nodes, true), [b"SN-5577".to_vec()]);
        assert_eq!(naming_words(&nodes, false), Vec::<Vec<u8>>::new());
    }
}
