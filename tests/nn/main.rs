//! Networks against PyTorch and Keras, operations against finite differences.

mod adam;
mod forward;
mod gradients;
mod ops;
mod reference;
mod train;
