//! Inference on the CPU: a network is recorded once, its operations are fused and placed in one arena, its kernels
//! are prepared; a run then only computes, on all threads of the pool, and allocates nothing but its results.

mod fusion;
pub(super) mod graph;
mod kernels;
mod lower;
mod placement;
mod pooling;
mod step;
mod team;

use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use parking_lot::Mutex;

use self::graph::{Graph, Operation};
use self::kernels::Kernels;
use self::lower::Lowered;
use self::step::{Arena, Step, View};
use super::layers::channels_last;
use super::ops::cpu::{self, Host};
use super::tape::{Tape, Value};
use super::{Error, Result};

/// Plans of a network that are kept for different sizes of input.
const MOST_PLANS: usize = 3;

/// A network ready to run on images of one size.
struct Plan {
    /// `[n, c, h, w]` of the images, and the threads that the steps were cut for.
    fits: ([usize; 4], usize),
    steps: Vec<Step>,
    outputs: Vec<View>,
    arena: Mutex<Vec<f32>>,
}

/// The plans of one network, made when they are first needed.
#[derive(Default)]
pub(super) struct Plans {
    kernels: Kernels,
    plans: Mutex<Vec<Arc<Plan>>>,
}

/// A copy of a network may be trained on its own, so it plans anew.
impl Clone for Plans {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans").finish_non_exhaustive()
    }
}

impl Plans {
    /// Computes the outputs of `network` for `images`, `[n, c, h, w]`: feature maps `[n, h, w, c]`.
    ///
    /// On the CPU and in f32 by a plan, for which `network` is called only if there is none for this size yet;
    /// elsewhere operation by operation.
    ///
    /// # Errors
    /// If the batch is empty or the network refuses the size.
    pub(super) fn evaluate(
        &self,
        images: &Tensor,
        network: impl FnOnce(&Value, &mut Tape) -> Result<Vec<Value>>,
    ) -> Result<Vec<Tensor>> {
        if images.device().is_cpu() && images.dtype() == DType::F32 {
            return self.run(images, network);
        }
        let values = network(&channels_last(images)?, &mut Tape::evaluation())?;
        Ok(values.iter().map(|value| value.tensor().clone()).collect())
    }

    fn run(
        &self,
        images: &Tensor,
        network: impl FnOnce(&Value, &mut Tape) -> Result<Vec<Value>>,
    ) -> Result<Vec<Tensor>> {
        let (n, c, h, w) = images.dims4()?;
        if n == 0 {
            return Err(Error::Shape {
                tensor: "batch of images".into(),
                found: vec![n, c, h, w],
                expected: vec![1, c, h, w],
            });
        }
        let fits = ([n, c, h, w], cpu::threads());
        let known = self.plans.lock().iter().find(|plan| plan.fits == fits).cloned();
        let plan = match known {
            Some(plan) => plan,
            None => self.make(fits, network)?,
        };
        plan.run(&images.contiguous()?)
    }

    fn make(
        &self,
        fits: ([usize; 4], usize),
        network: impl FnOnce(&Value, &mut Tape) -> Result<Vec<Value>>,
    ) -> Result<Arc<Plan>> {
        let [n, c, h, w] = fits.0;
        let mut graph = Graph::default();
        let input = graph.record(Operation::Input, &[n, h, w, c])?;
        let mut tape = Tape::recording(graph);
        let outputs = network(&input, &mut tape)?
            .iter()
            .map(graph::id)
            .collect::<Result<Vec<_>>>()?;
        let graph = tape.into_graph().unwrap_or_default();
        let Lowered { steps, arena, outputs } = lower::lower(&graph, &outputs, &self.kernels, fits.1)?;
        let plan = Arc::new(Plan {
            fits,
            steps,
            outputs,
            arena: Mutex::new(vec![0.0; arena + ALIGNMENT]),
        });
        let mut plans = self.plans.lock();
        plans.truncate(MOST_PLANS - 1);
        plans.insert(0, plan.clone());
        Ok(plan)
    }
}

/// Elements by which an arena may have to begin later, so that it begins a cache line.
const ALIGNMENT: usize = 16;

impl Plan {
    #[allow(unsafe_code)] // steps write side by side into one arena
    fn run(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let host = Host::of(images)?;
        let images = host.slice::<f32>()?;
        let mut arena = self.arena.lock();
        let start = arena.as_ptr().align_offset(64).min(ALIGNMENT);
        let place = Arena(arena[start..].as_mut_ptr());
        team::walk(
            self.steps.len(),
            |step| self.steps[step].tasks(),
            // SAFETY: the arena is as long as the plan says and locked, the team ends a step before the next and
            // gives every task out once.
            |step, task| unsafe { self.steps[step].run(task, &place, images) },
        );
        let arena = &arena[start..];
        self.outputs.iter().map(|view| output(arena, view)).collect()
    }
}

/// A result as a tensor `[n, h, w, c]`.
fn output(arena: &[f32], view: &View) -> Result<Tensor> {
    let channels = view.shape[3];
    let pixels = arena[view.start..].chunks(view.pixel).take(view.pixels());
    let values: Vec<f32> = pixels.flat_map(|pixel| &pixel[..channels]).copied().collect();
    Ok(Tensor::from_vec(values, &view.shape[..], &Device::Cpu)?)
}
