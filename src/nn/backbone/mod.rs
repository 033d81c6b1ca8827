//! Encoders: images to feature maps. Each is a struct in its own file, trainable and evaluable, and shows every
//! feature map on the way to whoever asks.

pub mod densenet121;
pub mod resnet50;

use self::densenet121::DenseNet121;
use self::resnet50::ResNet50;
use super::init::Init;
use super::layers::{Visit, VisitMut};
use super::tape::{Tape, Value};
use super::{BackboneKind, Graph, Result};

/// Called with the name of a stage and its feature map, `[n, h, w, c]`, in parts that follow each other along the
/// channels; one part, but for `DenseNet`'s blocks.
pub type Observe<'a> = &'a mut dyn FnMut(&'static str, &[Value]) -> Result<()>;

/// An encoder of either kind.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "a network holds one encoder; a box would only add a hop"
)]
pub enum Backbone {
    /// DenseNet-121.
    DenseNet121(DenseNet121),
    /// ResNet-50.
    ResNet50(ResNet50),
}

impl Backbone {
    /// A new encoder with initial values.
    pub(super) fn new(kind: BackboneKind, graph: Graph, init: &mut Init<'_>) -> Result<Self> {
        Ok(match kind {
            BackboneKind::DenseNet121 => Self::DenseNet121(DenseNet121::new(graph, init)?),
            BackboneKind::ResNet50 => Self::ResNet50(ResNet50::new(graph, init)?),
        })
    }

    /// Which encoder it is.
    pub fn kind(&self) -> BackboneKind {
        match self {
            Self::DenseNet121(_) => BackboneKind::DenseNet121,
            Self::ResNet50(_) => BackboneKind::ResNet50,
        }
    }

    /// `[n, h, w, 3]` to the last feature map, `[n, h/32, w/32, feature channels]`.
    ///
    /// # Errors
    /// If the picture is too small for the graph.
    pub fn forward(&self, x: &Value, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        match self {
            Self::DenseNet121(net) => net.forward(x, tape, observe),
            Self::ResNet50(net) => net.forward(x, tape, observe),
        }
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        match self {
            Self::DenseNet121(net) => net.visit(f),
            Self::ResNet50(net) => net.visit(f),
        }
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        match self {
            Self::DenseNet121(net) => net.visit_mut(f),
            Self::ResNet50(net) => net.visit_mut(f),
        }
    }
}

/// Epsilon of an encoder's batch normalisations.
fn epsilon(graph: Graph) -> f64 {
    match graph {
        Graph::Torch => 1e-5,
        Graph::Keras => 1.001e-5,
    }
}
