//! Numbers as the window prints them: the one place that formats findings.

use std::time::Duration;

use crate::findings::Decision;
use crate::imaging::{PixelSpacing, VoiTransform};
use crate::viewer::picture::Preset;

/// Written under the picture, always.
pub const RESEARCH_ONLY: &str = "Research use only, not a diagnosis";
/// What a dash stands for: nothing is known.
pub const UNKNOWN: &str = "-";

/// A probability, ratio, margin or share: three decimals.
pub fn number(value: f64) -> String {
    format!("{value:.3}")
}

/// As [`number`], a dash for what is not defined.
pub fn number_or_unknown(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), number)
}

/// The class a decision stands for, in words.
pub fn class(decision: Decision) -> &'static str {
    match decision {
        Decision::Covid19 => "COVID-19 class",
        Decision::Control => "Control class",
    }
}

/// Which side of the threshold the score lies on, in a sentence.
pub fn decision_sentence(decision: Decision) -> &'static str {
    match decision {
        Decision::Covid19 => "At or above this model version's threshold.",
        Decision::Control => "Below this model version's threshold.",
    }
}

/// What the share of the activation in the lungs means beside its chance level, in a sentence.
pub fn in_lung_sentence(ratio: f64, chance: Option<f64>) -> &'static str {
    match chance {
        Some(chance) if ratio < chance => "The network responded less in the lungs than by chance.",
        Some(chance) if ratio > chance => "The network responded more in the lungs than by chance.",
        _ => "The network responded in the lungs as by chance.",
    }
}

/// A message as a sentence: with a capital letter and a full stop.
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let Some(first) = letters.next() else {
        return String::new();
    };
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

/// An area as a share of the picture, and in cm² where the spacing is known, with the word that says which.
pub fn area(pixels: u64, picture: u64, spacing: Option<PixelSpacing>) -> String {
    let share = 100.0 * pixels as f64 / picture.max(1) as f64;
    match spacing {
        Some(spacing) => {
            let square_cm = pixels as f64 * spacing.row_mm * spacing.column_mm / 100.0;
            format!("{share:.1} %  {square_cm:.0} cm²")
        }
        None => format!("{share:.1} % of the picture"),
    }
}

/// A duration, short.
pub fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 10_000.0 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.1} s", milliseconds / 1000.0)
    }
}

/// The first eight characters of a hash.
pub fn short_hash(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

/// A value of the picture: whole numbers without decimals.
pub fn picture_value(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// A DICOM date, `YYYYMMDD`, as `YYYY-MM-DD`; anything else as it is.
pub fn date(dicom: &str) -> String {
    match (dicom.get(..4), dicom.get(4..6), dicom.get(6..8)) {
        (Some(year), Some(month), Some(day)) if dicom.len() == 8 => format!("{year}-{month}-{day}"),
        _ => dicom.to_owned(),
    }
}

/// Width and centre, or the name of a table.
pub fn window(voi: Option<&VoiTransform>) -> String {
    match voi {
        None => "RGB".to_owned(),
        Some(VoiTransform::Window(window)) => format!("W {:.0}  L {:.0}", window.width, window.center),
        Some(VoiTransform::Table(table)) => format!("LUT, {} entries", table.entries.len()),
    }
}

/// The preset's name, or that the window was set by hand.
pub fn preset(preset: Option<&Preset>) -> &str {
    preset.map_or("Set by hand", |preset| &preset.name)
}

/// Zoom as a percentage.
pub fn zoom(zoom: f64) -> String {
    if (zoom - 1.0).abs() < 1e-9 {
        "1:1".to_owned()
    } else {
        format!("{:.0} %", zoom * 100.0)
    }
}
