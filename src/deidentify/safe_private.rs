//! Private attributes that the standard lists as safe (PS3.15 table E.3.10-1), told by creator, group and element.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::imaging::tree::Node;

/// The edition of the standard that the list is from.
pub(super) const EDITION: &str = "2025b";

const TABLE: &str = include_str!("../../assets/deidentify/safe-private.tsv");

static SAFE: LazyLock<HashSet<(&str, u16, u8)>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(parse).collect()
});

fn parse(line: &'static str) -> Option<(&'static str, u16, u8)> {
    let mut fields = line.split('\t');
    let creator = fields.next()?;
    let (group, element) = fields.next()?.split_once(",xx")?;
    Some((
        creator,
        u16::from_str_radix(group, 16).ok()?,
        u8::from_str_radix(element, 16).ok()?,
    ))
}

/// Whether an element of an odd group is a Private Creator (PS3.5 7.8.1).
pub(super) fn is_creator((group, element): (u16, u16)) -> bool {
    group % 2 == 1 && (0x10..=0xff).contains(&element)
}

/// Whether the private element `tag` of a data set may stay: it is on the list, or reserves the block of one that is.
pub(super) fn may_stay(tag: (u16, u16), data_set: &[Node]) -> bool {
    if is_creator(tag) {
        let in_block = |node: &&Node| node.tag.0 == tag.0 && node.tag.1 >> 8 == tag.1;
        return data_set
            .iter()
            .filter(in_block)
            .any(|node| is_listed(node.tag, data_set));
    }
    is_listed(tag, data_set)
}

fn is_listed(tag: (u16, u16), data_set: &[Node]) -> bool {
    let reserved = (tag.0, tag.1 >> 8);
    let creator = data_set
        .iter()
        .find(|node| is_creator(reserved) && node.tag == reserved);
    let creator = creator.and_then(Node::text);
    creator.is_some_and(|creator| SAFE.contains(&(creator.as_str(), tag.0, tag.1 as u8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((lines, SAFE.len()), (87, 87));
    }

    #[test]
    fn what_is_listed_stays_with_its_creator() {
        let text = |tag, text: &str| Node::new(tag, *b"LO", text.as_bytes());
        let nodes = [
            text((0x0019, 0x0010), "SIEMENS MR HEADER "),
            text((0x0019, 0x0011), "SOMEBODY"),
            text((0x0019, 0x100c), "1000"),
            text((0x0019, 0x10ff), "secret"),
            text((0x0019, 0x110c), "secret"),
        ];
        let stays: Vec<bool> = nodes.iter().map(|node| may_stay(node.tag, &nodes)).collect();
        assert_eq!(stays, [true, false, true, false, false]);
    }
}
