//! What lies on the picture, drawn into a texture of its own when it changes: a colour, and the share of the picture
//! that is left under it. Window/level redraws the picture alone. Knows no egui.

use eframe::wgpu;

use super::textures;
use super::uniforms::FrameView;
use crate::viewer::overlays::OverlaySettings;
use crate::viewer::viewport::ImageTransform;

/// Half floats: what lies nowhere leaves the picture exactly as it is, and no grey is off by more than a tenth.
pub(super) const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;

/// The layer of one renderer.
pub(super) struct Layer {
    layout: wgpu::BindGroupLayout,
    view: wgpu::TextureView,
    bind_group: wgpu::BindGroup,
    size: [u32; 2],
    drawn: Option<Drawn>,
}

/// All that a layer depends on but for the textures it is drawn from.
#[derive(Clone, Copy, PartialEq)]
struct Drawn {
    transform: ImageTransform,
    overlays: Option<OverlaySettings>,
    planes: bool,
    shutter: Option<[f32; 3]>,
}

impl Layer {
    /// An empty one.
    pub fn new(device: &wgpu::Device) -> Self {
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("layer"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::FRAGMENT,
                ty: wgpu::BindingType::Texture {
                    sample_type: wgpu::TextureSampleType::Float { filterable: false },
                    view_dimension: wgpu::TextureViewDimension::D2,
                    multisampled: false,
                },
                count: None,
            }],
        });
        let (view, bind_group) = texture(device, &layout, [1, 1]);
        Self {
            layout,
            view,
            bind_group,
            size: [1, 1],
            drawn: None,
        }
    }

    /// How the layer is bound.
    pub fn layout(&self) -> &wgpu::BindGroupLayout {
        &self.layout
    }

    /// What binds it.
    pub fn bind_group(&self) -> &wgpu::BindGroup {
        &self.bind_group
    }

    /// The textures that it was drawn from have changed.
    pub fn forget(&mut self) {
        self.drawn = None;
    }

    /// Whether it must be drawn for a frame on a target of this size; it is taken to be drawn then.
    pub fn needs(&mut self, device: &wgpu::Device, view: &FrameView, size: [u32; 2]) -> bool {
        if self.size != size {
            (self.view, self.bind_group) = texture(device, &self.layout, size);
            (self.size, self.drawn) = (size, None);
        }
        let wanted = Drawn {
            transform: view.transform,
            overlays: view.overlays,
            planes: view.planes,
            shutter: view.shutter,
        };
        self.drawn.replace(wanted) != Some(wanted)
    }

    /// Begins a pass that draws it.
    pub fn pass<'e>(&self, encoder: &'e mut wgpu::CommandEncoder) -> wgpu::RenderPass<'e> {
        let nothing = wgpu::Color {
            r: 0.0,
            g: 0.0,
            b: 0.0,
            a: 1.0,
        };
        encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("layer"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &self.view,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(nothing),
                    store: wgpu::StoreOp::Store,
                },
                depth_slice: None,
            })],
            ..wgpu::RenderPassDescriptor::default()
        })
    }
}

fn texture(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    size: [u32; 2],
) -> (wgpu::TextureView, wgpu::BindGroup) {
    let texture = textures::filled_by(wgpu::TextureUsages::RENDER_ATTACHMENT, device, "layer", size, 1, FORMAT);
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("layer"),
        layout,
        entries: &[wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::TextureView(&view),
        }],
    });
    (view, bind_group)
}
