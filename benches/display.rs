//! A large radiograph, 3000 x 3000 pixels of 16 bits: made ready for the screen, and drawn into a viewport of 1280 x 800
//! with another window for every frame, as in a drag. Without a graphics processor a software renderer draws. How long it
//! takes to open and to look up, `recovnet bench --work opening` says.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use eframe::egui::{Rect, pos2, vec2};
use eframe::wgpu;

use recovnet::imaging::{self, Radiograph, VoiTransform, Window, phantom};
use recovnet::viewer::picture::Picture;
use recovnet::viewer::render::{Frame, FrameView, SampleVoi, Texel, ViewportRenderer};
use recovnet::viewer::turn::Turn;
use recovnet::viewer::viewport::{ImageTransform, PictureShape, Placement, Screen};

const SIDE: u32 = 3000;
const VIEWPORT: [u32; 2] = [1280, 800];
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

fn radiograph() -> Radiograph {
    let bytes = phantom::dicom_bytes(SIDE, SIDE).expect("the size is in range");
    imaging::decode("phantom.dcm".as_ref(), &bytes).expect("the phantom opens")
}

fn making_ready(criterion: &mut Criterion) {
    let radiograph = radiograph();
    criterion.bench_function("make ready for the screen", |b| {
        b.iter(|| Picture::new(radiograph.clone(), Duration::ZERO));
    });
}

/// Device, queue and a target of the viewport's size.
fn stage() -> Option<(wgpu::Device, wgpu::Queue, wgpu::Texture)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let options = wgpu::RequestAdapterOptions::default();
    let adapter = pollster::block_on(instance.request_adapter(&options)).ok()?;
    println!("drawn by {}", adapter.get_info().name);
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).ok()?;
    let target = device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d {
            width: VIEWPORT[0],
            height: VIEWPORT[1],
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
        view_formats: &[],
    });
    Some((device, queue, target))
}

/// The picture in the viewport with a window; whole, or at a zoom.
fn frame(picture: &Arc<Picture>, placement: Placement, window: Window) -> Frame {
    let radiograph = &picture.radiograph;
    let size = [radiograph.width, radiograph.height];
    let shape = PictureShape {
        size,
        aspect: 1.0,
        turn: Turn::default(),
    };
    let screen = Screen {
        rect: Rect::from_min_size(pos2(0.0, 0.0), vec2(VIEWPORT[0] as f32, VIEWPORT[1] as f32)),
        pixels_per_point: 1.0,
    };
    let voi = VoiTransform::Window(window);
    let view = FrameView {
        transform: ImageTransform::new(placement, shape, screen),
        size,
        levels: picture.level_count(),
        texel: Texel::of(&picture.levels),
        voi: SampleVoi::new(&voi, &radiograph.modality_lut, picture.sample_offset),
        inverted: false,
        overlays: None,
        hurries: false,
        planes: false,
        shutter: None,
    };
    Frame {
        picture: Some(Arc::clone(picture)),
        view: Some(view),
        ..Frame::default()
    }
}

fn dragging(criterion: &mut Criterion) {
    let Some((device, queue, target)) = stage() else {
        println!("there is no graphics adapter");
        return;
    };
    let radiograph = radiograph();
    let auto = radiograph.auto_window();
    let picture = Arc::new(Picture::new(radiograph, Duration::ZERO));
    let mut renderer = ViewportRenderer::new(&device, &queue, FORMAT);
    let one_to_one = Placement::At {
        zoom: 1.0,
        center: [f64::from(SIDE) / 2.0; 2],
    };
    for (name, placement) in [
        ("a frame of a drag, whole picture", Placement::Fit),
        ("a frame of a drag, 1:1", one_to_one),
    ] {
        let mut moved = 0.0;
        criterion.bench_function(name, |b| {
            b.iter(|| {
                moved += 1.0;
                let window = Window {
                    center: auto.center + moved % 200.0,
                    ..auto
                };
                draw(
                    &device,
                    &queue,
                    &target,
                    &mut renderer,
                    &frame(&picture, placement, window),
                );
            });
        });
    }
}

/// Draws, and waits until it is drawn.
fn draw(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    target: &wgpu::Texture,
    renderer: &mut ViewportRenderer,
    frame: &Frame,
) {
    let view = target.create_view(&wgpu::TextureViewDescriptor::default());
    renderer.prepare(device, queue, frame, VIEWPORT);
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let attachment = wgpu::RenderPassColorAttachment {
            view: &view,
            resolve_target: None,
            ops: wgpu::Operations {
                load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                store: wgpu::StoreOp::Store,
            },
            depth_slice: None,
        };
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(attachment)],
            ..wgpu::RenderPassDescriptor::default()
        });
        renderer.draw(&mut pass, [0, 0, VIEWPORT[0], VIEWPORT[1]]);
    }
    queue.submit([encoder.finish()]);
    device
        .poll(wgpu::PollType::wait_indefinitely())
        .expect("the adapter draws");
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = making_ready, dragging
}
criterion_main!(benches);
