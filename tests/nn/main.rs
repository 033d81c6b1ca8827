//! Networks against PyTorch and Keras, operations against finite differences.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod adam;
mod forward;
mod gradients;
mod ops;
mod reference;
mod train;
