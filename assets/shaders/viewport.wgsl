// The picture and what lies on it, in one pass: stored values through the greyscale pipeline of DICOM PS3.3 C.11,
// then what the file's shutter hides, the activation map, the lung fill, the lung contour and the file's overlay planes.
// Positions are in image pixels.

struct View {
    // Image pixels per physical pixel, along the image's x and y (xy).
    image_per_px: vec4<f32>,
    // Image x, and y, of a physical position: factors of its x and y (xy), and what is added (z).
    image_x: vec4<f32>,
    image_y: vec4<f32>,
    // Columns, rows, level to read, what a texel is.
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
    // Colour, 1 to draw them.
    planes: vec4<f32>,
    // Colour in place of what is hidden, 1 to hide it.
    shutter: vec4<f32>,
}

// Keep in sync with `VoiMode` in render/uniforms.rs.
const LINEAR: u32 = 0u;
const STEP: u32 = 1u;
const SIGMOID: u32 = 2u;
const TABLE: u32 = 3u;

// Keep in sync with `Texel` in render/uniforms.rs.
const COLOUR: u32 = 1u;
const REAL: u32 = 2u;

@group(0) @binding(0) var<uniform> view: View;
// R16Uint stored values (offset binary), R32Uint bits of floats or RGBA8Uint, one level per power of two.
@group(0) @binding(1) var samples: texture_2d<u32>;
// 65,536 display values, 256 a row: the whole look-up where it is no line.
@group(0) @binding(2) var voi_table: texture_2d<u32>;
// Lung labels: 0 outside, 1 right, 2 left, 3 other.
@group(0) @binding(3) var labels: texture_2d<u32>;
// Shares of the activation map's maximum, 65535 = maximum.
@group(0) @binding(4) var shares: texture_2d<u32>;
// One colour map a row.
@group(0) @binding(5) var colour_maps: texture_2d<f32>;
// What the file draws: bit 0 overlay planes, in levels as of the picture; bit 1 hidden by a shutter, in the first.
@group(0) @binding(6) var graphics: texture_2d<u32>;

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    // One triangle over the whole viewport.
    let corner = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    return vec4<f32>(corner * 2.0 - 1.0, 0.0, 1.0);
}

fn display_of(sample: u32) -> f32 {
    let value = select(f32(sample), bitcast<f32>(sample), view.picture.w == REAL);
    let distance = (value - view.voi.x) * view.voi.y;
    switch view.modes.x {
        case LINEAR: { return clamp(distance + 0.5, 0.0, 1.0); }
        case STEP: { return select(0.0, 1.0, (value - view.voi.x) * view.voi.z > 0.0); }
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
    if view.picture.w == COLOUR {
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

fn is_hidden(position: vec2<f32>) -> bool {
    return (textureLoad(graphics, vec2<i32>(floor(position)), 0).r & 2u) != 0u;
}

// From 1:1 on, pixels of a plane are drawn as they lie. Zoomed out, a fragment is set if any pixel that it covers is:
// thin lines would come and go otherwise.
fn has_plane(position: vec2<f32>) -> bool {
    if all(view.image_per_px.xy <= vec2<f32>(1.0)) {
        return (textureLoad(graphics, vec2<i32>(floor(position)), 0).r & 1u) != 0u;
    }
    let level = i32(view.picture.z);
    let last = max(vec2<i32>(view.picture.xy >> vec2<u32>(view.picture.z)), vec2<i32>(1)) - 1;
    let scale = f32(1u << view.picture.z);
    // A fragment that ends where a texel begins does not cover it.
    let half = view.image_per_px.xy * 0.5 / scale - 0.001;
    let first = clamp(vec2<i32>(floor(position / scale - half)), vec2<i32>(0), last);
    let end = clamp(vec2<i32>(floor(position / scale + half)), vec2<i32>(0), last);
    for (var y = first.y; y <= end.y; y++) {
        for (var x = first.x; x <= end.x; x++) {
            if (textureLoad(graphics, vec2<i32>(x, y), level).r & 1u) != 0u {
                return true;
            }
        }
    }
    return false;
}

fn linear_from_gamma(gamma: vec3<f32>) -> vec3<f32> {
    let low = gamma / 12.92;
    let high = pow((gamma + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, gamma <= vec3<f32>(0.04045));
}

@fragment
fn fragment(@builtin(position) px: vec4<f32>) -> @location(0) vec4<f32> {
    let position = vec2<f32>(dot(px.xy, view.image_x.xy) + view.image_x.z, dot(px.xy, view.image_y.xy) + view.image_y.z);
    if any(position < vec2<f32>(0.0)) || any(position >= vec2<f32>(view.picture.xy)) {
        return vec4<f32>(0.0, 0.0, 0.0, 1.0);
    }
    var colour = picture_at(position);
    if view.modes.y == 1u {
        colour = 1.0 - colour;
    }
    if view.shutter.w == 1.0 && is_hidden(position) {
        colour = view.shutter.rgb;
    }
    if view.modes.w == 1u {
        if view.map.w == 1.0 {
            colour = with_map(colour, position);
        }
        if view.mask.y > 0.0 {
            colour = with_mask(colour, position);
        }
    }
    if view.planes.w == 1.0 && has_plane(position) {
        colour = view.planes.rgb;
    }
    if view.modes.z == 1u {
        colour = linear_from_gamma(colour);
    }
    return vec4<f32>(colour, 1.0);
}
