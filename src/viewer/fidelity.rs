//! How true the picture on the screen is to the stored pixels: one word, and the reasons for it. Pure functions.

use crate::imaging::{Radiograph, Samples};

use super::viewport::ImageTransform;

/// The word, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fidelity {
    /// Something was lost before the file was written.
    Lossy,
    /// The file is silent or contradicts itself, and something was assumed.
    Assumed,
    /// The screen has fewer pixels than the picture.
    Downscaled,
    /// Pixels were stretched or blended to fit the screen.
    Resampled,
    /// Every stored pixel is seen as it is.
    Exact,
}

/// The word with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The worst of what applies.
    pub word: Fidelity,
    /// Sentences, each saying what is so and, where something helps, what does.
    pub reasons: Vec<String>,
}

impl Fidelity {
    /// As it stands on the picture.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Lossy => "Lossy",
            Self::Assumed => "Assumed",
            Self::Downscaled => "Downscaled",
            Self::Resampled => "Resampled",
            Self::Exact => "Exact",
        }
    }
}

/// Judges a picture at a place on the screen; `shutter` says whether the file's shutter, if it has one, is closed.
pub fn judge(radiograph: &Radiograph, transform: &ImageTransform, shutter: bool) -> Judgement {
    let mut found = Vec::new();
    if let Some(lossy) = &radiograph.acquisition.lossy {
        found.push((Fidelity::Lossy, format!("{lossy} What was lost does not come back.")));
    }
    found.extend(
        radiograph
            .warnings
            .iter()
            .map(|warning| (Fidelity::Assumed, warning.clone())),
    );
    if let Some(scaled) = scaled(radiograph, transform) {
        found.push(scaled);
    }
    let word = found.iter().map(|(word, _)| *word).min().unwrap_or(Fidelity::Exact);
    let mut reasons: Vec<String> = found.into_iter().map(|(_, reason)| reason).collect();
    if reasons.is_empty() {
        reasons.push("Every stored pixel is on the screen, and nothing was lost or assumed.".to_owned());
    }
    if shutter && radiograph.shutter.is_some() {
        reasons.push("The file's shutter hides a part of the picture: View > Shutter shows it.".to_owned());
    }
    reasons.extend(greys(radiograph));
    Judgement { word, reasons }
}

/// What became of the pixels on their way to the screen.
fn scaled(radiograph: &Radiograph, transform: &ImageTransform) -> Option<(Fidelity, String)> {
    let [across, down] = transform.px_per_image;
    let least = across.min(down);
    if least < 1.0 {
        let share = (across.min(1.0) * down.min(1.0) * 100.0).max(0.1);
        let reason = format!(
            "The screen shows one pixel for {:.1} of the picture ({share:.1} %): zoom to 1:1 for all.",
            100.0 / share
        );
        return Some((Fidelity::Downscaled, reason));
    }
    if radiograph.pixel_aspect != 1.0 {
        let aspect = radiograph.pixel_aspect;
        let reason = format!("Pixels are {aspect:.3} times as high as wide, and are shown in their true shape.");
        return Some((Fidelity::Resampled, reason));
    }
    let whole = across.fract() == 0.0 && down.fract() == 0.0;
    (!whole).then(|| {
        let reason =
            format!("One pixel of the picture covers {across:.2} of the screen: zoom to 1:1 for its own pixels.");
        (Fidelity::Resampled, reason)
    })
}

/// What a screen of 256 greys cannot show at once.
fn greys(radiograph: &Radiograph) -> Option<String> {
    let more = match &radiograph.samples {
        Samples::Grey(_) => radiograph.bits_stored > 8,
        Samples::Wide(_) => true,
        Samples::Colour(_) => false,
    };
    more.then(|| "The screen has 256 greys, the picture more: narrow the window to tell them apart.".to_owned())
}
