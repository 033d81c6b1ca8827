//! Losses against `segmentation_models`, PyTorch and finite differences.

use recovnet::training::loss::{cross_entropy, hybrid, hybrid_from_logits, sigmoid};

use crate::reference::{json, numbers, within};

#[test]
fn golden_hybrid_loss() {
    let Some(golden) = json("losses.json") else {
        return;
    };
    let cases = golden["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let targets: Vec<u8> = numbers(&case["t"]).iter().map(|&t| t as u8).collect();
        let (loss, gradient) = hybrid(&numbers(&case["p"]), &targets);
        for (found, key) in [(loss.focal, "focal"), (loss.dice, "dice"), (loss.total(), "hybrid")] {
            let expected = case[key].as_f64().expect("a number");
            within(
                &[found],
                &[expected],
                1e-10 * expected.abs().max(1.0),
                &format!("{name} {key}"),
            );
        }
        let expected = numbers(&case["grad_p_hybrid"]);
        let largest = expected.iter().fold(1.0_f64, |m, g| m.max(g.abs()));
        within(&gradient, &expected, 1e-9 * largest, &format!("{name} gradient"));
    }
}

#[test]
fn golden_cross_entropy() {
    let Some(golden) = json("losses.json") else {
        return;
    };
    let golden = &golden["cce"];
    let logits: Vec<f32> = numbers(&golden["logits"]).iter().map(|&z| z as f32).collect();
    let labels: Vec<u8> = numbers(&golden["onehot"]).chunks(2).map(|pair| pair[1] as u8).collect();
    let (loss, gradient) = cross_entropy(&logits, &labels);
    within(
        &[loss],
        &[golden["mean_from_logits"].as_f64().expect("a number")],
        1e-6,
        "mean",
    );
    let gradient: Vec<f64> = gradient.into_iter().map(f64::from).collect();
    within(&gradient, &numbers(&golden["grad_logits"]), 1e-7, "gradient");
    let each = numbers(&golden["per_sample_from_logits"]);
    for ((pair, &label), expected) in logits.chunks(2).zip(&labels).zip(each) {
        within(&[cross_entropy(pair, &[label]).0], &[expected], 1e-6, "one sample");
    }
}

#[test]
fn gradients_of_logits_are_those_of_finite_differences() {
    let logits: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
    let targets: Vec<u8> = (0..24).map(|i| u8::from(i % 3 == 0)).collect();
    let (_, gradient) = hybrid_from_logits(&logits, &targets);
    for i in 0..logits.len() {
        let at = |step: f64| {
            let mut p: Vec<f64> = logits.iter().map(|&z| sigmoid(f64::from(z))).collect();
            p[i] = sigmoid(f64::from(logits[i]) + step);
            hybrid(&p, &targets).0.total()
        };
        let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!(
            (f64::from(gradient[i]) - slope).abs() < 1e-8,
            "{i}: {} {slope}",
            gradient[i]
        );
    }
}

#[test]
fn saturated_logits_stay_finite() {
    let (loss, gradient) = hybrid_from_logits(&[500.0, -500.0, 500.0, -500.0], &[1, 0, 0, 1]);
    assert!(loss.total().is_finite() && gradient.iter().all(|g| g.is_finite()));
    let (loss, gradient) = cross_entropy(&[500.0, -500.0], &[1]);
    assert_eq!(loss, 1000.0);
    assert_eq!(gradient, [1.0, -1.0]);
}
