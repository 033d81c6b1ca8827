// The picture and what lies on it, in two passes. One draws a layer when what lies there changes: what the file's shutter
// hides, the activation map, the lung fill, the lung contour and the file's overlay planes, as a colour and the share of
// the picture that is left under it. The other draws every frame: stored values through the greyscale pipeline of DICOM
// PS3.3 C.11, and the layer over them. Positions are in image pixels.

struct View {
    // Image pixels per physical pixel, along the image's x and y (xy).
    image_per_px: vec4<f32>,
    // Image x, and y, of a physical position: factors of its x and y (xy), and what is added (z).
    image_x: vec4<f32>,
    image_y: vec4<f32>,
    // Columns, rows, level to read, 1 to exchange black and white.
    picture: vec4<u32>,
    // VOI: sample at the centre, slope per sample, sign of the slope.
    voi: vec4<f32>,
    // Fill alpha, contour alpha, half the contour's width in image pixels (x, y).
    mask: vec4<f32>,
    // Opacity, threshold, row of the colour map.
    map: vec4<f32>,
    right_lung: vec4<f32>,
    left_lung: vec4<f32>,
    other_lung: vec4<f32>,
    planes: vec4<f32>,
    // In place of what is hidden.
    shutter: vec4<f32>,
}

// What a frame needs: a pipeline is made of no more. A software renderer runs every branch for every fragment and
// throws away what is not taken. Keep in sync with `Variant` in render/pipelines.rs.
override TEXEL: u32 = 0u;
override VOI: u32 = 0u;
override SMOOTH: bool = false;
override LAYERED: bool = false;
override SRGB_TARGET: bool = false;
override MAP: bool = false;
override MASK: bool = false;
override PLANES: bool = false;
override SHUTTER: bool = false;

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
// As large as the target: what is added to the picture's colour (rgb), and the picture's share (a).
@group(1) @binding(0) var layer: texture_2d<f32>;

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    // One triangle over the whole viewport.
    let corner = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    return vec4<f32>(corner * 2.0 - 1.0, 0.0, 1.0);
}

fn display_of(sample: u32) -> f32 {
    let value = select(f32(sample), bitcast<f32>(sample), TEXEL == REAL);
    let distance = (value - view.voi.x) * view.voi.y;
    switch VOI {
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
    if TEXEL == COLOUR {
        return vec3<f32>(sample.rgb) / 255.0;
    }
    return vec3<f32>(display_of(sample.r));
}

// Smooth means bilinear between display values, after the look-up: no grey appears that the window does not give
// the neighbours.
fn picture_at(position: vec2<f32>) -> vec3<f32> {
    let scaled = position / f32(1u << view.picture.z);
    if !SMOOTH {
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

// A layer with a colour over all of it.
fn covered(under: vec4<f32>, colour: vec3<f32>, alpha: f32) -> vec4<f32> {
    return vec4<f32>(mix(under.rgb, colour, alpha), under.a * (1.0 - alpha));
}

fn with_map(under: vec4<f32>, position: vec2<f32>) -> vec4<f32> {
    let share = f32(textureLoad(shares, vec2<i32>(floor(position)), 0).r) / 65535.0;
    if share <= 0.0 || share < view.map.y {
        return under;
    }
    let colour = textureLoad(colour_maps, vec2<i32>(i32(share * 255.0 + 0.5), i32(view.map.z)), 0).rgb;
    return covered(under, colour, view.map.x * sqrt(share));
}

// The contour runs along the edges of the mask's pixels: a fragment belongs to it if any of eight points on a
// circle of half its width has another label.
fn with_mask(under: vec4<f32>, position: vec2<f32>) -> vec4<f32> {
    let own = label_at(position);
    var colour = under;
    if own != 0u {
        colour = covered(under, lung_colour(own), view.mask.x);
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
        colour = covered(colour, lung_colour(neighbour), view.mask.y * min(others * 0.5, 1.0));
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

fn position_of(px: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(dot(px, view.image_x.xy) + view.image_x.z, dot(px, view.image_y.xy) + view.image_y.z);
}

fn is_beside_picture(position: vec2<f32>) -> bool {
    return any(position < vec2<f32>(0.0)) || any(position >= vec2<f32>(view.picture.xy));
}

@fragment
fn layer_fragment(@builtin(position) px: vec4<f32>) -> @location(0) vec4<f32> {
    let position = position_of(px.xy);
    var colour = vec4<f32>(0.0, 0.0, 0.0, 1.0);
    if is_beside_picture(position) {
        return colour;
    }
    if SHUTTER && is_hidden(position) {
        colour = vec4<f32>(view.shutter.rgb, 0.0);
    }
    if MAP {
        colour = with_map(colour, position);
    }
    if MASK {
        colour = with_mask(colour, position);
    }
    if PLANES && has_plane(position) {
        colour = vec4<f32>(view.planes.rgb, 0.0);
    }
    return colour;
}

@fragment
fn picture_fragment(@builtin(position) px: vec4<f32>) -> @location(0) vec4<f32> {
    let position = position_of(px.xy);
    if is_beside_picture(position) {
        return vec4<f32>(0.0, 0.0, 0.0, 1.0);
    }
    var colour = picture_at(position);
    if view.picture.w == 1u {
        colour = 1.0 - colour;
    }
    if LAYERED {
        let over = textureLoad(layer, vec2<i32>(px.xy), 0);
        colour = colour * over.a + over.rgb;
    }
    if SRGB_TARGET {
        colour = linear_from_gamma(colour);
    }
    return vec4<f32>(colour, 1.0);
}

// Black beside the picture, without asking every fragment where it lies.
@fragment
fn beside_fragment() -> @location(0) vec4<f32> {
    return vec4<f32>(0.0, 0.0, 0.0, 1.0);
}
