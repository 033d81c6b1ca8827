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
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use parking_lot::Mutex;

use self::graph::{Graph, Operation};
use self::kernels::Kernels;
use self::lower::Lowered;
use self::step::{Arena, Step, View};
use self::team::Course;
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

/// A network's graph: its outputs, as feature maps `[n, h, w, c]`, of an activation `[n, h, w, 3]`.
pub(super) trait Record: FnOnce(&Value, &mut Tape) -> Result<Vec<Value>> {}

impl<F: FnOnce(&Value, &mut Tape) -> Result<Vec<Value>>> Record for F {}

/// A network and images `[n, c, h, w]` for it.
pub(super) struct Planned<'a, N> {
    plans: &'a Plans,
    images: Tensor,
    /// Called only if there is no plan for this size yet, or a plan cannot be: elsewhere than on the CPU in f32.
    network: N,
}

impl<N: Record> Planned<'_, N> {
    /// Computes the network's outputs: by a plan where there can be one, else operation by operation.
    ///
    /// # Errors
    /// If the batch is empty or the network refuses the size.
    pub(super) fn evaluate(self) -> Result<Vec<Tensor>> {
        if self.has_plan() {
            let images = self.images.contiguous()?;
            return self.plan()?.run(&images);
        }
        let values = (self.network)(&channels_last(&self.images)?, &mut Tape::evaluation())?;
        Ok(values.iter().map(|value| value.tensor().clone()).collect())
    }

    /// As [`Planned::evaluate`] for two networks at once, and how long after the common start each had ended.
    ///
    /// By plans they share the threads, so that one computes while the other would wait; else they follow one another.
    ///
    /// # Errors
    /// As for [`Planned::evaluate`].
    pub(super) fn evaluate_beside<M: Record>(self, other: Planned<'_, M>) -> Result<[(Vec<Tensor>, Duration); 2]> {
        if self.has_plan() && other.has_plan() {
            let images = (self.images.contiguous()?, other.images.contiguous()?);
            return run_both((&*self.plan()?, &images.0), (&*other.plan()?, &images.1));
        }
        let start = Instant::now();
        let first = (self.evaluate()?, start.elapsed());
        let second = (other.evaluate()?, start.elapsed());
        Ok([first, second])
    }

    /// Times every step of the plan on all threads, as the shortest of `rounds` runs.
    ///
    /// # Errors
    /// As for [`Planned::evaluate`].
    pub(super) fn profile(self, rounds: usize) -> Result<Vec<StepTime>> {
        let images = self.images.contiguous()?;
        self.plan()?.profile(&images, rounds)
    }

    fn has_plan(&self) -> bool {
        self.images.device().is_cpu() && self.images.dtype() == DType::F32
    }

    fn plan(self) -> Result<Arc<Plan>> {
        self.plans.plan(&self.images, self.network)
    }
}

impl Plans {
    /// A network that is to be evaluated on images, which are brought to its device.
    ///
    /// # Errors
    /// If the device has no room for them.
    pub(super) fn of<N: Record>(&self, network: N, images: &Tensor, device: &Device) -> Result<Planned<'_, N>> {
        Ok(Planned {
            plans: self,
            images: images.to_device(device)?,
            network,
        })
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
        let walk = self.walk(0..self.steps.len(), &mut arena, host.slice()?);
        team::walk([&walk]);
        self.outputs(&arena)
    }

    /// A walk through some of the steps, which has the arena for itself.
    fn walk<'a>(&'a self, steps: Range<usize>, arena: &'a mut [f32], images: &'a [f32]) -> Walk<'a> {
        Walk {
            steps: &self.steps[steps],
            arena: Arena(aligned(arena).as_mut_ptr()),
            images,
            borrowed: PhantomData,
        }
    }

    fn outputs(&self, arena: &[f32]) -> Result<Vec<Tensor>> {
        let start = first_line(arena);
        self.outputs.iter().map(|view| output(&arena[start..], view)).collect()
    }

    fn profile(&self, images: &Tensor, rounds: usize) -> Result<Vec<StepTime>> {
        let host = Host::of(images)?;
        let images = host.slice()?;
        let mut arena = self.arena.lock();
        let mut times = vec![f64::INFINITY; self.steps.len()];
        for _ in 0..rounds.max(1) {
            for (step, time) in times.iter_mut().enumerate() {
                let start = Instant::now();
                team::walk([&self.walk(step..step + 1, &mut arena, images)]);
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

/// Runs the plans of two networks side by side.
fn run_both(a: (&Plan, &Tensor), b: (&Plan, &Tensor)) -> Result<[(Vec<Tensor>, Duration); 2]> {
    let (a_host, b_host) = (Host::of(a.1)?, Host::of(b.1)?);
    let (mut a_arena, mut b_arena) = (a.0.arena.lock(), b.0.arena.lock());
    let a_walk = a.0.walk(0..a.0.steps.len(), &mut a_arena, a_host.slice()?);
    let b_walk = b.0.walk(0..b.0.steps.len(), &mut b_arena, b_host.slice()?);
    let [a_took, b_took] = team::walk([&a_walk, &b_walk]);
    Ok([(a.0.outputs(&a_arena)?, a_took), (b.0.outputs(&b_arena)?, b_took)])
}

/// Steps of a plan over its arena.
struct Walk<'a> {
    steps: &'a [Step],
    arena: Arena,
    images: &'a [f32],
    borrowed: PhantomData<&'a mut [f32]>,
}

impl Course for Walk<'_> {
    fn steps(&self) -> usize {
        self.steps.len()
    }

    fn tasks(&self, step: usize) -> usize {
        self.steps[step].tasks()
    }

    #[allow(unsafe_code)] // steps write side by side into one arena
    fn run(&self, step: usize, task: usize) {
        // SAFETY: the arena is as long as the plan says and borrowed for this walk alone, the team ends a step before
        // the next and gives every task out once.
        unsafe { self.steps[step].run(task, &self.arena, self.images) }
    }
}

/// Where an arena's first whole cache line begins.
fn first_line(arena: &[f32]) -> usize {
    arena.as_ptr().align_offset(64).min(ALIGNMENT)
}

/// An arena from its first whole cache line on.
fn aligned(arena: &mut [f32]) -> &mut [f32] {
    let start = first_line(arena);
    &mut arena[start..]
}

/// A result as a tensor `[n, h, w, c]`.
fn output(arena: &[f32], view: &View) -> Result<Tensor> {
    let channels = view.shape[3];
    let pixels = arena[view.start..].chunks(view.pixel).take(view.pixels());
    let values: Vec<f32> = pixels.flat_map(|pixel| &pixel[..channels]).copied().collect();
    Ok(Tensor::from_vec(values, &view.shape[..], &Device::Cpu)?)
}
