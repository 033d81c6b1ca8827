//! The figure: image, mask contour and map side by side with a colour bar and a caption. No identity on it.

use image::imageops::{self, FilterType};
use image::{ExtendedColorType, ImageBuffer, Luma, Rgb, RgbImage};

use crate::findings::{Findings, Mask};
use crate::imaging::Radiograph;

use super::colormap::Colormap;
use super::text::{Text, blend};
use super::{Error, NOTICE, png};

/// Longer side of a panel.
const PANEL_PX: u32 = 640;
/// Shorter side of a panel at least: very long pictures stay visible.
const MIN_PANEL_PX: u32 = 16;
/// Space between the parts.
const GAP_PX: u32 = 16;
/// Width of the colour bar.
const BAR_PX: u32 = 20;
/// Space for the numbers beside the colour bar.
const BAR_TEXT_PX: u32 = 64;
/// Type size of titles and caption.
const TEXT_PX: f32 = 18.0;
/// Largest share of the map's colour over the image; it grows with the value, so that the anatomy stays readable.
const MAP_OPACITY: f32 = 0.65;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb<u8> = Rgb([20, 22, 25]);
const CONTOUR: Rgb<u8> = Rgb([53, 208, 186]);
const COLORS: Colormap = Colormap::Inferno;

/// PNG with the image in the file's own window, the lung contour, the activation map, its colour bar and a caption.
///
/// # Errors
/// If the encoder fails.
pub fn figure_png(image: &Radiograph, findings: &Findings) -> Result<Vec<u8>, Error> {
    let grey = panel(image);
    let (width, height) = grey.dimensions();
    let text = Text::new(TEXT_PX);
    let title = text.line_height();
    let total_width = 3 * width + 5 * GAP_PX + BAR_PX + BAR_TEXT_PX;
    let lines: Vec<String> = caption(findings)
        .iter()
        .flat_map(|line| text.wrap(line, (total_width - 2 * GAP_PX) as f32))
        .collect();
    let top = GAP_PX + title;
    let total_height = top + height + 2 * GAP_PX + lines.len() as u32 * title;
    let mut figure = RgbImage::from_pixel(total_width, total_height, PAPER);

    let panels = [
        ("Image", grey.clone()),
        ("Lung mask", with_contour(grey.clone(), &findings.mask)),
        ("Activation map, COVID-19", with_map(grey, findings)),
    ];
    let mut x = GAP_PX;
    for (name, panel) in &panels {
        text.draw(&mut figure, (x, GAP_PX / 2), name, INK);
        imageops::replace(&mut figure, panel, i64::from(x), i64::from(top));
        x += width + GAP_PX;
    }
    draw_bar(&mut figure, (x, top), height, findings.activation.max, &text);
    for (line, y) in lines.iter().zip((top + height + GAP_PX..).step_by(title as usize)) {
        text.draw(&mut figure, (GAP_PX, y), line, INK);
    }
    png(figure.as_raw(), total_width, total_height, ExtendedColorType::Rgb8)
}

/// What stands below the panels.
fn caption(findings: &Findings) -> Vec<String> {
    let percent = |share: Option<f64>| share.map_or("undefined".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    let model = &findings.classifier;
    let hash: String = model.weights_sha256.chars().take(8).collect();
    vec![
        format!(
            "Score {:.2}, threshold {:.2}: {}. Margin {:+.2}.",
            findings.probabilities.covid19,
            findings.threshold,
            match findings.decision {
                crate::findings::Decision::Covid19 => "COVID-19 class",
                crate::findings::Decision::Control => "control class",
            },
            findings.margin
        ),
        format!(
            "Activation inside the lung mask {}, by chance {}. Lungs cover {:.0} % of the image.",
            percent(findings.in_lung.ratio),
            percent(findings.in_lung.chance),
            100.0 * findings.lung_area_fraction
        ),
        format!(
            "{} {} ({hash}), Grad-CAM of the COVID-19 logit at the last feature map: where the network responded.",
            model.name, model.version
        ),
        format!("{NOTICE}."),
    ]
}

/// The image in the file's own window as 8-bit grey, at the size of a panel.
fn panel(image: &Radiograph) -> RgbImage {
    let (width, height) = panel_size(image.width, image.height);
    if image.is_colour() {
        return RgbImage::from_pixel(width, height, INK);
    }
    let pixels = image.display(&image.default_voi());
    let full = ImageBuffer::<Luma<u8>, Vec<u8>>::from_raw(image.width, image.height, pixels);
    let full = full.expect("a radiograph holds width x height samples");
    let small = imageops::resize(&full, width, height, FilterType::Triangle);
    RgbImage::from_fn(width, height, |x, y| Rgb([small.get_pixel(x, y).0[0]; 3]))
}

fn panel_size(width: u32, height: u32) -> (u32, u32) {
    let scale = f64::from(PANEL_PX) / f64::from(width.max(height).max(1));
    let side = |px: u32| ((f64::from(px) * scale).round() as u32).clamp(MIN_PANEL_PX, PANEL_PX);
    (side(width), side(height))
}

/// Image pixel whose area holds the centre of a panel's pixel.
fn image_index(panel: u32, panel_side: u32, image_side: u32) -> usize {
    let position = (f64::from(panel) + 0.5) * f64::from(image_side) / f64::from(panel_side);
    (position as u32).min(image_side - 1) as usize
}

fn with_contour(mut panel: RgbImage, mask: &Mask) -> RgbImage {
    let (width, height) = panel.dimensions();
    let inside = |x: i64, y: i64| {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return false;
        };
        let column = image_index(x.min(width - 1), width, mask.width);
        let row = image_index(y.min(height - 1), height, mask.height);
        x < width && y < height && mask.pixels[row * mask.width as usize + column] != 0
    };
    for (x, y) in (0..i64::from(height)).flat_map(|y| (0..i64::from(width)).map(move |x| (x, y))) {
        let here = inside(x, y);
        // Both sides of the border are drawn: a line of two pixels.
        let neighbours = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
        if neighbours.iter().any(|&(x, y)| inside(x, y) != here) {
            blend(&mut panel, (x, y), CONTOUR, 1.0);
        }
    }
    panel
}

fn with_map(mut panel: RgbImage, findings: &Findings) -> RgbImage {
    let map = &findings.activation;
    let (width, height) = panel.dimensions();
    if map.max <= 0.0 {
        return panel;
    }
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
        let index = image_index(y, height, map.height) * map.width as usize + image_index(x, width, map.width);
        let value = map.values[index] / map.max;
        blend(
            &mut panel,
            (i64::from(x), i64::from(y)),
            Rgb(COLORS.rgb(value)),
            MAP_OPACITY * value.sqrt(),
        );
    }
    panel
}

/// A number in three digits, or `empty` for the maximum of an empty map.
fn short(max: f32) -> String {
    match max {
        max if max <= 0.0 => "empty".to_owned(),
        max if (0.01..1000.0).contains(&max) => format!("{max:.3}"),
        max => format!("{max:.1e}"),
    }
}

/// Colour bar from 0 (below) to the map's maximum (above).
fn draw_bar(figure: &mut RgbImage, (left, top): (u32, u32), height: u32, max: f32, text: &Text) {
    for y in 0..height {
        let value = 1.0 - (y as f32 + 0.5) / height as f32;
        for x in left..left + BAR_PX {
            figure.put_pixel(x, top + y, Rgb(COLORS.rgb(value)));
        }
    }
    let beside = left + BAR_PX + 6;
    text.draw(figure, (beside, top), &short(max), INK);
    let bottom = (top + height).saturating_sub(text.line_height());
    text.draw(figure, (beside, bottom), "0", INK);
}
