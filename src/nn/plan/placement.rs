//! Where feature maps lie: parts of a concatenation side by side in one buffer, and buffers that are not needed at
//! the same time in the same memory.

use super::fusion::Work;
use super::graph::{Graph, Id, Operation};

/// Elements of a cache line: buffers begin one.
const LINE: usize = 16;

/// Channels of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Index of the buffer.
    pub(super) buffer: usize,
    /// First channel.
    pub(super) channel: usize,
}

/// A stretch of memory that holds one feature map, or several side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    /// Pixels.
    pub(super) pixels: usize,
    /// Channels, and so the distance of pixels.
    pub(super) channels: usize,
    /// First and last node at which it is in use.
    pub(super) life: (Id, Id),
    /// Where it begins.
    pub(super) start: usize,
}

/// Places of all nodes.
pub(super) struct Placement {
    places: Vec<Option<Place>>,
    pub(super) buffers: Vec<Buffer>,
    /// Parts that could not be written where they are wanted: what, where to, and the node that wants it.
    pub(super) copies: Vec<(Id, Place, Id)>,
    /// Elements of the arena.
    pub(super) len: usize,
}

impl Placement {
    /// Places every node.
    pub(super) fn new(graph: &Graph, work: &[Work], outputs: &[Id]) -> Self {
        let mut placement = Self {
            places: vec![None; graph.nodes.len()],
            buffers: Vec::new(),
            copies: Vec::new(),
            len: 0,
        };
        placement.side_by_side(graph, work);
        for id in 0..graph.nodes.len() {
            if placement.places[id].is_none() && !matches!(work[id], Work::Nothing) {
                placement.alone(graph, work, outputs, id);
            }
        }
        placement.lives(graph, work, outputs);
        placement.pack();
        placement
    }

    /// Where a node's feature map lies.
    pub(super) fn of(&self, id: Id) -> Option<Place> {
        self.places[id]
    }

    fn buffer(&mut self, graph: &Graph, id: Id, channels: usize) -> Place {
        let [n, h, w, _] = graph.nodes[id].shape;
        self.buffers.push(Buffer {
            pixels: n * h * w,
            channels,
            life: (usize::MAX, 0),
            start: 0,
        });
        Place {
            buffer: self.buffers.len() - 1,
            channel: 0,
        }
    }

    /// Places the parts of concatenations, longer ones and outer ones first.
    fn side_by_side(&mut self, graph: &Graph, work: &[Work]) {
        let mut lists: Vec<(Id, &[Id])> = Vec::new();
        for (id, node) in graph.nodes.iter().enumerate().rev() {
            match &node.operation {
                Operation::Concatenation { parts } => lists.push((id, parts)),
                Operation::Affine { parts, .. } if parts.len() > 1 => lists.push((id, parts)),
                _ => {}
            }
        }
        for (id, parts) in lists {
            let is_view = matches!(graph.nodes[id].operation, Operation::Concatenation { .. });
            let existing = if is_view {
                self.places[id]
            } else {
                self.prefix(graph, parts)
            };
            let channels = parts.iter().map(|p| graph.nodes[*p].shape[3]).sum();
            let place = existing.unwrap_or_else(|| self.buffer(graph, id, channels));
            if is_view {
                self.places[id] = Some(place);
            }
            let mut channel = place.channel;
            for part in parts {
                let wanted = Place { channel, ..place };
                let is_written = !matches!(work[*part], Work::Nothing)
                    || matches!(graph.nodes[*part].operation, Operation::Concatenation { .. });
                match self.places[*part] {
                    None if is_written => self.places[*part] = Some(wanted),
                    Some(found) if found == wanted => {}
                    _ => self.copies.push((*part, wanted, id)),
                }
                channel += graph.nodes[*part].shape[3];
            }
        }
    }

    /// Where the parts lie if they already lie side by side in this order.
    fn prefix(&self, graph: &Graph, parts: &[Id]) -> Option<Place> {
        let first = self.places[parts[0]]?;
        let mut channel = first.channel;
        for part in parts {
            if self.places[*part]? != (Place { channel, ..first }) {
                return None;
            }
            channel += graph.nodes[*part].shape[3];
        }
        Some(first)
    }

    /// A buffer for one feature map: that of the residual it is added to, if nobody reads that later.
    fn alone(&mut self, graph: &Graph, work: &[Work], outputs: &[Id], id: Id) {
        let channels = graph.nodes[id].shape[3];
        if let Work::Convolution(fused) = work[id]
            && let Some(residual) = fused.residual
            && let Some(place) = self.places[residual]
            && self.buffers[place.buffer].channels == channels
            && !outputs.contains(&residual)
            && graph
                .nodes
                .iter()
                .skip(id + 1)
                .all(|n| !n.operation.inputs().contains(&residual))
            && fused.x != residual
        {
            self.places[id] = Some(place);
            return;
        }
        self.places[id] = Some(self.buffer(graph, id, channels));
    }

    /// From when to when buffers are in use.
    fn lives(&mut self, graph: &Graph, work: &[Work], outputs: &[Id]) {
        let mut touch = |place: Option<Place>, at: Id| {
            if let Some(place) = place {
                let life = &mut self.buffers[place.buffer].life;
                *life = (life.0.min(at), life.1.max(at));
            }
        };
        for id in 0..graph.nodes.len() {
            touch(self.places[id], id);
            for read in reads(graph, work, id) {
                touch(self.places[read], id);
            }
        }
        for (part, place, id) in &self.copies {
            touch(Some(*place), *id);
            touch(self.places[*part], *id);
        }
        for id in outputs {
            touch(self.places[*id], graph.nodes.len());
        }
    }

    /// Gives every buffer its memory, the largest first.
    fn pack(&mut self) {
        let mut order: Vec<usize> = (0..self.buffers.len()).collect();
        let size = |b: &Buffer| (b.pixels * b.channels).next_multiple_of(LINE);
        order.sort_by_key(|i| std::cmp::Reverse(size(&self.buffers[*i])));
        let mut placed: Vec<usize> = Vec::new();
        for index in order {
            let buffer = self.buffers[index];
            let overlaps = |other: &Buffer| other.life.0 <= buffer.life.1 && buffer.life.0 <= other.life.1;
            let mut taken: Vec<(usize, usize)> = placed
                .iter()
                .map(|i| &self.buffers[*i])
                .filter(|other| overlaps(other))
                .map(|other| (other.start, other.start + size(other)))
                .collect();
            taken.sort_unstable();
            let mut start = 0;
            for (from, to) in taken {
                if start + size(&buffer) <= from {
                    break;
                }
                start = start.max(to);
            }
            self.buffers[index].start = start;
            self.len = self.len.max(start + size(&buffer));
            placed.push(index);
        }
    }
}

/// Nodes whose feature maps are read when a node is computed.
fn reads(graph: &Graph, work: &[Work], id: Id) -> Vec<Id> {
    match &work[id] {
        Work::Nothing => Vec::new(),
        Work::Single => graph.nodes[id].operation.inputs(),
        Work::Convolution(fused) => {
            let mut reads = match fused.scaling {
                Some(scaling) => graph.nodes[scaling].operation.inputs(),
                None => vec![fused.x],
            };
            reads.extend(fused.residual);
            reads
        }
    }
}
