//! Models, pipeline and engine on randomly initialised networks and synthetic pictures.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod activation;
mod cache;
mod components;
mod engine;
mod fallback;
mod models;
mod pipeline;
