//! The viewport's pipelines: one for each set of things that a frame can need, made when a frame first needs it. Knows
//! no egui.

use std::collections::HashMap;

use eframe::wgpu;

use super::layer;
use super::uniforms::{Texel, VoiMode};

/// What one pass needs of the shader. Keep in sync with the `override`s of viewport.wgsl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Variant {
    /// What is beside the picture: black.
    Beside,
    /// The picture.
    Picture {
        /// What its texels are.
        texel: Texel,
        /// How samples become grey.
        voi: VoiMode,
        /// Neighbours are blended.
        smooth: bool,
        /// Something lies on it.
        layered: bool,
    },
    /// What lies on it.
    Layer {
        /// The activation map.
        map: bool,
        /// The lung mask.
        mask: bool,
        /// The file's overlay planes.
        planes: bool,
        /// What the file's shutter hides.
        shutter: bool,
    },
}

impl Variant {
    fn constants(self, target: wgpu::TextureFormat) -> Vec<(&'static str, f64)> {
        let flag = |on: bool| f64::from(u8::from(on));
        match self {
            Self::Beside => Vec::new(),
            Self::Picture {
                texel,
                voi,
                smooth,
                layered,
            } => vec![
                ("TEXEL", f64::from(texel as u32)),
                ("VOI", f64::from(voi as u32)),
                ("SMOOTH", flag(smooth)),
                ("LAYERED", flag(layered)),
                // Such a target wants linear values.
                ("SRGB_TARGET", flag(target.is_srgb())),
            ],
            Self::Layer {
                map,
                mask,
                planes,
                shutter,
            } => vec![
                ("MAP", flag(map)),
                ("MASK", flag(mask)),
                ("PLANES", flag(planes)),
                ("SHUTTER", flag(shutter)),
            ],
        }
    }
}

/// The pipelines made so far.
pub(super) struct Pipelines {
    module: wgpu::ShaderModule,
    picture_layout: wgpu::PipelineLayout,
    /// Without the layer, on which it draws.
    layer_layout: wgpu::PipelineLayout,
    target: wgpu::TextureFormat,
    made: HashMap<Variant, wgpu::RenderPipeline>,
}

impl Pipelines {
    /// None yet, for a format of the target that the picture is drawn on; with the layouts of textures and layer.
    pub fn new(
        device: &wgpu::Device,
        textures: &wgpu::BindGroupLayout,
        layer: &wgpu::BindGroupLayout,
        target: wgpu::TextureFormat,
    ) -> Self {
        let layout = |groups: &[Option<&wgpu::BindGroupLayout>]| {
            device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("viewport"),
                bind_group_layouts: groups,
                immediate_size: 0,
            })
        };
        Self {
            module: device.create_shader_module(wgpu::include_wgsl!("../../../assets/shaders/viewport.wgsl")),
            picture_layout: layout(&[Some(textures), Some(layer)]),
            layer_layout: layout(&[Some(textures)]),
            target,
            made: HashMap::new(),
        }
    }

    /// The pipeline of a variant, if it was made.
    pub fn get(&self, variant: Variant) -> Option<&wgpu::RenderPipeline> {
        self.made.get(&variant)
    }

    /// The pipeline of a variant, made if there was none yet.
    pub fn make(&mut self, device: &wgpu::Device, variant: Variant) -> &wgpu::RenderPipeline {
        let Self {
            module,
            picture_layout,
            layer_layout,
            target,
            made,
        } = self;
        let layout = match variant {
            Variant::Picture { .. } => picture_layout,
            Variant::Layer { .. } | Variant::Beside => layer_layout,
        };
        made.entry(variant)
            .or_insert_with(|| pipeline(device, module, layout, *target, variant))
    }
}

fn pipeline(
    device: &wgpu::Device,
    module: &wgpu::ShaderModule,
    layout: &wgpu::PipelineLayout,
    target: wgpu::TextureFormat,
    variant: Variant,
) -> wgpu::RenderPipeline {
    let (entry_point, format) = match variant {
        Variant::Beside => ("beside_fragment", target),
        Variant::Picture { .. } => ("picture_fragment", target),
        Variant::Layer { .. } => ("layer_fragment", layer::FORMAT),
    };
    let constants = variant.constants(target);
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("viewport"),
        layout: Some(layout),
        vertex: wgpu::VertexState {
            module,
            entry_point: Some("vertex"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module,
            entry_point: Some(entry_point),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                ..wgpu::PipelineCompilationOptions::default()
            },
            targets: &[Some(wgpu::ColorTargetState {
                format,
                blend: None,
                write_mask: wgpu::ColorWrites::ALL,
            })],
        }),
        multiview_mask: None,
        cache: None,
    })
}
