//! Radiograph to network input and back.

mod placement;
#[path = "../support/reference.rs"]
mod reference;
mod region;
mod resize;
