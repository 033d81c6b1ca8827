//! The picture on the GPU: 16-bit textures, window/level in the fragment shader, what lies on it in a layer.
//! [`Canvas`] hands each frame to the renderer that lives in egui's callback resources.

mod layer;
mod pipelines;
mod renderer;
mod textures;
mod uniforms;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use eframe::wgpu;
use egui::{self, PaintCallback, Rect};

use crate::imaging::{ModalityLut, Radiograph, VoiTransform};

use super::overlays::OverlaySettings;
use super::state::{Shown, ViewerState};

pub use renderer::{Frame, Uploads, ViewportRenderer};
pub use uniforms::{FrameView, SampleVoi, Texel, VoiMode};

/// The window's side of the renderer: sets what the next frame shows.
///
/// The callback is made once and shared, so that a drag allocates nothing here.
pub struct Canvas {
    frame: Arc<Mutex<Frame>>,
    callback: Arc<dyn std::any::Any + Send + Sync>,
    /// The look-ups that were last turned into display values, for which picture.
    baked: Option<([u8; 32], VoiTransform, Arc<[u16]>)>,
    largest_side: u32,
    wants_linear: bool,
    /// Whether the processor draws, for want of a graphics processor.
    in_software: bool,
    device: wgpu::Device,
}

struct ViewportCallback {
    frame: Arc<Mutex<Frame>>,
}

impl Canvas {
    /// Builds the renderer in egui's resources.
    pub fn new(render_state: &RenderState) -> Self {
        let renderer = ViewportRenderer::new(&render_state.device, &render_state.queue, render_state.target_format);
        let largest_side = renderer.largest_side();
        render_state.renderer.write().callback_resources.insert(renderer);
        let frame = Arc::new(Mutex::new(Frame::default()));
        let callback = egui_wgpu::Callback::new_paint_callback(
            Rect::NOTHING,
            ViewportCallback {
                frame: Arc::clone(&frame),
            },
        )
        .callback;
        Self {
            frame,
            callback,
            baked: None,
            largest_side,
            wants_linear: render_state.target_format.is_srgb(),
            in_software: is_in_software(render_state),
            device: render_state.device.clone(),
        }
    }

    /// Longest side of a picture that the adapter can show, in pixels.
    pub fn largest_side(&self) -> u32 {
        self.largest_side
    }

    /// Whether colours for the window's surface have to be linear.
    pub fn wants_linear(&self) -> bool {
        self.wants_linear
    }

    /// Waits until what was submitted so far is drawn; for measurements.
    pub fn wait(&self) {
        // A device that is lost draws nothing more.
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
    }

    /// Draws the picture on the screen, and black around it, if there is one.
    pub fn paint(&mut self, painter: &egui::Painter, state: &ViewerState) {
        let Some(shown) = &state.shown else { return };
        let table = self.table(shown);
        let overlay = state.visible_overlay();
        let settings = overlay.map(|_| state.overlays);
        let hurries = self.in_software
            && painter
                .ctx()
                .input(|input| input.pointer.any_down() && input.pointer.is_decidedly_dragging());
        {
            let mut frame = lock(&self.frame);
            frame.view = Some(FrameView {
                hurries,
                ..frame_view(state, shown, settings)
            });
            frame.table = table;
            frame.overlay = overlay.cloned();
            frame.picture = Some(Arc::clone(&shown.picture));
        }
        painter.add(PaintCallback {
            rect: state.screen.rect,
            callback: Arc::clone(&self.callback),
        });
    }

    /// Display values of the shown picture's look-ups where these are no line, computed when they are chosen.
    fn table(&mut self, shown: &Shown) -> Option<Arc<[u16]>> {
        let voi = shown.view.voi.as_ref()?;
        let radiograph = &shown.picture.radiograph;
        let is_line = matches!(
            (voi, &radiograph.modality_lut),
            (VoiTransform::Window(_), ModalityLut::Rescale(_))
        );
        if is_line {
            return None;
        }
        if let Some((hash, baked, values)) = &self.baked
            && *hash == radiograph.content_hash
            && is_same(baked, voi)
        {
            return Some(Arc::clone(values));
        }
        let values = bake(radiograph, voi);
        self.baked = Some((radiograph.content_hash, voi.clone(), Arc::clone(&values)));
        Some(values)
    }
}

/// Whether the processor draws the window, for want of a graphics processor.
pub fn is_in_software(render_state: &RenderState) -> bool {
    render_state.adapter.get_info().device_type == wgpu::DeviceType::Cpu
}

/// Tables are told apart by where they lie: they are asked for in every frame.
fn is_same(one: &VoiTransform, other: &VoiTransform) -> bool {
    match (one, other) {
        (VoiTransform::Table(one), VoiTransform::Table(other)) => Arc::ptr_eq(&one.entries, &other.entries),
        _ => one == other,
    }
}

/// Display value, 65535 = white and before polarity, of all 65,536 samples a texture can hold.
pub fn bake(radiograph: &Radiograph, voi: &VoiTransform) -> Arc<[u16]> {
    let offset = radiograph.grey().map_or(0, |stored| stored.offset);
    let display = |sample: u16| {
        let value = radiograph.modality_lut.apply(i32::from(sample) + offset);
        (voi.apply(value) * f64::from(u16::MAX)).round() as u16
    };
    (0..=u16::MAX).map(display).collect()
}

fn frame_view(state: &ViewerState, shown: &Shown, overlays: Option<OverlaySettings>) -> FrameView {
    let radiograph = &shown.picture.radiograph;
    let offset = shown.picture.sample_offset;
    let graphics = shown.picture.graphics.as_ref();
    let voi = shown.view.voi.as_ref();
    let voi = voi.map(|voi| SampleVoi::new(voi, &radiograph.modality_lut, offset));
    FrameView {
        transform: shown.transform(state.screen),
        size: [radiograph.width, radiograph.height],
        levels: shown.picture.level_count(),
        texel: Texel::of(&shown.picture.levels),
        voi: voi.unwrap_or(SampleVoi {
            mode: VoiMode::Linear,
            center: 0.0,
            slope: 1.0,
        }),
        inverted: FrameView::inversion(radiograph.polarity, shown.view.inverted),
        overlays,
        hurries: false,
        planes: graphics.is_some_and(|graphics| graphics.has_planes) && state.draws_planes(),
        shutter: graphics
            .and_then(|graphics| graphics.shutter)
            .filter(|_| state.graphics.shutter),
    }
}

fn lock(frame: &Mutex<Frame>) -> MutexGuard<'_, Frame> {
    // Nothing panics while the lock is held; if it did, the frame would still be whole.
    frame.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Left, top, right and bottom of what may be drawn on.
fn clip(info: &egui::PaintCallbackInfo) -> [u32; 4] {
    let clip = info.clip_rect_in_pixels();
    let [left, top, width, height] =
        [clip.left_px, clip.top_px, clip.width_px, clip.height_px].map(|side| side.max(0).cast_unsigned());
    [left, top, left + width, top + height]
}

impl CallbackTrait for ViewportCallback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(renderer) = resources.get_mut::<ViewportRenderer>() {
            renderer.prepare(device, queue, &lock(&self.frame), screen.size_in_pixels);
        }
        Vec::new()
    }

    fn paint(
        &self,
        info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(renderer) = resources.get::<ViewportRenderer>() {
            renderer.draw(pass, clip(&info));
        }
    }
}
