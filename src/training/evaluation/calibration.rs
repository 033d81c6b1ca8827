//! Temperature scaling (Guo et al. 2017): one number that makes probabilities mean what they say and changes no
//! decision. It is fitted on the validation part and travels in the model card.

use serde::{Deserialize, Serialize};

use crate::nn::ModelCard;
use crate::training::loss::sigmoid;

use super::Reliability;

/// Entry of the model card that holds it.
pub const CARD_KEY: &str = "calibration";
/// Lowest and highest temperature: beyond them the scores hold no information about their own certainty.
const RANGE: (f64, f64) = (0.02, 50.0);
/// Steps of the search; each leaves 0.618 of the interval.
const STEPS: usize = 80;

/// A temperature with what it was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What margins are divided by; above 1 where the network is too sure of itself.
    pub temperature: f64,
    /// Images that it was fitted on.
    pub images: usize,
    /// The part of the data they are: `val`.
    pub part: String,
    /// Mean negative log-likelihood before and after.
    pub nll: [f64; 2],
    /// Expected calibration error before and after, on the same images.
    pub ece: [Option<f64>; 2],
    /// SHA-256 of the weights that it belongs to.
    pub weights_sha256: String,
}

impl Calibration {
    /// The temperature with the smallest negative log-likelihood of the labels; `None` where one class is missing or
    /// no margin is finite.
    ///
    /// # Panics
    /// If there is not one truth per margin.
    pub fn fit(margins: &[f64], truth: &[bool], part: &str, weights_sha256: &str) -> Option<Self> {
        assert_eq!(margins.len(), truth.len(), "one truth per margin");
        let one_class = truth.iter().all(|&t| t) || truth.iter().all(|&t| !t);
        if one_class || margins.iter().any(|margin| !margin.is_finite()) {
            return None;
        }
        let temperature = minimum(|log| nll(margins, truth, log.exp())).exp();
        let ece = |temperature: f64| {
            let probabilities: Vec<f64> = margins.iter().map(|margin| sigmoid(margin / temperature)).collect();
            Reliability::of(&probabilities, truth, Reliability::BINS).ece
        };
        Some(Self {
            temperature,
            images: margins.len(),
            part: part.to_owned(),
            nll: [nll(margins, truth, 1.0), nll(margins, truth, temperature)],
            ece: [ece(1.0), ece(temperature)],
            weights_sha256: weights_sha256.to_owned(),
        })
    }

    /// The calibration in a card, if it has one and it was fitted for the card's weights.
    pub fn of_card(card: &ModelCard) -> Option<Self> {
        let found: Self = serde_json::from_value(card.details.get(CARD_KEY)?.clone()).ok()?;
        let usable = found.temperature.is_finite() && found.temperature > 0.0;
        (usable && found.weights_sha256.eq_ignore_ascii_case(&card.sha256)).then_some(found)
    }

    /// Calibrated probability of COVID-19 of a margin (logit of COVID-19 minus logit of control).
    pub fn probability(&self, margin: f64) -> f64 {
        sigmoid(margin / self.temperature)
    }
}

/// Mean negative log-likelihood of the labels at a temperature; does not overflow.
fn nll(margins: &[f64], truth: &[bool], temperature: f64) -> f64 {
    let loss = |(&margin, &positive): (&f64, &bool)| {
        let z = if positive { margin } else { -margin } / temperature;
        // ln(1 + exp(-z)) on the side where the exponential is small.
        (-z).max(0.0) + (-z.abs()).exp().ln_1p()
    };
    margins.iter().zip(truth).map(loss).sum::<f64>() / margins.len() as f64
}

/// Logarithm of the temperature with the smallest loss: golden-section search. The loss is convex in the inverse of
/// the temperature, so it has one minimum.
fn minimum(loss: impl Fn(f64) -> f64) -> f64 {
    let share = (5_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (RANGE.0.ln(), RANGE.1.ln());
    let (mut a, mut b) = (high - share * (high - low), low + share * (high - low));
    let (mut at_a, mut at_b) = (loss(a), loss(b));
    for _ in 0..STEPS {
        if at_a <= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - share * (high - low);
            at_a = loss(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + share * (high - low);
            at_b = loss(b);
        }
    }
    f64::midpoint(low, high)
}
