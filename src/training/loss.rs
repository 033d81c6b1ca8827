//! The two losses with their gradients (paper section 2.3): binary focal + Dice for phase I, categorical
//! cross-entropy for phase II. Computed in f64, whatever the network's type.

use serde::{Deserialize, Serialize};

/// Probabilities are kept this far from 0 and 1 in the focal loss.
const CLIP: f64 = 1e-7;

/// Settings of both losses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Losses {
    /// Phase I.
    pub hybrid: Hybrid,
    /// Phase II.
    pub entropy: CrossEntropy,
}

/// Settings of the hybrid loss; by default those of `segmentation_models`'s `binary_focal_dice_loss`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hybrid {
    /// Weight of the focal loss in the sum.
    pub focal_weight: f64,
    /// Weight of the Dice loss in the sum.
    pub dice_weight: f64,
    /// Weight of positives in the focal loss; negatives weigh one minus this.
    pub focal_alpha: f64,
    /// Exponent of what is missed in the focal loss.
    pub focal_gamma: f64,
    /// Added to numerator and denominator of the Dice coefficient.
    pub dice_smooth: f64,
}

impl Default for Hybrid {
    fn default() -> Self {
        Self {
            focal_weight: 1.0,
            dice_weight: 1.0,
            focal_alpha: 0.25,
            focal_gamma: 2.0,
            dice_smooth: 1e-5,
        }
    }
}

/// Settings of the cross-entropy; by default plain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrossEntropy {
    /// Share of the target that is spread over both classes.
    pub label_smoothing: f64,
    /// Exponent of what is missed, as in the focal loss; 0 is plain cross-entropy.
    pub focal_gamma: f64,
}

/// What a run minimises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// Settings of both losses.
    pub losses: Losses,
    /// Weights of control and COVID-19 in phase II.
    pub class_weights: [f64; 2],
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            losses: Losses::default(),
            class_weights: [1.0; 2],
        }
    }
}

/// Hybrid loss of a batch: `focal + dice`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HybridLoss {
    /// Binary focal loss, mean over all pixels, times its weight.
    pub focal: f64,
    /// One minus the Dice coefficient of the whole batch, times its weight.
    pub dice: f64,
}

impl HybridLoss {
    /// The sum that is minimised.
    pub fn total(&self) -> f64 {
        self.focal + self.dice
    }
}

/// Focal loss of a probability `q` of the right answer, `miss` from 1, and its derivative with respect to `q`.
fn focal((q, miss): (f64, f64), alpha: f64, gamma: f64) -> (f64, f64) {
    let log = q.ln();
    // Powers are dear, and the exponent is nearly always this one.
    if gamma == 2.0 {
        return (-(alpha * miss * miss * log), alpha * miss * (2.0 * log - miss / q));
    }
    let power = alpha * miss.powf(gamma);
    let slope = if gamma > 0.0 && miss > 0.0 {
        gamma * power / miss * log
    } else {
        0.0
    };
    (-(power * log), slope - power / q)
}

impl Hybrid {
    /// Hybrid loss and its gradient with respect to the probabilities. Targets are 0 or 1.
    ///
    /// # Panics
    /// If the slices differ in length or are empty.
    pub fn of(&self, probabilities: &[f64], targets: &[u8]) -> (HybridLoss, Vec<f64>) {
        assert!(
            !targets.is_empty() && probabilities.len() == targets.len(),
            "one target per probability"
        );
        let (n, alpha) = (targets.len() as f64, self.focal_alpha);
        let (mut sum, mut overlap, mut total) = (0.0, 0.0, 0.0);
        // Logarithms are dear: the focal loss's gradient is found with the loss, the Dice loss's needs the sums.
        let mut gradient = Vec::with_capacity(targets.len());
        for (&p, &target) in probabilities.iter().zip(targets) {
            let q = p.clamp(CLIP, 1.0 - CLIP);
            let (loss, slope) = if target == 1 {
                focal((q, 1.0 - q), alpha, self.focal_gamma)
            } else {
                let (loss, slope) = focal((1.0 - q, q), 1.0 - alpha, self.focal_gamma);
                (loss, -slope)
            };
            sum += loss;
            let clipped = !(CLIP..=1.0 - CLIP).contains(&p);
            gradient.push(if clipped { 0.0 } else { slope / n * self.focal_weight });
            let t = f64::from(target);
            overlap += p * t;
            total += p + t;
        }
        let (numerator, denominator) = (2.0 * overlap + self.dice_smooth, total + self.dice_smooth);
        for (gradient, &target) in gradient.iter_mut().zip(targets) {
            let t = f64::from(target);
            let slope = (2.0 * t * denominator - numerator) / (denominator * denominator);
            *gradient -= self.dice_weight * slope;
        }
        let loss = HybridLoss {
            focal: self.focal_weight * (sum / n),
            dice: self.dice_weight * (1.0 - numerator / denominator),
        };
        (loss, gradient)
    }

    /// Hybrid loss of logits and its gradient with respect to them, through the sigmoid.
    ///
    /// # Panics
    /// As [`Hybrid::of`].
    pub fn of_logits(&self, logits: &[f32], targets: &[u8]) -> (HybridLoss, Vec<f32>) {
        let probabilities: Vec<f64> = logits.iter().map(|&z| sigmoid(f64::from(z))).collect();
        let (loss, gradient) = self.of(&probabilities, targets);
        let chained = gradient
            .iter()
            .zip(&probabilities)
            .map(|(g, p)| (g * p * (1.0 - p)) as f32);
        (loss, chained.collect())
    }
}

/// The paper's hybrid loss: [`Hybrid::of`] with its default settings.
///
/// # Panics
/// As [`Hybrid::of`].
pub fn hybrid(probabilities: &[f64], targets: &[u8]) -> (HybridLoss, Vec<f64>) {
    Hybrid::default().of(probabilities, targets)
}

/// The paper's hybrid loss of logits: [`Hybrid::of_logits`] with its default settings.
///
/// # Panics
/// As [`Hybrid::of`].
pub fn hybrid_from_logits(logits: &[f32], targets: &[u8]) -> (HybridLoss, Vec<f32>) {
    Hybrid::default().of_logits(logits, targets)
}

impl CrossEntropy {
    /// Mean categorical cross-entropy of logits (row-major, two a sample: control, COVID-19), each sample times the
    /// weight of its class, and its gradient with respect to them. It never saturates: the logarithm is taken of the
    /// softmax, not of a clipped probability.
    ///
    /// # Panics
    /// If there are not two logits a label, or no label, or a label above 1.
    pub fn of_logits(&self, logits: &[f32], labels: &[u8], weights: [f64; 2]) -> (f64, Vec<f32>) {
        assert!(
            !labels.is_empty() && logits.len() == 2 * labels.len(),
            "two logits per label"
        );
        let n = labels.len() as f64;
        let mut loss = 0.0;
        let mut gradient = Vec::with_capacity(logits.len());
        for (pair, &label) in logits.chunks_exact(2).zip(labels) {
            let right = usize::from(label);
            let (one, slopes) = self.of_pair([pair[0].into(), pair[1].into()], right);
            loss += weights[right] * one;
            gradient.extend(slopes.map(|slope| (weights[right] * slope / n) as f32));
        }
        (loss / n, gradient)
    }

    /// Loss of one sample and its slopes.
    fn of_pair(&self, z: [f64; 2], right: usize) -> (f64, [f64; 2]) {
        let high = z[0].max(z[1]);
        let log_sum = high + ((z[0] - high).exp() + (z[1] - high).exp()).ln();
        let [p0, p1] = z.map(|value| (value - log_sum).exp());
        if self.focal_gamma > 0.0 {
            let (p, miss) = if right == 0 { (p0, p1) } else { (p1, p0) };
            let (log, power) = (z[right] - log_sum, miss.powf(self.focal_gamma));
            // Through the softmax: times p (1 - p) for the right class, and its opposite for the other.
            let slope = self.focal_gamma * p * power * log - power * miss;
            let signed = |class| if class == right { slope } else { -slope };
            return (-(power * log), [signed(0), signed(1)]);
        }
        let spread = self.label_smoothing / 2.0;
        let target = |class| if class == right { 1.0 - spread } else { spread };
        let loss = log_sum - target(0) * z[0] - target(1) * z[1];
        (loss, [p0 - target(0), p1 - target(1)])
    }
}

/// Plain categorical cross-entropy: [`CrossEntropy::of_logits`] with its default settings and equal weights.
///
/// # Panics
/// As [`CrossEntropy::of_logits`].
pub fn cross_entropy(logits: &[f32], labels: &[u8]) -> (f64, Vec<f32>) {
    CrossEntropy::default().of_logits(logits, labels, [1.0; 2])
}

/// Logistic function.
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
