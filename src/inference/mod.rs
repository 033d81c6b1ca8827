//! Trained networks on one radiograph: [`pipeline`] is a plain function, [`engine`] runs it on a worker thread.

pub mod engine;
pub mod models;
pub mod pipeline;
