//! The viewport's renderer: textures, layer and pipelines, kept between frames. Knows no egui.

use std::sync::Arc;

use eframe::wgpu;

use super::layer::Layer;
use super::pipelines::{Pipelines, Variant};
use super::textures;
use super::uniforms::{FrameView, WORDS};
use crate::viewer::overlays::OverlayPixels;
use crate::viewer::picture::Picture;

/// What one frame shows.
#[derive(Clone, Default)]
pub struct Frame {
    /// The picture; nothing is drawn without one.
    pub picture: Option<Arc<Picture>>,
    /// Its overlays.
    pub overlay: Option<Arc<OverlayPixels>>,
    /// Display values of every sample, for a VOI LUT Sequence item.
    pub table: Option<Arc<[u16]>>,
    /// Everything else.
    pub view: Option<FrameView>,
}

/// How often textures were filled; window/level must leave them alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uploads {
    /// Pictures.
    pub pictures: u32,
    /// VOI tables.
    pub tables: u32,
    /// Overlays.
    pub overlays: u32,
    /// What lies on the picture, as it is on the screen.
    pub layers: u32,
}

/// Draws the viewport.
pub struct ViewportRenderer {
    pipelines: Pipelines,
    layer: Layer,
    /// The one of the frame to draw, and where the picture lies.
    next: Option<(Variant, [f64; 4])>,
    layout: wgpu::BindGroupLayout,
    uniforms: wgpu::Buffer,
    textures: Textures,
    bind_group: Option<wgpu::BindGroup>,
    shown: Frame,
    uploads: Uploads,
    largest_side: u32,
}

struct Textures {
    picture: wgpu::Texture,
    table: wgpu::Texture,
    labels: wgpu::Texture,
    shares: wgpu::Texture,
    colour_maps: wgpu::Texture,
    graphics: wgpu::Texture,
}

impl ViewportRenderer {
    /// A renderer for a target format.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, target: wgpu::TextureFormat) -> Self {
        let layout = bind_group_layout(device);
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("viewport uniforms"),
            size: (WORDS * 4) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let empty = |format| textures::texture(device, "empty", [1, 1], 1, format);
        let textures = Textures {
            picture: empty(wgpu::TextureFormat::R16Uint),
            table: empty(wgpu::TextureFormat::R16Uint),
            labels: empty(wgpu::TextureFormat::R8Uint),
            shares: empty(wgpu::TextureFormat::R16Uint),
            colour_maps: textures::colour_maps(device, queue),
            graphics: empty(wgpu::TextureFormat::R8Uint),
        };
        let layer = Layer::new(device);
        Self {
            pipelines: Pipelines::new(device, &layout, layer.layout(), target),
            layer,
            next: None,
            layout,
            uniforms,
            textures,
            bind_group: None,
            shown: Frame::default(),
            uploads: Uploads::default(),
            largest_side: device.limits().max_texture_dimension_2d,
        }
    }

    /// Fills the textures that show something else than before, writes the uniform block, and draws what lies on the
    /// picture if that has changed. `size`: of the target, in physical pixels.
    pub fn prepare(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, frame: &Frame, size: [u32; 2]) {
        let (Some(picture), Some(view)) = (&frame.picture, &frame.view) else {
            return;
        };
        self.fill(device, queue, frame, picture);
        queue.write_buffer(&self.uniforms, 0, bytemuck::cast_slice(&view.words()));
        if self.bind_group.is_none() {
            self.bind_group = Some(bind(device, &self.layout, &self.uniforms, &self.textures));
            self.layer.forget();
        }
        let area = view.area();
        if let Some(variant) = view.layer_variant()
            && self.layer.needs(device, view, size)
        {
            self.uploads.layers += 1;
            let pipeline = self.pipelines.make(device, variant);
            // Submitted for itself: what is recorded for a frame is lost when its window turns out to be hidden.
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = self.layer.pass(&mut encoder);
            pass.set_bind_group(0, &self.bind_group, &[]);
            draw(&mut pass, pipeline, area, [0, 0, size[0], size[1]]);
            drop(pass);
            queue.submit([encoder.finish()]);
        }
        let variant = view.picture_variant();
        self.pipelines.make(device, Variant::Beside);
        self.pipelines.make(device, variant);
        self.next = Some((variant, area));
    }

    fn fill(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, frame: &Frame, picture: &Arc<Picture>) {
        if !is_same(self.shown.picture.as_ref(), Some(picture)) {
            self.textures.picture = textures::picture(device, queue, picture);
            // Without any, nothing reads what was there before.
            if let Some(graphics) = &picture.graphics {
                let size = [picture.radiograph.width, picture.radiograph.height];
                self.textures.graphics = textures::graphics(device, queue, size, graphics);
            }
            self.shown.picture = Some(Arc::clone(picture));
            self.uploads.pictures += 1;
            self.bind_group = None;
        }
        if let Some(table) = &frame.table
            && !is_same(self.shown.table.as_ref(), Some(table))
        {
            self.textures.table = textures::voi_table(device, queue, table);
            self.shown.table = Some(Arc::clone(table));
            self.uploads.tables += 1;
            self.bind_group = None;
        }
        if let Some(overlay) = &frame.overlay
            && !is_same(self.shown.overlay.as_ref(), Some(overlay))
        {
            [self.textures.labels, self.textures.shares] = textures::overlay(device, queue, overlay);
            self.shown.overlay = Some(Arc::clone(overlay));
            self.uploads.overlays += 1;
            self.bind_group = None;
        }
    }

    /// Draws the picture, and black beside it, over all of `clip`: left, top, right and bottom in physical pixels of the
    /// target.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>, clip: [u32; 4]) {
        let Some((variant, area)) = self.next else { return };
        let Some(bind_group) = &self.bind_group else { return };
        pass.set_bind_group(0, bind_group, &[]);
        if let Some(pipeline) = self.pipelines.get(Variant::Beside) {
            let ([left, top, right, bottom], all) = (area, clip.map(f64::from));
            let above_and_below = [[all[0], all[1], all[2], top], [all[0], bottom, all[2], all[3]]];
            let at_the_sides = [[all[0], top, left, bottom], [right, top, all[2], bottom]];
            for strip in above_and_below.into_iter().chain(at_the_sides) {
                draw(pass, pipeline, strip, clip);
            }
        }
        if let Some(pipeline) = self.pipelines.get(variant) {
            pass.set_bind_group(1, self.layer.bind_group(), &[]);
            draw(pass, pipeline, area, clip);
        }
    }

    /// How often textures were filled so far.
    pub fn uploads(&self) -> Uploads {
        self.uploads
    }

    /// Longest side of a picture that this adapter can show, in pixels.
    pub fn largest_side(&self) -> u32 {
        self.largest_side
    }
}

/// Draws what lies within both `area` and `clip`: left, top, right and bottom in physical pixels.
fn draw(pass: &mut wgpu::RenderPass<'_>, pipeline: &wgpu::RenderPipeline, area: [f64; 4], clip: [u32; 4]) {
    // A negative or huge place ends at the edge of what can be said.
    let area = area.map(|side| side as u32);
    let [left, top] = [0, 1].map(|axis| area[axis].max(clip[axis]));
    let [right, bottom] = [2, 3].map(|axis| area[axis].min(clip[axis]));
    if left < right && top < bottom {
        pass.set_scissor_rect(left, top, right - left, bottom - top);
        pass.set_pipeline(pipeline);
        pass.draw(0..3, 0..1);
    }
}

fn bind(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    uniforms: &wgpu::Buffer,
    textures: &Textures,
) -> wgpu::BindGroup {
    let Textures {
        picture,
        table,
        labels,
        shares,
        colour_maps,
        graphics,
    } = textures;
    let views = [picture, table, labels, shares, colour_maps, graphics]
        .map(|texture| texture.create_view(&wgpu::TextureViewDescriptor::default()));
    let uniforms = wgpu::BindGroupEntry {
        binding: 0,
        resource: uniforms.as_entire_binding(),
    };
    let textures = views.iter().zip(1..).map(|(view, binding)| wgpu::BindGroupEntry {
        binding,
        resource: wgpu::BindingResource::TextureView(view),
    });
    let entries: Vec<_> = std::iter::once(uniforms).chain(textures).collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("viewport"),
        layout,
        entries: &entries,
    })
}

fn is_same<T: ?Sized>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

fn bind_group_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty,
        count: None,
    };
    let texture = |sample_type| wgpu::BindingType::Texture {
        sample_type,
        view_dimension: wgpu::TextureViewDimension::D2,
        multisampled: false,
    };
    let uniforms = wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Uniform,
        has_dynamic_offset: false,
        min_binding_size: wgpu::BufferSize::new((WORDS * 4) as u64),
    };
    let integers = wgpu::TextureSampleType::Uint;
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("viewport"),
        entries: &[
            entry(0, uniforms),
            entry(1, texture(integers)),
            entry(2, texture(integers)),
            entry(3, texture(integers)),
            entry(4, texture(integers)),
            entry(5, texture(wgpu::TextureSampleType::Float { filterable: false })),
            entry(6, texture(integers)),
        ],
    })
}
