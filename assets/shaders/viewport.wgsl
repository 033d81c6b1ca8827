// The picture and what lies on it, in one pass: stored values through the greyscale pipeline of DICOM PS3.3 C.11,
// then the activation map, the lung fill and the lung contour. Positions are in image pixels.

struct View {
    // xy: image pixels per physical pixel; zw: image position of the window's physical origin.
    image_from_px: vec4<f32>,
    // Columns, rows, level to read, 1 for an RGB picture.
    picture: vec4<u32>,
    // VOI: sample at the centre, slope per sample, sign of the slope, smooth (1) or pixels as they are (0).
    voi: vec4<f32>,
    // VOI mode, 1 to exchange black and white, 1 for an sRGB target, 1 if there are overlays.
    modes: vec4<u32>,
    // Fill alpha, contour alpha, half the contour's width in image pixels (x, y).
    mask: vec4<f32>,
    // Opacity, threshold, row of the colour map, 1 to draw it.
    map: vec4<f32>,
    right_lung: vec4<f32>,
    left_lung: vec4<f32>,
    other_lung: vec4<f32>,
}

// Keep in sync with `VoiMode` in render/uniforms.rs.
const LINEAR: u32 = 0u;
const STEP: u32 = 1u;
const SIGMOID: u32 = 2u;
const TABLE: u32 = 3u;

@group(0) @binding(0) var<uniform> view: View;
// R16Uint stored values (offset binary) or RGBA8Uint, one level per power of two.
@group(0) @binding(1) var samples: texture_2d<u32>;
// 65,536 display values, 256 a row: the whole look-up of a VOI LUT Sequence item.
@group(0) @binding(2) var voi_table: texture_2d<u32>;
// Lung labels: 0 outside, 1 right, 2 left, 3 other.
@group(0) @binding(3) var labels: texture_2d<u32>;
// Shares of the activation map's maximum, 65535 = maximum.
@group(0) @binding(4) var shares: texture_2d<u32>;
// One colour map a row.
@group(0) @binding(5) var colour_maps: texture_2d<f32>;

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    // One triangle over the whole viewport.
    let corner = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    return vec4<f32>(corner * 2.0 - 1.0, 0.0, 1.0);
}

fn display_of(sample: u32) -> f32 {
    let distance = (f32(sample) - view.voi.x) * view.voi.y;
    switch view.modes.x {
        case LINEAR: { return clamp(distance + 0.5, 0.0, 1.0); }
        case STEP: { return select(0.0, 1.0, (f32(sample) - view.voi.x) * view.voi.z > 0.0); }
        case SIGMOID: { return 1.0 / (1.0 + exp(-4.0 * distance)); }
        default: {
            return f32(textureLoad(voi_table, vec2<u32>(sample & 255u, sample >> 8u), 0).r) / 65535.0;
        }
    }
}

fn colour_of(texel: vec2<i32>) -> vec3<f32> {
    let level = i32(view.picture.z);
    let last = max(vec2<i32>(view.picture.xy >> vec2<u32>(view.picture.z)), vec2<i32>(1)) - 1;
    let sample = textureLoad(samples, clamp(texel, vec2<i32>(0), last), level);
    if view.picture.w == 1u {
        return vec3<f32>(sample.rgb) / 255.0;
    }
    return vec3<f32>(display_of(sample.r));
}

// Smooth means bilinear between display values, after the look-up: no grey appears that the window does not give
// the neighbours.
fn picture_at(position: vec2<f32>) -> vec3<f32> {
    let scaled = position / f32(1u << view.picture.z);
    if view.voi.w == 0.0 {
        return colour_of(vec2<i32>(floor(scaled)));
    }
    let corner = floor(scaled - 0.5);
    let share = scaled - 0.5 - corner;
    let texel = vec2<i32>(corner);
    let above = mix(colour_of(texel), colour_of(texel + vec2<i32>(1, 0)), share.x);
    let below = mix(colour_of(texel + vec2<i32>(0, 1)), colour_of(texel + vec2<i32>(1, 1)), share.x);
    return mix(above, below, share.y);
}

fn label_at(position: vec2<f32>) -> u32 {
    let texel = vec2<i32>(floor(position));
    if any(texel < vec2<i32>(0)) || any(texel >= vec2<i32>(view.picture.xy)) {
        return 0u;
    }
    return textureLoad(labels, texel, 0).r;
}

fn lung_colour(label: u32) -> vec3<f32> {
    switch label {
        case 1u: { return view.right_lung.rgb; }
        case 2u: { return view.left_lung.rgb; }
        default: { return view.other_lung.rgb; }
    }
}

fn with_map(under: vec3<f32>, position: vec2<f32>) -> vec3<f32> {
    let share = f32(textureLoad(shares, vec2<i32>(floor(position)), 0).r) / 65535.0;
    if share <= 0.0 || share < view.map.y {
        return under;
    }
    let colour = textureLoad(colour_maps, vec2<i32>(i32(share * 255.0 + 0.5), i32(view.map.z)), 0).rgb;
    return mix(under, colour, view.map.x * sqrt(share));
}

// The contour runs along the edges of the mask's pixels: a fragment belongs to it if any of eight points on a
// circle of half its width has another label.
fn with_mask(under: vec3<f32>, position: vec2<f32>) -> vec3<f32> {
    let own = label_at(position);
    var colour = under;
    if own != 0u {
        colour = mix(under, lung_colour(own), view.mask.x);
    }
    var others = 0.0;
    var neighbour = own;
    for (var i = 0; i < 8; i++) {
        let angle = f32(i) * 0.78539816;
        let label = label_at(position + vec2<f32>(cos(angle), sin(angle)) * view.mask.zw);
        if label != own {
            others += 1.0;
            neighbour = max(label, own);
        }
    }
    if others > 0.0 {
        colour = mix(colour, lung_colour(neighbour), view.mask.y * min(others * 0.5, 1.0));
    }
    return colour;
}

fn linear_from_gamma(gamma: vec3<f32>) -> vec3<f32> {
    let low = gamma / 12.92;
    let high = pow((gamma + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, gamma <= vec3<f32>(0.04045));
}

@fragment
fn fragment(@builtin(position) px: vec4<f32>) -> @location(0) vec4<f32> {
    let position = px.xy * view.image_from_px.xy + view.image_from_px.zw;
    if any(position < vec2<f32>(0.0)) || any(position >= vec2<f32>(view.picture.xy)) {
        return vec4<f32>(0.0, 0.0, 0.0, 1.0);
    }
    var colour = picture_at(position);
    if view.modes.y == 1u {
        colour = 1.0 - colour;
    }
    if view.modes.w == 1u {
        if view.map.w == 1.0 {
            colour = with_map(colour, position);
        }
        if view.mask.y > 0.0 {
            colour = with_mask(colour, position);
        }
    }
    if view.modes.z == 1u {
        colour = linear_from_gamma(colour);
    }
    return vec4<f32>(colour, 1.0);
}
