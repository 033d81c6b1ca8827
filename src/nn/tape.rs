//! A small tape: operations record how to pass gradients back; `backward` walks it once, newest first.
//!
//! candle's own graph walk adds every gradient into fresh zeros, keeps all activations to the end, recurses once
//! per operation and visits constants; this one adds in place, frees each activation when it is done with and
//! records nothing for constants. Tensors, storage and devices are candle's.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use candle_core::{DType, Shape, Tensor};

use super::Result;
use super::ops::cpu::{self, Element};
use super::ops::write_normalised;
use super::plan::graph::Graph;
use super::workspace::{Workspace, take_buffer};

/// Mean and biased variance per channel.
pub(super) type Moments = (Vec<f64>, Vec<f64>);

/// A tensor whose buffer goes back to a workspace with its last holder.
#[derive(Debug)]
struct Kept {
    tensor: Tensor,
    /// `None` if the tensor may be known elsewhere.
    home: Option<Workspace>,
    /// Whether a caller outside saw the tensor, and may have cloned it.
    lent: AtomicBool,
}

impl Kept {
    fn new(tensor: Tensor, home: Option<Workspace>) -> Self {
        Self {
            tensor,
            home,
            lent: AtomicBool::new(false),
        }
    }

    /// Whether nothing else can see the buffer change.
    fn is_private(&self) -> bool {
        self.home.is_some() && !self.lent.load(Ordering::Relaxed)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(home) = self.home.take()
            && !*self.lent.get_mut()
        {
            home.reclaim(&self.tensor);
        }
    }
}

/// A batch normalisation that has not been written: whoever reads the parts applies it on the way.
#[derive(Debug)]
pub(super) struct Normalised {
    /// `[n, h, w, c_i]`, one after the other along the channels.
    pub parts: Vec<Value>,
    /// Per channel.
    pub scale: Vec<f64>,
    /// Per channel.
    pub shift: Vec<f64>,
    /// Whether negative results become 0.
    pub relu: bool,
}

/// What clones of a value share.
#[derive(Debug)]
struct Content {
    shape: Shape,
    dtype: DType,
    /// Empty until somebody asks, where `normalised` says what it would hold.
    map: OnceLock<Kept>,
    normalised: Option<Normalised>,
    /// Several batch normalisations may read one feature map: its moments are computed once.
    moments: OnceLock<Moments>,
    /// The same on a GPU: `[2, c]`, mean and biased variance.
    #[cfg(feature = "cuda")]
    device_moments: OnceLock<Tensor>,
    home: Workspace,
}

/// A tensor on its way through a network; cheap to clone.
#[derive(Debug, Clone)]
pub struct Value {
    content: Arc<Content>,
    pub(super) node: Option<usize>,
}

impl Value {
    fn new(shape: Shape, dtype: DType, home: Workspace, normalised: Option<Normalised>) -> Self {
        Self {
            content: Arc::new(Content {
                shape,
                dtype,
                map: OnceLock::new(),
                normalised,
                moments: OnceLock::new(),
                #[cfg(feature = "cuda")]
                device_moments: OnceLock::new(),
                home,
            }),
            node: None,
        }
    }

    fn of_tensor(tensor: Tensor, home: Option<Workspace>) -> Self {
        let value = Self::new(tensor.shape().clone(), tensor.dtype(), Workspace::default(), None);
        let _ = value.content.map.set(Kept::new(tensor, home));
        value
    }

    /// A value that no gradient flows to.
    ///
    /// Kernels read row by row, so a tensor of other strides is copied here. If a GPU has no room for the copy, the
    /// operation that needs it says so.
    pub fn constant(tensor: Tensor) -> Self {
        Self::of_tensor(tensor.contiguous().unwrap_or(tensor), None)
    }

    /// What an operation yields while a network is recorded: a shape, which must not become a map by a copy, and the
    /// number of its node.
    pub(super) fn recorded(shape: Tensor, node: usize) -> Self {
        Self {
            node: Some(node),
            ..Self::of_tensor(shape, None)
        }
    }

    /// The tensor; activations are `[n, h, w, c]`. A normalised map is written when it is first asked for.
    pub fn tensor(&self) -> &Tensor {
        self.kept().lent.store(true, Ordering::Relaxed);
        self.read()
    }

    /// As [`Value::tensor`], for reading while the value lives: the buffer is used again afterwards.
    pub(super) fn read(&self) -> &Tensor {
        &self.kept().tensor
    }

    fn kept(&self) -> &Kept {
        let content = &self.content;
        content.map.get_or_init(|| {
            let normalised = content.normalised.as_ref();
            let normalised = normalised.expect("a value has a tensor or says how to make it");
            let tensor = write_normalised(normalised, &content.shape, content.dtype, &content.home)
                .expect("the parts were read when they were normalised");
            Kept::new(tensor, Some(content.home.clone()))
        })
    }

    /// Sizes of the tensor.
    pub fn dims(&self) -> &[usize] {
        self.content.shape.dims()
    }

    /// Shape of the tensor.
    pub fn shape(&self) -> &Shape {
        &self.content.shape
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.content.dtype
    }

    /// How to make the elements from other values, as long as they have not been written.
    pub(super) fn normalised(&self) -> Option<&Normalised> {
        match self.content.map.get() {
            Some(_) => None,
            None => self.content.normalised.as_ref(),
        }
    }

    /// The moments of a feature map, found out once.
    pub(super) fn moments(&self, find: impl FnOnce() -> Moments) -> &Moments {
        self.content.moments.get_or_init(find)
    }
}

#[cfg(feature = "cuda")]
impl Value {
    /// Whether the elements lie on a GPU. What is normalised on the way never does.
    pub(super) fn is_on_gpu(&self) -> bool {
        self.content
            .map
            .get()
            .is_some_and(|kept| kept.tensor.device().is_cuda())
    }

    /// Where a feature map's moments are kept on a GPU.
    pub(super) fn device_moments(&self) -> &OnceLock<Tensor> {
        &self.content.device_moments
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

    /// Euclidean norm over all parameters.
    ///
    /// # Errors
    /// If a gradient is not f32 in host memory.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.0.values() {
            let gradient = gradient.contiguous()?;
            sum += cpu::adam::sum_of_squares(cpu::Host::of(&gradient)?.slice()?);
        }
        Ok(sum.sqrt())
    }

    /// Gives the buffers to a workspace. No tensor of these may have been cloned.
    pub fn recycle(self, workspace: &Workspace) {
        self.0.values().for_each(|gradient| workspace.reclaim(gradient));
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

/// A gradient on its way back; its tensor is of the value's shape.
pub(super) struct Gradient(Arc<Kept>);

impl Deref for Gradient {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.0.tensor
    }
}

impl Gradient {
    /// Whether the buffer may be written.
    fn is_private(&self) -> bool {
        Arc::strong_count(&self.0) == 1 && self.0.is_private()
    }

    /// The tensor, which from now on lives by itself.
    fn into_tensor(self) -> Tensor {
        match Arc::try_unwrap(self.0) {
            Ok(mut kept) => {
                kept.home = None;
                kept.tensor.clone()
            }
            Err(shared) => {
                shared.lent.store(true, Ordering::Relaxed);
                shared.tensor.clone()
            }
        }
    }

    /// The elements to write over, or the gradient as it is if something else reads them too.
    pub(super) fn into_buffer<T: Element>(self) -> std::result::Result<Vec<T>, Self> {
        if !self.is_private() {
            return Err(self);
        }
        take_buffer(&self.0.tensor).map_err(|_| self)
    }
}

/// Takes the gradients that a node passes on.
pub struct Sink {
    slots: Vec<Option<Gradient>>,
    workspace: Workspace,
}

impl Sink {
    /// Where operations take their buffers from.
    pub(super) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Adds a gradient for an input, which may be known elsewhere; does nothing for a constant.
    pub(super) fn add(&mut self, node: Option<usize>, gradient: Tensor) -> Result<()> {
        self.store(node, Gradient(Arc::new(Kept::new(gradient, None))))
    }

    /// As [`Sink::add`], for a gradient that nothing else refers to: what comes next may be added to it in place.
    pub(super) fn put(&mut self, node: Option<usize>, gradient: Tensor) -> Result<()> {
        let gradient = self.private(gradient);
        self.store(node, gradient)
    }

    /// A gradient that nothing else refers to.
    pub(super) fn private(&self, gradient: Tensor) -> Gradient {
        Gradient(Arc::new(Kept::new(gradient, Some(self.workspace.clone()))))
    }

    /// As [`Sink::pass`], to two inputs.
    pub(super) fn pass_both(&mut self, nodes: [Option<usize>; 2], gradient: Gradient) -> Result<()> {
        if nodes[0].is_some() {
            self.store(nodes[0], Gradient(Arc::clone(&gradient.0)))?;
        }
        self.store(nodes[1], gradient)
    }

    /// Passes a gradient on as it came.
    pub(super) fn pass(&mut self, node: Option<usize>, gradient: Gradient) -> Result<()> {
        self.store(node, gradient)
    }

    /// Takes out a sum that nothing else refers to, for an operation that adds to it itself and gives it back with
    /// [`Sink::put`].
    pub(super) fn claim(&mut self, node: Option<usize>) -> Option<Tensor> {
        let slot = &mut self.slots[node?];
        slot.take_if(|sum| sum.is_private()).map(Gradient::into_tensor)
    }

    fn store(&mut self, node: Option<usize>, gradient: Gradient) -> Result<()> {
        let Some(node) = node else { return Ok(()) };
        self.slots[node] = Some(match self.slots[node].take() {
            None => gradient,
            Some(sum) if sum.is_private() => {
                cpu::accumulate(&sum, &gradient)?;
                sum
            }
            Some(first) if gradient.is_private() => {
                cpu::accumulate(&gradient, &first)?;
                gradient
            }
            Some(first) => self.private((&*first + &*gradient)?),
        });
        Ok(())
    }
}

type BackwardFn = Box<dyn FnOnce(Gradient, &mut Sink) -> Result<()> + Send>;

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
    workspace: Workspace,
    /// Takes operations instead of computing them.
    graph: Option<Graph>,
}

impl Tape {
    fn new(batch_statistics: bool, records: bool, workspace: Workspace) -> Self {
        workspace.begin_step();
        Self {
            nodes: Vec::new(),
            watched: 0,
            batch_statistics,
            records,
            statistics: Vec::new(),
            workspace,
            graph: None,
        }
    }

    /// For plans: nothing is computed, operations are added to a graph.
    pub(super) fn recording(graph: Graph) -> Self {
        Self {
            graph: Some(graph),
            ..Self::new(false, false, Workspace::default())
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
        Self::training_in(&Workspace::default())
    }

    /// As [`Tape::training`], with the buffers of the steps before.
    pub fn training_in(workspace: &Workspace) -> Self {
        Self::new(true, true, workspace.clone())
    }

    /// For inference: records nothing, and batch normalisation uses its running statistics.
    pub fn evaluation() -> Self {
        Self::evaluation_in(&Workspace::default())
    }

    /// As [`Tape::evaluation`], with buffers used before.
    pub fn evaluation_in(workspace: &Workspace) -> Self {
        Self::new(false, false, workspace.clone())
    }

    /// For explanations: records, and batch normalisation uses its running statistics.
    pub fn explanation() -> Self {
        Self::new(false, true, Workspace::default())
    }

    /// Whether batch normalisation uses the batch's statistics.
    pub(super) fn uses_batch_statistics(&self) -> bool {
        self.batch_statistics
    }

    /// Where operations take their buffers from.
    pub(super) fn workspace(&self) -> &Workspace {
        &self.workspace
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

    /// Records an operation, unless all its inputs are constants. Nothing else may hold a host `tensor`: its buffer
    /// is used again when the value goes.
    pub(super) fn operation(
        &mut self,
        tensor: Tensor,
        inputs: &[Option<usize>],
        backward: impl FnOnce(Gradient, &mut Sink) -> Result<()> + Send + 'static,
    ) -> Value {
        let value = Value::of_tensor(tensor, Some(self.workspace.clone()));
        self.record(value, inputs, backward)
    }

    /// As [`Tape::operation`], where the way back reads the output.
    pub(super) fn operation_of_output(
        &mut self,
        tensor: Tensor,
        inputs: &[Option<usize>],
        backward: impl FnOnce(Value, Gradient, &mut Sink) -> Result<()> + Send + 'static,
    ) -> Value {
        let value = Value::of_tensor(tensor, Some(self.workspace.clone()));
        let output = value.clone();
        self.record(value, inputs, move |gradient, sink| backward(output, gradient, sink))
    }

    /// As [`Tape::operation`], for a normalised map that is not written unless somebody asks for it.
    pub(super) fn normalisation(
        &mut self,
        normalised: Normalised,
        (shape, dtype): (Shape, DType),
        inputs: &[Option<usize>],
        backward: impl FnOnce(Gradient, &mut Sink) -> Result<()> + Send + 'static,
    ) -> Value {
        let value = Value::new(shape, dtype, self.workspace.clone(), Some(normalised));
        self.record(value, inputs, backward)
    }

    fn record(
        &mut self,
        mut value: Value,
        inputs: &[Option<usize>],
        backward: impl FnOnce(Gradient, &mut Sink) -> Result<()> + Send + 'static,
    ) -> Value {
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
            workspace: self.workspace.clone(),
        };
        for (value, gradient) in seeds {
            sink.add(value.node, gradient.contiguous()?)?;
        }
        let mut gradients = Gradients::default();
        let mut watched = vec![None; self.watched];
        while let Some(node) = self.nodes.pop() {
            let Some(gradient) = sink.slots.pop().flatten() else {
                continue;
            };
            match node {
                Node::Parameter(name) => {
                    gradients.0.insert(name, gradient.into_tensor());
                }
                Node::Watched(index) => watched[index] = Some(gradient.into_tensor()),
                Node::Operation(backward) => backward(gradient, &mut sink)?,
            }
        }
        Ok(Backward {
            gradients,
            watched,
            statistics: self.statistics,
        })
    }
}
