//! The window. Only `apply(Command)` changes its state; no file, network or model work on its thread. Uses
//! imaging, findings and inference; knows no tensors.

pub mod analysis;
pub mod app;
pub mod apply;
pub mod command;
pub mod deidentify;
pub mod dialogs;
pub mod errands;
pub mod fidelity;
pub mod icon;
pub mod keyboard;
pub mod listing;
pub mod overlays;
pub mod pace;
pub mod panels;
pub mod picture;
pub mod render;
pub mod results;
pub mod ruler;
pub mod state;
pub mod studies;
pub mod tags;
pub mod theme;
pub mod tools;
mod trace;
pub mod train;
pub mod turn;
pub mod viewport;
pub mod wording;
pub mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use eframe::{egui_wgpu, wgpu};
use egui::ViewportBuilder;

use crate::inference::engine::{Engine, EngineConfig};

pub use app::ViewerApp;
use train::launcher::ProgramLauncher;

/// Title of the window.
pub const TITLE: &str = "ReCovNet Viewer";

/// Why the window did not open or did not stay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no display, or no graphics adapter that can draw on it.
    #[error("the window cannot be opened: {0}. Without a display, use 'recovnet predict'.")]
    Window(#[from] eframe::Error),
}

/// Opens the window on some files or folders, and returns when it is closed. Reports of checked data and the index of
/// studies are in `kept`.
///
/// # Errors
/// If there is no display or no graphics adapter.
pub fn run(paths: Vec<PathBuf>, engine: EngineConfig, kept: apply::Kept) -> Result<(), Error> {
    let mut viewport = ViewportBuilder::default()
        .with_title(TITLE)
        .with_app_id("recovnet")
        .with_icon(Arc::new(icon::data()))
        .with_inner_size([1440.0, 900.0])
        .with_min_inner_size([960.0, 600.0]);
    viewport.drag_and_drop = Some(true);
    let options = eframe::NativeOptions {
        viewport,
        renderer: eframe::Renderer::Wgpu,
        wgpu_options: egui_wgpu::WgpuConfiguration {
            wgpu_setup: graphics(),
            ..Default::default()
        },
        persist_window: false,
        ..Default::default()
    };
    eframe::run_native(
        TITLE,
        options,
        Box::new(|creation| {
            let models = apply::ModelSource {
                weights: engine.weights.clone(),
                device: engine.device.clone(),
            };
            let analyser =
                |wake: worker::Wake| Box::new(Engine::start(engine, move || wake())) as Box<dyn analysis::Analyser>;
            // Where the system does not say which program this is, its name is looked for as in a shell.
            let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("recovnet"));
            let launcher = Box::new(ProgramLauncher(program));
            Ok(Box::new(ViewerApp::new(
                creation, analyser, launcher, models, kept, paths,
            )?))
        }),
    )?;
    Ok(())
}

/// egui's choice of adapter, with the adapter's own limit on the size of a picture.
fn graphics() -> egui_wgpu::WgpuSetup {
    let mut setup = egui_wgpu::WgpuSetupCreateNew::without_display_handle();
    let usual = Arc::clone(&setup.device_descriptor);
    setup.device_descriptor = Arc::new(move |adapter| {
        let mut descriptor = usual(adapter);
        descriptor.required_limits.max_texture_dimension_2d = adapter.limits().max_texture_dimension_2d;
        descriptor
    });
    setup.into()
}

/// One line for each graphics adapter that wgpu finds: backend, name, kind, driver.
pub fn adapter_report() -> Vec<String> {
    let descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters
        .iter()
        .map(|adapter| {
            let info = adapter.get_info();
            let driver = [info.driver, info.driver_info].join(" ");
            format!(
                "{}: {} ({:?}) {}",
                info.backend,
                info.name,
                info.device_type,
                driver.trim()
            )
        })
        .collect()
}
