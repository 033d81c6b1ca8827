//! Models, pipeline and engine on randomly initialised networks and synthetic pictures.

#[path = "../support/mod.rs"]
mod support;

mod activation;
mod cache;
mod components;
mod engine;
mod models;
mod pipeline;
