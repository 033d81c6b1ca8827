//! Encoders: images to feature maps. Each is a struct in its own file, trainable and evaluable, and shows every
//! feature map on the way to whoever asks.

pub mod densenet121;
mod inception;
pub mod inception_resnet_v2;
pub mod inception_v3;
pub mod resnet50;

use self::densenet121::DenseNet121;
use self::inception_resnet_v2::InceptionResNetV2;
use self::inception_v3::InceptionV3;
use self::resnet50::ResNet50;
use super::init::Init;
use super::layers::{Visit, VisitMut};
use super::tape::{Tape, Value};
use super::{BackboneKind, Error, Graph, Result};

/// Called with the name of a stage and its feature map, `[n, h, w, c]`, in parts that follow each other along the
/// channels; one part, but for `DenseNet`'s blocks.
pub type Observe<'a> = &'a mut dyn FnMut(&'static str, &[Value]) -> Result<()>;

/// An encoder of any kind.
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
    /// Inception-v3.
    InceptionV3(InceptionV3),
    /// Inception-ResNet-v2.
    InceptionResNetV2(InceptionResNetV2),
}

impl Backbone {
    /// A new encoder with initial values.
    pub(super) fn new(kind: BackboneKind, graph: Graph, init: &mut Init<'_>) -> Result<Self> {
        Ok(match kind {
            BackboneKind::DenseNet121 => Self::DenseNet121(DenseNet121::new(graph, init)?),
            BackboneKind::ResNet50 => Self::ResNet50(ResNet50::new(graph, init)?),
            BackboneKind::InceptionV3 => Self::InceptionV3(InceptionV3::new(graph, init)?),
            BackboneKind::InceptionResNetV2 => Self::InceptionResNetV2(InceptionResNetV2::new(graph, init)?),
        })
    }

    /// Which encoder it is.
    pub fn kind(&self) -> BackboneKind {
        match self {
            Self::DenseNet121(_) => BackboneKind::DenseNet121,
            Self::ResNet50(_) => BackboneKind::ResNet50,
            Self::InceptionV3(_) => BackboneKind::InceptionV3,
            Self::InceptionResNetV2(_) => BackboneKind::InceptionResNetV2,
        }
    }

    /// `[n, h, w, 3]` to the last feature map, `[n, h/32, w/32, feature channels]`; the Inceptions, which do not pad
    /// everywhere, come out a little smaller.
    ///
    /// # Errors
    /// If the picture is too small for the graph.
    pub fn forward(&self, x: &Value, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        match self {
            Self::DenseNet121(net) => net.forward(x, tape, observe),
            Self::ResNet50(net) => net.forward(x, tape, observe),
            Self::InceptionV3(net) => net.forward(x, tape, observe),
            Self::InceptionResNetV2(net) => net.forward(x, tape, observe),
        }
    }

    pub(super) fn visit(&self, f: Visit<'_>) {
        match self {
            Self::DenseNet121(net) => net.visit(f),
            Self::ResNet50(net) => net.visit(f),
            Self::InceptionV3(net) => net.visit(f),
            Self::InceptionResNetV2(net) => net.visit(f),
        }
    }

    pub(super) fn visit_mut(&mut self, f: VisitMut<'_>) {
        match self {
            Self::DenseNet121(net) => net.visit_mut(f),
            Self::ResNet50(net) => net.visit_mut(f),
            Self::InceptionV3(net) => net.visit_mut(f),
            Self::InceptionResNetV2(net) => net.visit_mut(f),
        }
    }
}

/// Refuses pictures whose pixels would run out under an encoder's unpadded windows, before any work is done.
fn check_side(kind: BackboneKind, x: &Value) -> Result<()> {
    let (_, rows, columns, _) = x.tensor().dims4()?;
    let side = kind.smallest_side();
    if rows >= side && columns >= side {
        return Ok(());
    }
    Err(Error::Shape {
        tensor: format!("input of {kind}, which needs at least {side} rows and columns"),
        found: vec![rows, columns],
        expected: vec![rows.max(side), columns.max(side)],
    })
}

/// Epsilon of the batch normalisations of `DenseNet` and `ResNet`.
fn epsilon(graph: Graph) -> f64 {
    match graph {
        Graph::Torch => 1e-5,
        Graph::Keras => 1.001e-5,
    }
}
