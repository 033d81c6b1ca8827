//! Numbers as the window prints them: the one place that formats findings.

use std::path::Path;
use std::time::Duration;

use crate::findings::Decision;
use crate::imaging::{PixelSpacing, VoiTransform};
use crate::inference::models::ClassifierName;
use crate::training::Task;
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

/// What to do in the window where a network is not there; `None` stands for the segmenter.
pub fn not_installed(classifier: Option<ClassifierName>) -> String {
    let phases = match classifier.map(ClassifierName::network) {
        None => "train 'Phase I: lung segmenter' with densenet121".to_owned(),
        Some((Task::Recovnet, encoder)) => {
            format!("train 'Phase I: lung segmenter' with {encoder}, then 'Phase II: ReCovNet' from it")
        }
        Some((_, encoder)) => format!("train 'Plain baseline' with {encoder}"),
    };
    format!("not installed: in the workspace Train, {phases}; then promote the run in Results")
}

/// What the file calls the overlay planes that it draws, as a line; empty without names.
pub fn overlay_planes(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => format!("Overlay plane: {name}"),
        _ => format!("Overlay planes: {}", names.join(", ")),
    }
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

/// The last part of a path.
pub fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// A length in millimetres, or centimetres from 10 cm on.
pub fn length(millimetres: f64) -> String {
    if millimetres < 100.0 {
        format!("{millimetres:.1} mm")
    } else {
        format!("{:.2} cm", millimetres / 10.0)
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

/// A time in seconds, in the two largest units that say something: `2 h 5 min`, `12 min`, `40 s`.
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..=89 => format!("{whole} s"),
        90..=5399 => format!("{} min", (whole + 30) / 60),
        5400..=172_799 => {
            let minutes = (whole + 30) / 60;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// How much time is left between a least and a most, in seconds.
pub fn time_left(least: f64, most: f64) -> String {
    let (least, most) = (seconds(least), seconds(most));
    if least == most {
        format!("about {most} left")
    } else {
        format!("{least} to {most} left")
    }
}

/// A share as a percentage: a decimal below ten.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// A whole number with its thousands set off: `124,616`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 study`, `1,204 studies`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Memory in MiB, in GiB from one on.
pub fn memory(mib: f64) -> String {
    if mib < 1024.0 {
        format!("{mib:.0} MiB")
    } else {
        format!("{:.1} GiB", mib / 1024.0)
    }
}

/// A metric's name as it is printed: `roc_auc` as 'ROC AUC', also before a stratum: `roc_auc in cohen`.
pub fn metric(name: &str) -> String {
    if let Some((name, stratum)) = name.split_once(' ') {
        return format!("{} {stratum}", metric(name));
    }
    match name {
        "roc_auc" => "ROC AUC".to_owned(),
        "iou" => "IoU".to_owned(),
        "hd95_px" => "HD95 in pixels".to_owned(),
        "hd95_mm" => "HD95 in mm".to_owned(),
        other => {
            let other = other.replace('_', " ");
            let mut letters = other.chars();
            let first = letters.next().map(|letter| letter.to_uppercase().to_string());
            first.unwrap_or_default() + letters.as_str()
        }
    }
}

/// Seconds since 1970 as date and time, UTC: `2026-11-25 16:04`.
pub fn moment(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar with years that begin in March (Howard Hinnant's algorithm).
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}", rest / 3600, rest % 3600 / 60)
}

/// A figure with its 95 % interval: `0.912 [0.880, 0.940]`.
pub fn with_interval(value: Option<f64>, interval: Option<(f64, f64)>) -> String {
    match (value, interval) {
        (Some(value), Some((low, high))) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        (value, _) => number_or_unknown(value),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_the_unit_that_matters() {
        let said = [0.4, 40.0, 100.0, 3600.0, 7500.0, 200_000.0].map(seconds);
        assert_eq!(said, ["0 s", "40 s", "2 min", "60 min", "2 h 5 min", "2 d 7 h"]);
        assert_eq!(time_left(60.0, 60.2), "about 60 s left");
        assert_eq!(time_left(600.0, 900.0), "10 min to 15 min left");
    }

    #[test]
    fn moments_are_dates_of_the_calendar() {
        let said = [0, 951_782_400, 1_795_622_640].map(moment);
        assert_eq!(said, ["1970-01-01 00:00", "2000-02-29 00:00", "2026-11-25 16:04"]);
    }

    #[test]
    fn what_is_not_installed_says_what_to_train_in_the_window() {
        let said = not_installed(Some(ClassifierName::RecovnetV2));
        assert!(said.contains("'Phase I: lung segmenter' with resnet50"), "{said}");
        assert!(said.contains("'Phase II: ReCovNet'"), "{said}");
        let said = not_installed(Some(ClassifierName::InceptionV3));
        assert!(said.contains("'Plain baseline' with inception_v3"), "{said}");
        assert!(!not_installed(None).contains("Phase II"));
    }

    #[test]
    fn thousands_are_set_off() {
        let said = [0, 999, 1000, 124_616, 1_000_000].map(count);
        assert_eq!(said, ["0", "999", "1,000", "124,616", "1,000,000"]);
    }
}
