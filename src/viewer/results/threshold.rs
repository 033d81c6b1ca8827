//! Which threshold a promotion takes: the card's, or the slider's where it was chosen on the validation part.

use crate::training::evaluation::{Report, Thresholds};
use crate::training::runs::promotion::ThresholdChoice;
use crate::training::runs::split_warning;
use crate::viewer::wording;

use super::evaluated::Evaluated;

/// The part of the data that thresholds are chosen on.
const CHOSEN_ON: &str = "val";
/// Thresholds that lie closer are the same.
const SAME: f64 = 1e-9;

/// What a promotion makes of the slider's threshold.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// Nothing: the slider stands at the card's, or there is none.
    Card,
    /// It goes into the card of the installed model.
    Slider {
        /// The threshold, and the weights that it was chosen for.
        choice: ThresholdChoice,
        /// The card's, which it replaces.
        card: f64,
    },
    /// It stays out, since it was not chosen on the run's validation part.
    Refused {
        /// The slider's.
        slider: f64,
        /// The card's, which stays.
        card: f64,
        /// Why, as a sentence goes on after a colon.
        reason: String,
    },
}

impl Taken {
    /// What a promotion makes of the slider beside an evaluation.
    pub fn of(evaluated: &Evaluated, slider: f64) -> Self {
        let report = &evaluated.report;
        let (subject, card) = (&report.subject, report.subject.threshold);
        if is_same(slider, card) {
            return Self::Card;
        }
        if let Some(reason) = why_not(report) {
            return Self::Refused { slider, card, reason };
        }
        let choice = ThresholdChoice {
            threshold: slider,
            rule: format!("{} on the validation part", rule(report.evaluation.thresholds, slider)),
            version: subject.classifier_version.clone(),
            weights_sha256: subject.weights_sha256.clone(),
        };
        Self::Slider { choice, card }
    }

    /// The threshold instead of the card's.
    pub fn choice(&self) -> Option<&ThresholdChoice> {
        match self {
            Self::Slider { choice, .. } => Some(choice),
            Self::Card | Self::Refused { .. } => None,
        }
    }

    /// Whose threshold it is and why, to go on after its number; empty where nobody asked for another than the card's.
    pub fn words(&self) -> String {
        match self {
            Self::Card => String::new(),
            Self::Slider { choice, card } => format!(
                ", the slider's ({}), instead of the card's {}",
                choice.rule,
                wording::number(*card)
            ),
            Self::Refused { slider, reason, .. } => {
                let slider = wording::number(*slider);
                format!(", the card's, and not the slider's {slider}: {reason}")
            }
        }
    }

    /// What installing does, before it is done; `None` where nobody asked for another threshold than the card's.
    pub fn sentence(&self) -> Option<String> {
        let threshold = match self {
            Self::Card => return None,
            Self::Slider { choice, .. } => choice.threshold,
            Self::Refused { card, .. } => *card,
        };
        let number = wording::number(threshold);
        Some(format!("Installing takes threshold {number}{}.", self.words()))
    }
}

fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() < SAME
}

/// The rule that would choose this threshold, else the user.
fn rule(thresholds: Thresholds, slider: f64) -> &'static str {
    let is = |chosen: Option<f64>| chosen.is_some_and(|chosen| is_same(chosen, slider));
    if is(thresholds.youden) {
        "largest Youden index"
    } else if is(thresholds.f2) {
        "largest F2-score"
    } else {
        "chosen by the user"
    }
}

/// Why a threshold that was chosen on an evaluation stays out; `None` where it is of the run's validation part.
fn why_not(report: &Report) -> Option<String> {
    match report.subject.split.as_str() {
        CHOSEN_ON => split_warning(&report.origin)
            .map(|_| "the data are parted otherwise than those that the run learned from".to_owned()),
        "test" => Some("a threshold chosen on the test part makes its figures too good".to_owned()),
        split => Some(format!(
            "a threshold is chosen on the validation part, not on part '{split}'"
        )),
    }
}
