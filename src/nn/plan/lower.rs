//! From operations to steps.

use super::fusion::{Fused, Work, fuse};
use super::graph::{Graph, Id, Operation};
use super::kernels::{Form, Kernel, Kernels};
use super::placement::{Place, Placement};
use super::pooling::Pooling;
use super::step::{Ending, Scaling, Step, View};
use crate::nn::ops::cpu::conv::Geometry;
use crate::nn::ops::cpu::{gemm, winograd};
use crate::nn::{Error, Result};

/// Steps in order, the arena's length, and where the outputs lie.
pub(super) struct Lowered {
    pub(super) steps: Vec<Step>,
    pub(super) arena: usize,
    pub(super) outputs: Vec<View>,
}

/// Makes steps of a recorded network.
pub(super) fn lower(graph: &Graph, outputs: &[Id], kernels: &Kernels, threads: usize) -> Result<Lowered> {
    let work = fuse(graph, outputs);
    let placement = Placement::new(graph, &work, outputs);
    let lowering = Lowering {
        graph,
        placement: &placement,
        kernels,
        threads,
    };
    let mut steps = Vec::new();
    for (id, work) in work.iter().enumerate() {
        for (part, place, _) in placement.copies.iter().filter(|copy| copy.2 == id) {
            steps.push(Step::Affine {
                x: lowering.view(*part)?,
                scaling: None,
                y: lowering.at(*part, *place),
            });
        }
        match work {
            Work::Nothing => {}
            Work::Single => steps.push(lowering.single(id)?),
            Work::Convolution(fused) => lowering.convolution(id, fused, &mut steps)?,
        }
    }
    let outputs = outputs.iter().map(|id| lowering.view(*id)).collect::<Result<_>>()?;
    Ok(Lowered {
        steps,
        arena: placement.len,
        outputs,
    })
}

struct Lowering<'a> {
    graph: &'a Graph,
    placement: &'a Placement,
    kernels: &'a Kernels,
    threads: usize,
}

/// A network that is put together as no plan expects.
fn unexpected(what: &str) -> Error {
    Error::Unsupported {
        operation: "planning a network",
        on: what.to_owned(),
    }
}

impl Lowering<'_> {
    fn at(&self, id: Id, place: Place) -> View {
        let buffer = &self.placement.buffers[place.buffer];
        View {
            start: buffer.start + place.channel,
            shape: self.graph.nodes[id].shape,
            pixel: buffer.channels,
        }
    }

    fn view(&self, id: Id) -> Result<View> {
        let place = self
            .placement
            .of(id)
            .ok_or_else(|| unexpected("a feature map without a place"))?;
        Ok(self.at(id, place))
    }

    /// What a normalisation reads: its parts as one feature map.
    fn normalised(&self, id: Id) -> Result<(View, Scaling)> {
        let Operation::Affine {
            parts,
            scale,
            shift,
            relu,
        } = &self.graph.nodes[id].operation
        else {
            return Err(unexpected("a normalisation that is none"));
        };
        let mut view = self.view(parts[0])?;
        let mut next = view.start;
        for part in parts {
            let part = self.view(*part)?;
            if (part.start, part.pixel) != (next, view.pixel) {
                return Err(unexpected("a normalisation of parts that do not lie side by side"));
            }
            next += part.shape[3];
        }
        view.shape = self.graph.nodes[id].shape;
        let scaling = Scaling {
            scale: scale.clone(),
            shift: shift.clone(),
            relu: *relu,
        };
        Ok((view, scaling))
    }

    fn single(&self, id: Id) -> Result<Step> {
        let y = self.view(id)?;
        Ok(match &self.graph.nodes[id].operation {
            Operation::Input => Step::Input { y },
            Operation::Affine { .. } => {
                let (x, scaling) = self.normalised(id)?;
                Step::Affine {
                    x,
                    scaling: Some(scaling),
                    y,
                }
            }
            Operation::MaxPool { x, window } => Step::Pool {
                x: self.view(*x)?,
                pooling: Pooling::Max(*window),
                y,
            },
            Operation::AveragePool {
                x,
                window,
                include_padding,
            } => Step::Pool {
                x: self.view(*x)?,
                pooling: Pooling::Average(*window, *include_padding),
                y,
            },
            Operation::GlobalAverage { x } => Step::GlobalAverage { x: self.view(*x)?, y },
            Operation::Upsample { x } => Step::Upsample { x: self.view(*x)?, y },
            Operation::Resize { x } => Step::Resize { x: self.view(*x)?, y },
            Operation::Residual { x, branch, scale, relu } => Step::Residual {
                x: self.view(*x)?,
                branch: self.view(*branch)?,
                scale: *scale,
                relu: *relu,
                y,
            },
            Operation::Linear { x, weight, bias } => Step::Linear {
                x: self.view(*x)?,
                weight: weight.clone(),
                bias: bias.clone(),
                y,
            },
            Operation::Convolution { .. } | Operation::Concatenation { .. } => {
                return Err(unexpected("an operation without its inputs"));
            }
        })
    }

    /// Adds the step of a convolution, or four where it is computed before its upsampling.
    fn convolution(&self, id: Id, fused: &Fused, steps: &mut Vec<Step>) -> Result<()> {
        let Operation::Convolution { window, .. } = &self.graph.nodes[fused.convolution].operation else {
            return Err(unexpected("a convolution that is none"));
        };
        let (x, scaling) = match fused.scaling {
            Some(scaling) => self.normalised(scaling).map(|(view, scaling)| (view, Some(scaling)))?,
            None => (self.view(fused.x)?, None),
        };
        let y = self.view(id)?;
        let geometry = Geometry {
            n: x.shape[0],
            input: (x.shape[1], x.shape[2], x.shape[3]),
            output: (y.shape[1], y.shape[2], y.shape[3]),
            kernel: window.kernel,
            stride: window.stride,
            padding: window.padding,
        };
        let ending = Ending {
            bias: self.kernels.bias(self.graph, fused),
            residual: fused.residual.map(|r| self.view(r)).transpose()?,
            relu: fused.relu,
        };
        if fused.upsampled {
            return self.phases(fused, geometry, (x, y), &ending, steps);
        }
        let form = if scaling.is_none() && winograd::suits(&geometry) {
            Form::Winograd
        } else {
            Form::Whole
        };
        steps.push(match self.kernels.kernel(self.graph, fused, form) {
            Kernel::Winograd(kernel) => Step::Winograd {
                geometry,
                x,
                kernel,
                y,
                ending,
                split: winograd::Split::new(&geometry, self.threads),
            },
            Kernel::Packed(kernel) => Step::Convolution {
                geometry,
                x,
                scaling,
                split: gemm::Split::new(geometry.rows(), geometry.depth(), y.shape[3], self.threads),
                kernel,
                y: (y.start, y.pixel, None),
                ending,
            },
        });
        Ok(())
    }

    /// A 3x3 convolution of an upsampled map as four 2x2 convolutions of the small one, a quarter of the pixels each.
    fn phases(
        &self,
        fused: &Fused,
        whole: Geometry,
        (x, y): (View, View),
        ending: &Ending,
        steps: &mut Vec<Step>,
    ) -> Result<()> {
        let (h, w, _) = whole.input;
        for (down, across) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let geometry = Geometry {
                output: (h, w, whole.output.2),
                kernel: (2, 2),
                padding: (1 - down, 1 - across),
                ..whole
            };
            let Kernel::Packed(kernel) = self.kernels.kernel(self.graph, fused, Form::Phase(down, across)) else {
                return Err(unexpected("a kernel of another form"));
            };
            let line = 2 * w * y.pixel;
            steps.push(Step::Convolution {
                geometry,
                x,
                scaling: None,
                split: gemm::Split::new(geometry.rows(), geometry.depth(), y.shape[3], self.threads),
                kernel,
                y: (
                    y.start + down * line + across * y.pixel,
                    2 * y.pixel,
                    Some((w, 2 * line)),
                ),
                ending: ending.clone(),
            });
        }
        Ok(())
    }
}
