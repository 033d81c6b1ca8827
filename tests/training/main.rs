//! Data, augmentation, losses, metrics and whole runs.

mod adam;
mod augment;
mod batches;
mod check;
mod chests;
mod command;
mod data;
mod initial;
mod input_cache;
mod loss;
mod metrics;
mod phantoms;
#[path = "../support/reference.rs"]
mod reference;
mod runs;
mod step;
#[path = "../support/vector.rs"]
mod vector;
