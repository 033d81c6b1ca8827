//! What a network computes, as a list of operations: recorded by running the network once on shapes alone.

use candle_core::{DType, Tensor};

use crate::nn::ops::Window;
use crate::nn::tape::Value;
use crate::nn::{Device, Error, Result};

/// Index of a node.
pub(in crate::nn) type Id = usize;

/// `[n, h, w, c]`; a pooled feature map or logits are `[n, 1, 1, c]`.
pub(super) type Shape = [usize; 4];

/// An operation; sizes are in the nodes.
#[derive(Debug, Clone)]
pub(in crate::nn) enum Operation {
    /// What the plan is given.
    Input,
    /// Convolution.
    Convolution {
        x: Id,
        /// `[o, kh, kw, c]`.
        weight: Vec<f32>,
        /// `[o]`, zeros where the layer has none.
        bias: Vec<f32>,
        window: Window,
    },
    /// `scale * x + shift` over the channels of all parts, then perhaps `ReLU`: a batch normalisation at rest.
    Affine {
        parts: Vec<Id>,
        scale: Vec<f32>,
        shift: Vec<f32>,
        relu: bool,
    },
    /// Max pooling.
    MaxPool { x: Id, window: Window },
    /// Average pooling.
    AveragePool {
        x: Id,
        window: Window,
        include_padding: bool,
    },
    /// Mean over rows and columns.
    GlobalAverage { x: Id },
    /// Nearest upsampling by 2.
    Upsample { x: Id },
    /// Bilinear resize.
    Resize { x: Id },
    /// `x + scale * branch`, then perhaps `ReLU`.
    Residual { x: Id, branch: Id, scale: f32, relu: bool },
    /// Channels of all parts.
    Concatenation { parts: Vec<Id> },
    /// Fully connected.
    Linear {
        x: Id,
        /// `[o, c]`.
        weight: Vec<f32>,
        /// `[o]`.
        bias: Vec<f32>,
    },
}

impl Operation {
    /// What it reads.
    pub(super) fn inputs(&self) -> Vec<Id> {
        match self {
            Self::Input => Vec::new(),
            Self::Convolution { x, .. }
            | Self::MaxPool { x, .. }
            | Self::AveragePool { x, .. }
            | Self::GlobalAverage { x }
            | Self::Upsample { x }
            | Self::Resize { x }
            | Self::Linear { x, .. } => vec![*x],
            Self::Residual { x, branch, .. } => vec![*x, *branch],
            Self::Affine { parts, .. } | Self::Concatenation { parts } => parts.clone(),
        }
    }
}

/// An operation and the shape of its result.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) operation: Operation,
    pub(super) shape: Shape,
}

/// Operations in an order in which they can be computed.
#[derive(Debug, Default)]
pub(in crate::nn) struct Graph {
    pub(super) nodes: Vec<Node>,
}

impl Graph {
    /// Records an operation; the value knows its shape and has no numbers. `shape` is `[n, h, w, c]` or `[n, c]`.
    pub(in crate::nn) fn record(&mut self, operation: Operation, shape: &[usize]) -> Result<Value> {
        let full = match *shape {
            [n, c] => [n, 1, 1, c],
            [n, h, w, c] => [n, h, w, c],
            _ => {
                return Err(Error::Shape {
                    tensor: "feature map".into(),
                    found: shape.to_vec(),
                    expected: vec![0, 0, 0, 0],
                });
            }
        };
        self.nodes.push(Node { operation, shape: full });
        let nothing = Tensor::zeros((), DType::F32, &Device::Cpu)?.broadcast_as(shape)?;
        Ok(Value::recorded(nothing, self.nodes.len() - 1))
    }

    /// How many operations read each node; `outputs` count as read once more.
    pub(super) fn uses(&self, outputs: &[Id]) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for id in self
            .nodes
            .iter()
            .flat_map(|n| n.operation.inputs())
            .chain(outputs.iter().copied())
        {
            uses[id] += 1;
        }
        uses
    }
}

/// The node that a value stands for while a network is recorded.
pub(in crate::nn) fn id(value: &Value) -> Result<Id> {
    value.node.ok_or(Error::Unsupported {
        operation: "recording a network",
        on: "a feature map that is a constant".into(),
    })
}

/// Numbers of a parameter.
pub(in crate::nn) fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}
