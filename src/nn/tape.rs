//! A small tape: operations record how to pass gradients back; `backward` walks it once, newest first.
//!
//! candle's own graph walk adds every gradient into fresh zeros, keeps all activations to the end, recurses once
//! per operation and visits constants; this one adds in place, frees each activation when it is done with and
//! records nothing for constants. Tensors, storage and devices are candle's.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use candle_core::Tensor;

use super::Result;
use super::ops::cpu;
use super::plan::graph::Graph;

/// Mean and biased variance per channel.
pub(super) type Moments = (Vec<f64>, Vec<f64>);

/// A tensor on its way through a network; cheap to clone.
#[derive(Debug, Clone)]
pub struct Value {
    pub(super) tensor: Tensor,
    pub(super) node: Option<usize>,
    /// Several batch normalisations may read one feature map: its moments are computed once.
    pub(super) moments: Arc<OnceLock<Moments>>,
    /// The same on a GPU: `[2, c]`, mean and biased variance.
    #[cfg(feature = "cuda")]
    pub(super) device_moments: Arc<OnceLock<Tensor>>,
}

impl Value {
    /// A value that no gradient flows to.
    pub fn constant(tensor: Tensor) -> Self {
        Self {
            tensor,
            node: None,
            moments: Arc::default(),
            #[cfg(feature = "cuda")]
            device_moments: Arc::default(),
        }
    }

    /// What an operation yields while a network is recorded: a shape, and the number of its node.
    pub(super) fn recorded(shape: Tensor, node: usize) -> Self {
        Self {
            node: Some(node),
            ..Self::constant(shape)
        }
    }

    /// The tensor; activations are `[n, h, w, c]`.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}

/// What a batch normalisation saw in a training step.
#[derive(Debug, Clone)]
pub struct BatchStatistics {
    /// Name of the layer.
    pub name: String,
    /// Values per channel: images times pixels.
    pub count: usize,
    /// Mean, `[c]`.
    pub mean: Tensor,
    /// Biased variance, `[c]`.
    pub variance: Tensor,
}

/// Gradients by parameter name, in the parameter's memory layout.
#[derive(Debug, Default)]
pub struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// Gradient of a parameter, or `None` if it took no part.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// All of them, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl FromIterator<(String, Tensor)> for Gradients {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(gradients: I) -> Self {
        Self(gradients.into_iter().collect())
    }
}

/// What a backward pass yields.
#[derive(Debug)]
pub struct Backward {
    /// Gradients of the parameters.
    pub gradients: Gradients,
    /// Gradients of the values watched with [`Tape::watch`], in that order.
    pub watched: Vec<Option<Tensor>>,
    /// What the batch normalisations saw.
    pub statistics: Vec<BatchStatistics>,
}

/// Takes the gradients that a node passes on.
pub struct Sink {
    slots: Vec<Option<Slot>>,
}

struct Slot {
    gradient: Tensor,
    /// Whether the buffer was made here, so that nothing else can see it change.
    owned: bool,
}

impl Sink {
    /// Adds a gradient for an input; does nothing for a constant.
    pub(super) fn add(&mut self, node: Option<usize>, gradient: Tensor) -> Result<()> {
        let Some(node) = node else { return Ok(()) };
        self.slots[node] = Some(match self.slots[node].take() {
            None => Slot { gradient, owned: false },
            Some(Slot {
                gradient: sum,
                owned: true,
            }) => {
                cpu::accumulate(&sum, &gradient)?;
                Slot {
                    gradient: sum,
                    owned: true,
                }
            }
            Some(Slot {
                gradient: first,
                owned: false,
            }) => Slot {
                gradient: (first + gradient)?,
                owned: true,
            },
        });
        Ok(())
    }
}

#[cfg(feature = "cuda")]
impl Sink {
    /// Takes out a sum that nothing else refers to, for an operation that adds to it itself and gives it back with
    /// [`Sink::put`].
    pub(super) fn claim(&mut self, node: Option<usize>) -> Option<Tensor> {
        match self.slots[node?].take() {
            Some(Slot { gradient, owned: true }) => Some(gradient),
            other => {
                self.slots[node?] = other;
                None
            }
        }
    }

    /// As [`Sink::add`], for a gradient that nothing else refers to: what comes next may be added to it in place.
    pub(super) fn put(&mut self, node: Option<usize>, gradient: Tensor) -> Result<()> {
        let Some(node) = node else { return Ok(()) };
        if let Some(Slot { gradient: sum, .. }) = self.slots[node].take() {
            cpu::accumulate(&gradient, &sum)?;
        }
        self.slots[node] = Some(Slot { gradient, owned: true });
        Ok(())
    }
}

type BackwardFn = Box<dyn FnOnce(&Tensor, &mut Sink) -> Result<()> + Send>;

enum Node {
    Parameter(String),
    Watched(usize),
    Operation(BackwardFn),
}

/// Records one forward pass.
pub struct Tape {
    nodes: Vec<Node>,
    watched: usize,
    batch_statistics: bool,
    records: bool,
    statistics: Vec<BatchStatistics>,
    /// Takes operations instead of computing them.
    graph: Option<Graph>,
}

impl Tape {
    fn new(batch_statistics: bool, records: bool) -> Self {
        Self {
            nodes: Vec::new(),
            watched: 0,
            batch_statistics,
            records,
            statistics: Vec::new(),
            graph: None,
        }
    }

    /// For plans: nothing is computed, operations are added to a graph.
    pub(super) fn recording(graph: Graph) -> Self {
        Self {
            graph: Some(graph),
            ..Self::new(false, false)
        }
    }

    /// The graph that operations are added to, if they are.
    pub(super) fn graph(&mut self) -> Option<&mut Graph> {
        self.graph.as_mut()
    }

    /// Ends a recording.
    pub(super) fn into_graph(self) -> Option<Graph> {
        self.graph
    }

    /// For a training step: records, and batch normalisation uses the batch's statistics.
    pub fn training() -> Self {
        Self::new(true, true)
    }

    /// For inference: records nothing, and batch normalisation uses its running statistics.
    pub fn evaluation() -> Self {
        Self::new(false, false)
    }

    /// For explanations: records, and batch normalisation uses its running statistics.
    pub fn explanation() -> Self {
        Self::new(false, true)
    }

    /// Whether batch normalisation uses the batch's statistics.
    pub(super) fn uses_batch_statistics(&self) -> bool {
        self.batch_statistics
    }

    pub(super) fn record_statistics(&mut self, statistics: BatchStatistics) {
        self.statistics.push(statistics);
    }

    fn leaf(&mut self, tensor: &Tensor, node: Node) -> Value {
        let mut value = Value::constant(tensor.clone());
        if self.records {
            self.nodes.push(node);
            value.node = Some(self.nodes.len() - 1);
        }
        value
    }

    /// Brings a trainable tensor onto the tape.
    pub(super) fn parameter(&mut self, name: &str, tensor: &Tensor) -> Value {
        self.leaf(tensor, Node::Parameter(name.to_owned()))
    }

    /// Brings a tensor onto the tape whose gradient is wanted.
    pub fn watch(&mut self, tensor: &Tensor) -> Value {
        self.watched += 1;
        self.leaf(tensor, Node::Watched(self.watched - 1))
    }

    /// Records an operation, unless all its inputs are constants.
    pub(super) fn operation(
        &mut self,
        tensor: Tensor,
        inputs: &[Option<usize>],
        backward: impl FnOnce(&Tensor, &mut Sink) -> Result<()> + Send + 'static,
    ) -> Value {
        let mut value = Value::constant(tensor);
        if self.records && inputs.iter().any(Option::is_some) {
            self.nodes.push(Node::Operation(Box::new(backward)));
            value.node = Some(self.nodes.len() - 1);
        }
        value
    }

    /// Walks the tape from the gradients of its outputs to those of its leaves.
    ///
    /// # Errors
    /// If an operation fails, or a seed is not of its value's shape.
    pub fn backward(mut self, seeds: &[(&Value, Tensor)]) -> Result<Backward> {
        let mut sink = Sink {
            slots: std::iter::repeat_with(|| None).take(self.nodes.len()).collect(),
        };
        for (value, gradient) in seeds {
            sink.add(value.node, gradient.contiguous()?)?;
        }
        let mut gradients = Gradients::default();
        let mut watched = vec![None; self.watched];
        while let Some(node) = self.nodes.pop() {
            let Some(Slot { gradient, .. }) = sink.slots[self.nodes.len()].take() else {
                continue;
            };
            match node {
                Node::Parameter(name) => {
                    gradients.0.insert(name, gradient);
                }
                Node::Watched(index) => watched[index] = Some(gradient),
                Node::Operation(backward) => backward(&gradient, &mut sink)?,
            }
        }
        Ok(Backward {
            gradients,
            watched,
            statistics: self.statistics,
        })
    }
}
