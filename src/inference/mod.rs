//! Trained networks on one radiograph: [`pipeline`] is a plain function, [`engine`] runs it on a worker thread.
//! Knows no window and no file format of its own; files come in as radiographs and go out as findings.

pub mod activation;
pub mod cache;
pub mod components;
pub mod device;
pub mod engine;
mod fallback;
pub mod installed;
pub mod models;
mod names;
pub mod pipeline;
mod warnings;
mod worker;
