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
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use parking_lot::Mutex;

use self::graph::{Graph, Operation};
use self::kernels::Kernels;
use self::lower::Lowered;
use self::step::{Arena, Step, View};
use super::Result;
use super::input_spec::check_images;
use super::layers::channels_last;
use super::ops::cpu::{self, Host};
use super::tape::{Tape, Value};

/// Plans of a network that are kept for different sizes of input.
const MOST_PLANS: usize = 3;

/// What a step of a plan takes.
#[derive(Debug, Clone)]
pub struct StepTime {
    /// Operation and sizes.
    pub what: String,
    /// Shortest time over all rounds, in milliseconds.
    pub ms: f64,
    /// Multiplications that the operation is defined with, in millions; a step may do with fewer.
    pub million_products: f64,
}

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

    /// Times every step of the plan for `images` on all threads, as the shortest of `rounds` runs.
    ///
    /// # Errors
    /// As for [`Plans::evaluate`].
    pub(super) fn profile(
        &self,
        images: &Tensor,
        rounds: usize,
        network: impl FnOnce(&Value, &mut Tape) -> Result<Vec<Value>>,
    ) -> Result<Vec<StepTime>> {
        self.plan(images, network)?.profile(&images.contiguous()?, rounds)
    }

    fn run(
        &self,
        images: &Tensor,
        network: impl FnOnce(&Value, &mut Tape) -> Result<Vec<Value>>,
    ) -> Result<Vec<Tensor>> {
        self.plan(images, network)?.run(&images.contiguous()?)
    }

    /// The plan for images of this size.
    fn plan(
        &self,
        images: &Tensor,
        network: impl FnOnce(&Value, &mut Tape) -> Result<Vec<Value>>,
    ) -> Result<Arc<Plan>> {
        check_images(images)?;
        let (n, c, h, w) = images.dims4()?;
        let fits = ([n, c, h, w], cpu::threads());
        let known = self.plans.lock().iter().find(|plan| plan.fits == fits).cloned();
        match known {
            Some(plan) => Ok(plan),
            None => self.make(fits, network),
        }
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
    fn run(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let host = Host::of(images)?;
        let mut arena = self.arena.lock();
        let arena = aligned(&mut arena);
        self.walk(0..self.steps.len(), arena, host.slice()?);
        self.outputs.iter().map(|view| output(arena, view)).collect()
    }

    #[allow(unsafe_code)] // steps write side by side into one arena
    fn walk(&self, steps: Range<usize>, arena: &mut [f32], images: &[f32]) {
        let (place, steps) = (Arena(arena.as_mut_ptr()), &self.steps[steps]);
        team::walk(
            steps.len(),
            |step| steps[step].tasks(),
            // SAFETY: the arena is as long as the plan says and borrowed here alone, the team ends a step before the
            // next and gives every task out once.
            |step, task| unsafe { steps[step].run(task, &place, images) },
        );
    }

    fn profile(&self, images: &Tensor, rounds: usize) -> Result<Vec<StepTime>> {
        let host = Host::of(images)?;
        let images = host.slice()?;
        let mut arena = self.arena.lock();
        let arena = aligned(&mut arena);
        let mut times = vec![f64::INFINITY; self.steps.len()];
        for _ in 0..rounds.max(1) {
            for (step, time) in times.iter_mut().enumerate() {
                let start = Instant::now();
                self.walk(step..step + 1, arena, images);
                *time = time.min(1e3 * start.elapsed().as_secs_f64());
            }
        }
        let named = self.steps.iter().zip(times).map(|(step, ms)| StepTime {
            what: step.to_string(),
            ms,
            million_products: step.products() / 1e6,
        });
        Ok(named.collect())
    }
}

/// An arena from its first whole cache line on.
fn aligned(arena: &mut [f32]) -> &mut [f32] {
    let start = arena.as_ptr().align_offset(64).min(ALIGNMENT);
    &mut arena[start..]
}

/// A result as a tensor `[n, h, w, c]`.
fn output(arena: &[f32], view: &View) -> Result<Tensor> {
    let channels = view.shape[3];
    let pixels = arena[view.start..].chunks(view.pixel).take(view.pixels());
    let values: Vec<f32> = pixels.flat_map(|pixel| &pixel[..channels]).copied().collect();
    Ok(Tensor::from_vec(values, &view.shape[..], &Device::Cpu)?)
}
