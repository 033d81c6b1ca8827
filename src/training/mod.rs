//! The paper's two phases: data, augmentation, losses, metrics, the loop. Knows no window and no listener.

pub mod adam;
pub mod augment;
pub mod loss;
pub mod manifest;
pub mod metrics;
pub mod split;
