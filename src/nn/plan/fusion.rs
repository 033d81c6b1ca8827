//! Which operations are computed together: normalisations inside convolutions, sums and `ReLU` at their end,
//! upsampling before them.

use super::graph::{Graph, Id, Operation};
use crate::nn::ops::Window;

/// A convolution with what is computed along with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fused {
    /// The convolution.
    pub(super) convolution: Id,
    /// What it reads, behind a normalisation or upsampling that is done on the way.
    pub(super) x: Id,
    /// Normalisation on the way in.
    pub(super) scaling: Option<Id>,
    /// Whether the input is upsampled on the way in.
    pub(super) upsampled: bool,
    /// Normalisation of the sums, folded into the kernel.
    pub(super) norm: Option<Id>,
    /// What is added to the sums.
    pub(super) residual: Option<Id>,
    /// Factor of the sums in a residual sum.
    pub(super) factor: f32,
    /// Whether negative results become 0.
    pub(super) relu: bool,
}

/// Something to be computed whose result is a node's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    /// A convolution.
    Convolution(Fused),
    /// Any other operation, by itself.
    Single,
    /// Nothing: others do it on their way, or it is only a way of looking at its parts.
    Nothing,
}

/// Decides for every node. Work of a node needs only nodes before it.
pub(super) fn fuse(graph: &Graph, outputs: &[Id]) -> Vec<Work> {
    let fusion = Fusion {
        graph,
        uses: graph.uses(outputs),
        readers: readers(graph),
        outputs,
    };
    let mut work: Vec<Work> = (0..graph.nodes.len()).map(|id| fusion.alone(id)).collect();
    for id in 0..graph.nodes.len() {
        if matches!(graph.nodes[id].operation, Operation::Convolution { .. }) {
            fusion.convolution(id, &mut work);
        }
    }
    work
}

/// Nodes that read each node.
fn readers(graph: &Graph) -> Vec<Vec<Id>> {
    let mut readers = vec![Vec::new(); graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        for input in node.operation.inputs() {
            readers[input].push(id);
        }
    }
    readers
}

struct Fusion<'a> {
    graph: &'a Graph,
    uses: Vec<usize>,
    readers: Vec<Vec<Id>>,
    outputs: &'a [Id],
}

impl Fusion<'_> {
    fn operation(&self, id: Id) -> &Operation {
        &self.graph.nodes[id].operation
    }

    /// The node that reads this one, if it is the only one.
    fn only_reader(&self, id: Id) -> Option<Id> {
        (self.uses[id] == 1)
            .then(|| self.readers[id].first().copied())
            .flatten()
    }

    /// What a node is if no convolution takes it along.
    fn alone(&self, id: Id) -> Work {
        let on_the_way = self.is_read_on_the_way(id);
        match self.operation(id) {
            Operation::Concatenation { .. } => Work::Nothing,
            Operation::Affine { .. } | Operation::Upsample { .. } if on_the_way => Work::Nothing,
            _ => Work::Single,
        }
    }

    /// Whether the convolutions that read a node compute it while they read.
    fn is_read_on_the_way(&self, id: Id) -> bool {
        let readers = &self.readers[id];
        let convolutions = |fits: &dyn Fn(&Window) -> bool| {
            readers
                .iter()
                .all(|r| matches!(self.operation(*r), Operation::Convolution { window, .. } if fits(window)))
        };
        if readers.is_empty() || self.outputs.contains(&id) {
            return false;
        }
        match self.operation(id) {
            // Normalised again at each of a window's taps: only worth it where there is one.
            Operation::Affine { .. } => convolutions(&|window| window.kernel == (1, 1)),
            Operation::Upsample { .. } => readers.len() == 1 && convolutions(&|w| *w == Window::square(3, 1, 1)),
            _ => false,
        }
    }

    fn convolution(&self, id: Id, work: &mut [Work]) {
        let Operation::Convolution { x, .. } = self.operation(id) else {
            return;
        };
        let (mut source, mut scaling, mut upsampled) = (*x, None, false);
        if let Work::Nothing = work[*x] {
            match self.operation(*x) {
                Operation::Affine { .. } => scaling = Some(*x),
                Operation::Upsample { x: small } => (source, upsampled) = (*small, true),
                _ => {}
            }
        }
        if scaling.is_some() {
            source = *x;
        }
        let mut fused = Fused {
            convolution: id,
            x: source,
            scaling,
            upsampled,
            norm: None,
            residual: None,
            factor: 1.0,
            relu: false,
        };
        let mut result = id;
        if let Some(reader) = self.only_reader(result)
            && let Operation::Affine { parts, relu, .. } = self.operation(reader)
            && parts.len() == 1
        {
            work[result] = Work::Nothing;
            (fused.norm, fused.relu, result) = (Some(reader), *relu, reader);
        }
        if !upsampled
            && !fused.relu
            && let Some(reader) = self.only_reader(result)
            && let Some((residual, factor, relu)) = self.sum(reader, result, work)
        {
            work[result] = Work::Nothing;
            (fused.residual, fused.factor, fused.relu, result) = (Some(residual), factor, relu, reader);
        }
        work[result] = Work::Convolution(fused);
    }

    /// If `reader` adds `term` to something that is computed by itself: that, the term's factor, and `ReLU` or not.
    fn sum(&self, reader: Id, term: Id, work: &[Work]) -> Option<(Id, f32, bool)> {
        let Operation::Residual { x, branch, scale, relu } = *self.operation(reader) else {
            return None;
        };
        if !matches!(work[reader], Work::Single) || x == branch {
            return None;
        }
        if branch == term {
            return Some((x, scale, relu));
        }
        (scale == 1.0).then_some((branch, 1.0, relu))
    }
}
