//! Textures of the viewport, made anew only when what they show has changed.

use eframe::wgpu;

use crate::viewer::overlays::file_graphics::FileGraphics;
use crate::viewer::overlays::{Colormap, OverlayPixels};
use crate::viewer::picture::{Levels, Picture, level_size};

/// Entries of a colour map row.
const MAP_ENTRIES: usize = 256;
/// Side of the square that holds a table of 65,536 entries.
const TABLE_SIDE: u32 = 256;

/// A two-dimensional texture that the fragment shader reads by texel, and that is filled from here.
pub(super) fn texture(
    device: &wgpu::Device,
    label: &str,
    size: [u32; 2],
    levels: u32,
    format: wgpu::TextureFormat,
) -> wgpu::Texture {
    filled_by(wgpu::TextureUsages::COPY_DST, device, label, size, levels, format)
}

/// The same, filled in another way.
pub(super) fn filled_by(
    source: wgpu::TextureUsages,
    device: &wgpu::Device,
    label: &str,
    [width, height]: [u32; 2],
    levels: u32,
    format: wgpu::TextureFormat,
) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some(label),
        size: wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        },
        mip_level_count: levels,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | source,
        view_formats: &[],
    })
}

/// Writes one level.
fn write(queue: &wgpu::Queue, texture: &wgpu::Texture, level: u32, [width, height]: [u32; 2], bytes: &[u8]) {
    queue.write_texture(
        wgpu::TexelCopyTextureInfo {
            texture,
            mip_level: level,
            origin: wgpu::Origin3d::ZERO,
            aspect: wgpu::TextureAspect::All,
        },
        bytes,
        wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(bytes.len() as u32 / height),
            rows_per_image: Some(height),
        },
        wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        },
    );
}

/// Stored values of a picture with all its levels.
pub(super) fn picture(device: &wgpu::Device, queue: &wgpu::Queue, picture: &Picture) -> wgpu::Texture {
    let size = [picture.radiograph.width, picture.radiograph.height];
    let format = match &picture.levels {
        Levels::Grey(_) => wgpu::TextureFormat::R16Uint,
        // The bits of the floats: one binding serves integers and floats alike.
        Levels::Real(_) => wgpu::TextureFormat::R32Uint,
        Levels::Colour(_) => wgpu::TextureFormat::Rgba8Uint,
    };
    let texture = texture(device, "picture", size, picture.level_count(), format);
    for level in 0..picture.level_count() {
        let bytes: &[u8] = match &picture.levels {
            Levels::Grey(levels) => bytemuck::cast_slice(&levels[level as usize]),
            Levels::Real(levels) => bytemuck::cast_slice(&levels[level as usize]),
            Levels::Colour(levels) => levels[level as usize].as_flattened(),
        };
        write(queue, &texture, level, level_size(size, level), bytes);
    }
    texture
}

/// What the file draws on its picture, with all levels.
pub(super) fn graphics(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    size: [u32; 2],
    graphics: &FileGraphics,
) -> wgpu::Texture {
    let count = graphics.levels.len() as u32;
    let texture = texture(device, "file graphics", size, count, wgpu::TextureFormat::R8Uint);
    for (level, texels) in (0..).zip(&graphics.levels) {
        write(queue, &texture, level, level_size(size, level), texels);
    }
    texture
}

/// Display values of every sample, 65535 = white.
pub(super) fn voi_table(device: &wgpu::Device, queue: &wgpu::Queue, table: &[u16]) -> wgpu::Texture {
    let size = [TABLE_SIDE; 2];
    let texture = texture(device, "voi table", size, 1, wgpu::TextureFormat::R16Uint);
    write(queue, &texture, 0, size, bytemuck::cast_slice(table));
    texture
}

/// Lung labels and shares of the activation map.
pub(super) fn overlay(device: &wgpu::Device, queue: &wgpu::Queue, overlay: &OverlayPixels) -> [wgpu::Texture; 2] {
    let labels = texture(device, "lung labels", overlay.size, 1, wgpu::TextureFormat::R8Uint);
    write(queue, &labels, 0, overlay.size, &overlay.labels);
    let shares = texture(
        device,
        "activation shares",
        overlay.size,
        1,
        wgpu::TextureFormat::R16Uint,
    );
    write(queue, &shares, 0, overlay.size, bytemuck::cast_slice(&overlay.map));
    [labels, shares]
}

/// All colour maps, one a row.
pub(super) fn colour_maps(device: &wgpu::Device, queue: &wgpu::Queue) -> wgpu::Texture {
    let size = [MAP_ENTRIES as u32, Colormap::ALL.len() as u32];
    let texture = texture(device, "colour maps", size, 1, wgpu::TextureFormat::Rgba8Unorm);
    let texels: Vec<[u8; 4]> = Colormap::ALL
        .iter()
        .flat_map(|map| map.table())
        .map(|[r, g, b]| [r, g, b, u8::MAX])
        .collect();
    write(queue, &texture, 0, size, texels.as_flattened());
    texture
}
