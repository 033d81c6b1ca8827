//! Sentences for the reader about a result: what the networks were not made for, and what looks wrong. No identity.

use crate::findings::{ActivationMap, Lungs};
use crate::imaging::Radiograph;

/// Below this share of the picture a lung mask is not plausible (a frontal chest X-ray has 0.15 to 0.5).
const SMALL_LUNGS: f64 = 0.05;
/// Above this share neither.
const LARGE_LUNGS: f64 = 0.75;
/// Factor between the picture's sides from which it hardly is a chest X-ray.
const ODD_SHAPE: f64 = 2.5;
/// Shorter side from which a picture holds enough for the networks.
const SMALL_SIDE_PX: u32 = 128;
/// Younger patients are children.
const ADULT_YEARS: i64 = 18;

/// Everything worth saying beside the findings.
pub(super) fn about(image: &Radiograph, lungs: &Lungs, lung_share: f64, map: &ActivationMap) -> Vec<String> {
    let mut sentences = vec![];
    let mut say = |condition: bool, sentence: &str| {
        if condition {
            sentences.push(sentence.to_owned());
        }
    };
    say(
        is_decubitus(image),
        "Decubitus view: the networks were trained on upright and supine pictures.",
    );
    say(
        is_child(image),
        "The patient is a child: the networks are meant for adults.",
    );
    say(
        image.width.min(image.height) < SMALL_SIDE_PX,
        "The picture is very small: the result is not reliable.",
    );
    let ratio = f64::from(image.width) / f64::from(image.height);
    say(
        !(1.0 / ODD_SHAPE..=ODD_SHAPE).contains(&ratio),
        "The picture's shape is unusual for a chest X-ray, and it is distorted for the networks.",
    );
    say(
        *lungs == Lungs::None,
        "No lung was found: the picture may not be a chest X-ray.",
    );
    say(
        matches!(lungs, Lungs::Merged(_)),
        "Right and left lung could not be told apart.",
    );
    say(
        *lungs != Lungs::None && !(SMALL_LUNGS..=LARGE_LUNGS).contains(&lung_share),
        "The lung mask has an implausible size.",
    );
    say(
        map.max <= 0.0,
        "The activation map of COVID-19 is empty: no cell speaks for the class.",
    );
    sentences
}

/// View Position (0018,5101) says that the patient lay on one side. Lateral and oblique views do not come this far:
/// they are out of scope.
fn is_decubitus(image: &Radiograph) -> bool {
    let view = image.acquisition.view_position.as_deref().unwrap_or_default();
    matches!(view.trim(), "LLD" | "RLD")
}

/// Whole years between birth and study are below [`ADULT_YEARS`]; unknown dates say nothing.
fn is_child(image: &Radiograph) -> bool {
    let day = |text: &Option<String>| -> Option<i64> {
        let digits = text.as_deref()?.trim();
        let is_date = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_date.then(|| digits.parse().ok()).flatten()
    };
    match (day(&image.identity.birth_date), day(&image.acquisition.study_date)) {
        (Some(birth), Some(study)) => (0..ADULT_YEARS * 10_000).contains(&(study - birth)),
        _ => false,
    }
}
