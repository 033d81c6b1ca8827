//! Data, augmentation, losses, metrics and whole runs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod adam;
#[path = "../support/age.rs"]
mod age;
mod ahead;
mod audit;
mod augment;
mod batches;
mod check;
mod chests;
mod command;
mod data;
mod dataset;
mod evaluation;
mod files;
mod going_on;
mod in_a_process;
mod initial;
mod input_cache;
mod judged;
mod loss;
mod metrics;
mod phantoms;
mod preview;
mod recipe;
#[path = "../support/reference.rs"]
mod reference;
mod runs;
mod shortcut;
mod start_weights;
mod step;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/vector.rs"]
mod vector;
mod watching;
