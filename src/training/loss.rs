//! The two losses with their gradients (paper section 2.3): binary focal + Dice for phase I, categorical
//! cross-entropy for phase II. Computed in f64, whatever the network's type.

/// Weight of positives in the focal loss; negatives weigh one minus this.
const FOCAL_ALPHA: f64 = 0.25;
/// Probabilities are kept this far from 0 and 1 in the focal loss.
const CLIP: f64 = 1e-7;
/// Added to numerator and denominator of the Dice coefficient.
const DICE_SMOOTH: f64 = 1e-5;

/// Hybrid loss of a batch: `focal + dice`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HybridLoss {
    /// Binary focal loss with gamma 2, mean over all pixels.
    pub focal: f64,
    /// One minus the Dice coefficient of the whole batch.
    pub dice: f64,
}

impl HybridLoss {
    /// The sum that is minimised.
    pub fn total(&self) -> f64 {
        self.focal + self.dice
    }
}

/// Hybrid loss and its gradient with respect to the probabilities, as `segmentation_models`'s
/// `binary_focal_dice_loss` defines it. Targets are 0 or 1.
///
/// # Panics
/// If the slices differ in length or are empty.
pub fn hybrid(probabilities: &[f64], targets: &[u8]) -> (HybridLoss, Vec<f64>) {
    assert!(
        !targets.is_empty() && probabilities.len() == targets.len(),
        "one target per probability"
    );
    let n = targets.len() as f64;
    let (mut focal, mut overlap, mut total) = (0.0, 0.0, 0.0);
    // Logarithms are dear: the focal loss's gradient is found with the loss, the Dice loss's needs the sums.
    let mut gradient = Vec::with_capacity(targets.len());
    for (&p, &target) in probabilities.iter().zip(targets) {
        let q = p.clamp(CLIP, 1.0 - CLIP);
        let slope = if target == 1 {
            let (miss, log) = (1.0 - q, q.ln());
            focal -= FOCAL_ALPHA * miss * miss * log;
            FOCAL_ALPHA * miss * (2.0 * log - miss / q)
        } else {
            let (hit, log) = (1.0 - q, (1.0 - q).ln());
            focal -= (1.0 - FOCAL_ALPHA) * q * q * log;
            (1.0 - FOCAL_ALPHA) * q * (q / hit - 2.0 * log)
        };
        let clipped = !(CLIP..=1.0 - CLIP).contains(&p);
        gradient.push(if clipped { 0.0 } else { slope / n });
        let t = f64::from(target);
        overlap += p * t;
        total += p + t;
    }
    let (numerator, denominator) = (2.0 * overlap + DICE_SMOOTH, total + DICE_SMOOTH);
    for (gradient, &target) in gradient.iter_mut().zip(targets) {
        let t = f64::from(target);
        *gradient -= (2.0 * t * denominator - numerator) / (denominator * denominator);
    }
    (
        HybridLoss {
            focal: focal / n,
            dice: 1.0 - numerator / denominator,
        },
        gradient,
    )
}

/// Hybrid loss of logits and its gradient with respect to them, through the sigmoid.
///
/// # Panics
/// As [`hybrid`].
pub fn hybrid_from_logits(logits: &[f32], targets: &[u8]) -> (HybridLoss, Vec<f32>) {
    let probabilities: Vec<f64> = logits.iter().map(|&z| sigmoid(f64::from(z))).collect();
    let (loss, gradient) = hybrid(&probabilities, targets);
    let chained = gradient
        .iter()
        .zip(&probabilities)
        .map(|(g, p)| (g * p * (1.0 - p)) as f32);
    (loss, chained.collect())
}

/// Mean categorical cross-entropy of logits (row-major, two a sample: control, COVID-19) and its gradient with
/// respect to them. It never saturates: the logarithm is taken of the softmax, not of a clipped probability.
///
/// # Panics
/// If there are not two logits a label, or no label, or a label above 1.
pub fn cross_entropy(logits: &[f32], labels: &[u8]) -> (f64, Vec<f32>) {
    assert!(
        !labels.is_empty() && logits.len() == 2 * labels.len(),
        "two logits per label"
    );
    let n = labels.len() as f64;
    let mut loss = 0.0;
    let mut gradient = Vec::with_capacity(logits.len());
    for (pair, &label) in logits.chunks_exact(2).zip(labels) {
        let z = [f64::from(pair[0]), f64::from(pair[1])];
        let high = z[0].max(z[1]);
        let log_sum = high + ((z[0] - high).exp() + (z[1] - high).exp()).ln();
        loss += log_sum - z[usize::from(label)];
        for (class, value) in z.iter().enumerate() {
            let target = f64::from(u8::from(class == usize::from(label)));
            gradient.push((((value - log_sum).exp() - target) / n) as f32);
        }
    }
    (loss / n, gradient)
}

/// Logistic function.
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
