//! Values that take the place of others: dummies by VR (PS3.15 table E.1-1a, action D), and ages without the oldest.

use super::Tag;
use crate::imaging::tree::{Node, Syntax, Value};

/// Oldest age in years that is kept; above it, people are too few not to be known.
const OLDEST: u32 = 89;

/// A value of the VR that says nothing; `length` is the original's in bytes.
pub(super) fn dummy(vr: [u8; 2], length: usize) -> Vec<u8> {
    match &vr {
        b"DA" => b"19000101".to_vec(),
        b"TM" => b"000000".to_vec(),
        b"DT" => b"19000101000000".to_vec(),
        b"AS" => b"000D".to_vec(),
        b"IS" | b"DS" => b"0".to_vec(),
        b"PN" => b"REMOVED^".to_vec(),
        b"UR" => b"urn:removed".to_vec(),
        b"LO" | b"SH" | b"ST" | b"LT" | b"UT" | b"UC" | b"CS" | b"AE" => b"REMOVED".to_vec(),
        b"OB" | b"UN" => vec![0; 2],
        b"OW" | b"OF" | b"OD" | b"OL" | b"OV" => vec![0; 8],
        _ => vec![0; length.min(8)],
    }
}

/// Patient's Age (0010,1010) with every age above 89 years as 90; `None` if it is no age.
pub(super) fn capped_age(text: &str) -> Option<String> {
    let (number, unit) = text.trim().split_at_checked(3)?;
    let years = number.parse::<u32>().ok()?;
    match unit {
        "Y" => Some(format!("{:03}Y", if years > OLDEST { OLDEST + 1 } else { years })),
        "D" | "W" | "M" => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// Whether a VR is text that people write.
pub(super) fn is_text(vr: [u8; 2]) -> bool {
    matches!(&vr, b"LO" | b"SH" | b"ST" | b"LT" | b"UT" | b"UC")
}

/// The elements of a data set and of its items in the order of their tags (PS3.5 7.1), which every search relies on.
///
/// # Errors
/// If a tag stands twice in one data set: what one reader takes for the value may not be what was treated.
pub(super) fn ordered(mut nodes: Vec<Node<'_>>) -> Result<Vec<Node<'_>>, String> {
    nodes.sort_by_key(|node| node.tag);
    if let Some(pair) = nodes.windows(2).find(|pair| pair[0].tag == pair[1].tag) {
        let (group, element) = pair[0].tag;
        return Err(format!(
            "the DICOM file is broken: ({group:04X},{element:04X}) stands twice in one data set"
        ));
    }
    for node in &mut nodes {
        if let Value::Items(items) = &mut node.value {
            let taken = std::mem::take(items);
            *items = taken.into_iter().map(ordered).collect::<Result<_, _>>()?;
        }
    }
    Ok(nodes)
}

/// Puts an element in its place by tag, instead of one that is there; `nodes` are [`ordered`].
pub(super) fn set<'a>(nodes: &mut Vec<Node<'a>>, node: Node<'a>) {
    match nodes.binary_search_by_key(&node.tag, |other| other.tag) {
        Ok(at) => nodes[at] = node,
        Err(at) => nodes.insert(at, node),
    }
}

/// The element of a tag.
pub(super) fn find<'n, 'a>(nodes: &'n [Node<'a>], tag: Tag) -> Option<&'n Node<'a>> {
    nodes.iter().find(|node| node.tag == tag)
}

/// The first 16-bit number of an element.
pub(super) fn number(nodes: &[Node], tag: Tag, syntax: &Syntax) -> Option<usize> {
    Some(usize::from(syntax.u16(*find(nodes, tag)?.bytes()?.first_chunk()?)))
}

/// The bytes that [`Node::text`] read as Latin-1, whatever they are.
pub(super) fn bytes_of(text: &str) -> Vec<u8> {
    text.chars().map(|letter| letter as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_oldest_ages_change() {
        assert_eq!(capped_age("089Y").as_deref(), Some("089Y"));
        assert_eq!(capped_age("090Y").as_deref(), Some("090Y"));
        assert_eq!(capped_age("104Y ").as_deref(), Some("090Y"));
        assert_eq!(capped_age("003W").as_deref(), Some("003W"));
        assert_eq!(capped_age("old"), None);
        assert_eq!(capped_age("09"), None);
    }
}
