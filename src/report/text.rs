//! Text on a picture: one typeface, anti-aliased. Knows no layout beyond a line.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

/// A typeface at one size.
pub(super) struct Text {
    font: FontRef<'static>,
    scale: PxScale,
}

impl Text {
    /// The plain typeface, `px` pixels from ascent to descent.
    ///
    /// # Panics
    /// Never: the font is part of the program.
    pub(super) fn new(px: f32) -> Self {
        let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT);
        Self {
            font: font.expect("the built-in font is well-formed"),
            scale: PxScale::from(px),
        }
    }

    /// Width of a line in pixels.
    pub(super) fn width(&self, line: &str) -> f32 {
        let font = self.font.as_scaled(self.scale);
        line.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
    }

    /// Pixels from a line's upper edge to its base line.
    pub(super) fn ascent(&self) -> f32 {
        self.font.as_scaled(self.scale).ascent()
    }

    /// Pixels from one line to the next.
    pub(super) fn line_height(&self) -> u32 {
        (self.scale.y * 1.25).ceil() as u32
    }

    /// Draws a line with its upper left corner at `(x, y)`; what lies outside the picture is left out.
    pub(super) fn draw(&self, picture: &mut RgbImage, (x, y): (u32, u32), line: &str, color: Rgb<u8>) {
        let font = self.font.as_scaled(self.scale);
        let mut pen = point(x as f32, y as f32 + font.ascent());
        for character in line.chars() {
            let id = font.glyph_id(character);
            if let Some(outline) = self.font.outline_glyph(id.with_scale_and_position(self.scale, pen)) {
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, coverage| {
                    blend(
                        picture,
                        (corner.x as i64 + dx as i64, corner.y as i64 + dy as i64),
                        color,
                        coverage,
                    );
                });
            }
            pen.x += font.h_advance(id);
        }
    }

    /// Breaks words into lines of at most `width` pixels; a word longer than that stands alone.
    pub(super) fn wrap(&self, text: &str, width: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}")) <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }
}

/// Mixes a colour into a pixel, if it lies on the picture; `share` of the new colour in 0..=1.
pub(super) fn blend(picture: &mut RgbImage, (x, y): (i64, i64), color: Rgb<u8>, share: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
        return;
    };
    if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
        let share = share.clamp(0.0, 1.0);
        for (old, new) in pixel.0.iter_mut().zip(color.0) {
            *old = (f32::from(*old) * (1.0 - share) + f32::from(new) * share).round() as u8;
        }
    }
}
