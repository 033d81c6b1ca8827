//! A graphics adapter to draw on, and the viewport drawn into a picture.

use std::sync::OnceLock;

use eframe::wgpu;
use recovnet::viewer::render::{Frame, Uploads, ViewportRenderer};

/// Device and queue of the machine, if it has any adapter.
///
/// # Panics
/// If there is none although the variable `CI` is set.
pub fn device() -> Option<&'static (wgpu::Device, wgpu::Queue)> {
    static DEVICE: OnceLock<Option<(wgpu::Device, wgpu::Queue)>> = OnceLock::new();
    let found = DEVICE.get_or_init(|| {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let options = wgpu::RequestAdapterOptions::default();
        let adapter = pollster::block_on(instance.request_adapter(&options)).ok()?;
        pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).ok()
    });
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no graphics adapter; Debian's is mesa-vulkan-drivers"
        );
        println!("skipped: this machine has no graphics adapter");
    }
    found.as_ref()
}

/// The viewport's renderer with a target to draw on.
pub struct Stage {
    device: &'static wgpu::Device,
    queue: &'static wgpu::Queue,
    renderer: ViewportRenderer,
}

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

impl Stage {
    /// Needs an adapter.
    pub fn new() -> Option<Self> {
        let (device, queue) = device()?;
        let renderer = ViewportRenderer::new(device, queue, FORMAT);
        Some(Self {
            device,
            queue,
            renderer,
        })
    }

    /// How often textures were filled.
    pub fn uploads(&self) -> Uploads {
        self.renderer.uploads()
    }

    /// Makes everything ready for a frame that is then not drawn, as when the window is hidden.
    pub fn prepare(&mut self, frame: &Frame, size: [u32; 2]) {
        self.renderer.prepare(self.device, self.queue, frame, size);
    }

    /// Draws a frame into a picture of this size, RGBA.
    pub fn draw(&mut self, frame: &Frame, size: [u32; 2]) -> image::RgbaImage {
        let target = self.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: extent(size),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        self.renderer.prepare(self.device, self.queue, frame, size);
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let attachment = wgpu::RenderPassColorAttachment {
                view: &view,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::GREEN),
                    store: wgpu::StoreOp::Store,
                },
                depth_slice: None,
            };
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(attachment)],
                ..wgpu::RenderPassDescriptor::default()
            });
            self.renderer.draw(&mut pass, [0, 0, size[0], size[1]]);
        }
        self.read(encoder, &target, size)
    }

    fn read(&self, mut encoder: wgpu::CommandEncoder, target: &wgpu::Texture, size: [u32; 2]) -> image::RgbaImage {
        // Rows of a copy begin at multiples of 256 bytes.
        let row = (size[0] * 4).next_multiple_of(256);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::from(row * size[1]),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(row),
            rows_per_image: Some(size[1]),
        };
        encoder.copy_texture_to_buffer(
            target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout,
            },
            extent(size),
        );
        self.queue.submit([encoder.finish()]);
        buffer.slice(..).map_async(wgpu::MapMode::Read, Result::unwrap);
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let bytes = buffer.slice(..).get_mapped_range().unwrap();
        let rows = bytes.chunks(row as usize);
        let pixels = rows.flat_map(|bytes| bytes[..size[0] as usize * 4].to_vec()).collect();
        image::RgbaImage::from_raw(size[0], size[1], pixels).unwrap()
    }
}

fn extent([width, height]: [u32; 2]) -> wgpu::Extent3d {
    wgpu::Extent3d {
        width,
        height,
        depth_or_array_layers: 1,
    }
}
