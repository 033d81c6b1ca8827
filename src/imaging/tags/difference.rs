//! Two trees side by side: elements are paired by tag at each level, items by number.

use super::{Node, NodeKind, Tag, TagTree};

/// A line of two trees: what stands in one, in the other, or in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Index in the first tree.
    pub left: Option<usize>,
    /// Index in the second tree; `None` too where there is no second tree.
    pub right: Option<usize>,
    /// How many lines it lies in.
    pub depth: u8,
    /// Index behind the last line that it holds.
    pub end: usize,
    /// It, or something that it holds, is not the same in both.
    pub differs: bool,
}

/// Lines of one tree or of two.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// The lines, each before what it holds.
    pub pairs: Vec<Pair>,
    /// How many lines differ that hold no others.
    pub differences: usize,
}

/// Pairs the lines of a tree with those of another; without another, all of them are the same.
pub fn compare(left: &TagTree, right: Option<&TagTree>) -> Compared {
    let Some(right) = right else {
        let pair = |(index, node): (usize, &Node)| Pair {
            left: Some(index),
            right: None,
            depth: node.depth,
            end: node.end,
            differs: false,
        };
        return Compared {
            pairs: left.nodes.iter().enumerate().map(pair).collect(),
            differences: 0,
        };
    };
    let mut pairing = Pairing {
        left,
        right,
        compared: Compared::default(),
    };
    pairing.level(left.children(None), right.children(None));
    pairing.compared
}

struct Pairing<'a> {
    left: &'a TagTree,
    right: &'a TagTree,
    compared: Compared,
}

/// What makes two lines of a level the same element: its tag, its number as an item or fragment, and how many of
/// this tag came before.
type Key = (Tag, u32, usize);

fn keyed(tree: &TagTree, level: impl Iterator<Item = usize>) -> Vec<(Key, usize)> {
    let mut keys: Vec<(Key, usize)> = level
        .filter_map(|index| {
            let node = tree.nodes.get(index)?;
            let number = match node.kind {
                NodeKind::Element => 0,
                NodeKind::Item(number) | NodeKind::Fragment(number) => number,
            };
            Some(((node.tag, number, 0), index))
        })
        .collect();
    keys.sort_by_key(|&((tag, number, _), _)| (tag, number));
    for at in 1..keys.len() {
        let ((tag, number, count), _) = keys[at - 1];
        let (key, _) = &mut keys[at];
        if (key.0, key.1) == (tag, number) {
            key.2 = count + 1;
        }
    }
    keys
}

impl Pairing<'_> {
    /// Pairs two levels; `true` if something in them differs.
    fn level(&mut self, left: impl Iterator<Item = usize>, right: impl Iterator<Item = usize>) -> bool {
        let (left, right) = (keyed(self.left, left), keyed(self.right, right));
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        let mut differs = false;
        loop {
            let (here, there) = match (left.peek(), right.peek()) {
                (None, None) => return differs,
                (Some(_), None) => (left.next(), None),
                (None, Some(_)) => (None, right.next()),
                (Some((one, _)), Some((other, _))) if one < other => (left.next(), None),
                (Some((one, _)), Some((other, _))) if one > other => (None, right.next()),
                (Some(_), Some(_)) => (left.next(), right.next()),
            };
            differs |= self.pair(here.map(|(_, index)| index), there.map(|(_, index)| index));
        }
    }

    fn pair(&mut self, left: Option<usize>, right: Option<usize>) -> bool {
        let (one, other) = (
            left.and_then(|index| self.left.nodes.get(index)),
            right.and_then(|index| self.right.nodes.get(index)),
        );
        let own = match (one, other) {
            (Some(one), Some(other)) => !is_same(one, other),
            _ => true,
        };
        let at = self.compared.pairs.len();
        self.compared.pairs.push(Pair {
            left,
            right,
            depth: one.or(other).map_or(0, |node| node.depth),
            end: at + 1,
            differs: own,
        });
        let (trees, none) = ((self.left, self.right), usize::MAX);
        let inside = self.level(
            trees.0.children(Some(left.unwrap_or(none))),
            trees.1.children(Some(right.unwrap_or(none))),
        );
        let end = self.compared.pairs.len();
        self.compared.pairs[at].end = end;
        self.compared.pairs[at].differs |= inside;
        self.compared.differences += usize::from(own && end == at + 1);
        own || inside
    }
}

/// Whether two elements say the same: how long their padding is, and where they stand, does not count.
fn is_same(one: &Node, other: &Node) -> bool {
    let shown = |node: &Node| {
        (
            node.vr,
            node.value.form,
            node.value.is_cut,
            node.value.hash,
            node.creator.clone(),
        )
    };
    shown(one) == shown(other) && one.value.text == other.value.text
}
