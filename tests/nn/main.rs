//! Networks against PyTorch and Keras, operations against finite differences.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod adam;
#[cfg(feature = "cuda")]
mod cuda;
mod encoders;
mod forward;
mod golden;
mod gradients;
mod import;
mod input;
mod layout;
mod ops;
mod plan;
#[path = "../support/reference.rs"]
mod reference;
mod train;
#[path = "../support/vector.rs"]
mod vector;
