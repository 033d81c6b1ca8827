//! Evaluation of the networks against the goldens: every checkpoint, head, mask and Grad-CAM.

use recovnet::nn::{CamTarget, Classifier, Device, Segmenter, Tape, Tensor, Value};
use recovnet::preprocess;

use crate::golden::{Golden, close, device, goldens, tolerance};
use crate::reference::{flat, within};

fn channels_first(parts: &[Value]) -> Tensor {
    let tensors: Vec<&Tensor> = parts.iter().map(Value::tensor).collect();
    Tensor::cat(&tensors, 3)
        .and_then(|t| t.permute((0, 3, 1, 2))?.contiguous())
        .expect("a feature map")
}

fn sigmoid(t: &Tensor) -> Tensor {
    t.neg().and_then(|t| (t.exp()? + 1.0)?.recip()).expect("elementwise")
}

#[test]
fn golden_forward_checkpoints_and_masks() {
    for golden in goldens("forward") {
        let mut network = Segmenter::blank(golden.backbone, golden.graph, &device()).unwrap();
        golden.fill(&mut network);
        let input = golden.input("input");
        let mut seen = Vec::new();
        let logits = network
            .forward_observed(&input, &mut Tape::evaluation(), &mut |stage, parts| {
                seen.push(stage.to_owned());
                let map = channels_first(parts);
                let key = if stage == "logits_native" {
                    "seg.logits_native".into()
                } else {
                    format!("ckpt.{stage}")
                };
                close(
                    &map,
                    &golden.sampled(&key),
                    tolerance(1e-4),
                    &format!("{} {key}", golden.name),
                );
                if ["layer4", "norm5relu", "Mixed_7c", "conv2d_7b"].contains(&stage) {
                    close(
                        &map,
                        &golden.sampled("features"),
                        tolerance(1e-4),
                        &format!("{} features", golden.name),
                    );
                }
                Ok(())
            })
            .unwrap();
        let order = String::from_utf8(golden.values("ckpt_order").iter().map(|b| *b as u8).collect()).unwrap();
        assert_eq!(seen[..seen.len() - 1].join("\n"), order, "{}", golden.name);
        let logits = channels_first(&[logits]);
        close(
            &logits,
            &golden.sampled("seg.logits"),
            tolerance(1e-4),
            &format!("{} seg.logits", golden.name),
        );
        close(
            &sigmoid(&logits),
            &golden.sampled("seg.prob"),
            tolerance(1e-4),
            &format!("{} seg.prob", golden.name),
        );
        let predicted = network.predict(&input).unwrap();
        assert_eq!(predicted.dims().len(), 3);
        if golden.has("seg.prob_full") {
            within(
                &flat(&predicted),
                &golden.values("seg.prob_full"),
                tolerance(1e-4),
                &format!("{} prob_full", golden.name),
            );
        }
    }
}

#[test]
fn golden_classifier_and_gradcam() {
    for golden in goldens("forward") {
        let mut network = Classifier::blank(golden.backbone, golden.graph, &device()).unwrap();
        golden.fill(&mut network);
        let input = golden.input("input");
        let found = network.predict(&input).unwrap();
        let (_, _, rows, columns) = input.dims4().unwrap();
        close(
            &found.features,
            &golden.sampled("features"),
            tolerance(1e-4),
            &format!("{} features", golden.name),
        );
        check_head(&golden, &found.features, &found.logits);
        for class in 0..2 {
            let relu = check_maps(&golden, &network, &found.features, class);
            check_resized(&golden, &relu, found.features.dims(), (columns, rows), class);
        }
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

fn check_head(golden: &Golden, features: &Tensor, logits: &Tensor) {
    let gap = golden.values("gap");
    let pooled = features.mean((2, 3)).unwrap();
    within(
        &flat(&pooled),
        &gap,
        tolerance(1e-4) * largest(&gap),
        &format!("{} gap", golden.name),
    );
    let reference = golden.values("logits");
    within(
        &flat(logits),
        &reference,
        tolerance(1e-4) * largest(&reference),
        &format!("{} logits", golden.name),
    );
    let probabilities: Vec<f64> = flat(logits)
        .chunks_exact(2)
        .flat_map(|z| {
            let p = 1.0 / (1.0 + (z[0] - z[1]).exp());
            [1.0 - p, p]
        })
        .collect();
    within(
        &probabilities,
        &golden.values("probs"),
        tolerance(1e-5),
        &format!("{} probs", golden.name),
    );
}

/// Compares the raw maps of every target, and gives the logit's after `ReLU`.
fn check_maps(golden: &Golden, network: &Classifier, features: &Tensor, class: usize) -> Vec<f64> {
    let name = format!("{} cam.c{class}", golden.name);
    let raw = network.activation_map(features, class, CamTarget::Logit).unwrap();
    let reference = golden.values(&format!("cam.c{class}.raw"));
    assert_eq!(raw.dims(), golden.shape(&format!("cam.c{class}.raw")));
    within(
        &flat(&raw),
        &reference,
        tolerance(1e-4) * largest(&reference),
        &format!("{name}.raw"),
    );
    let soft = flat(&network.activation_map(features, class, CamTarget::Probability).unwrap());
    let reference = golden.values(&format!("camsoft.c{class}.raw"));
    within(
        &soft,
        &reference,
        tolerance(1e-4) * largest(&reference),
        &format!("{name} of the probability"),
    );
    let other = flat(&network.activation_map(features, 1 - class, CamTarget::Logit).unwrap());
    let margin = flat(&network.activation_map(features, class, CamTarget::Margin).unwrap());
    let difference: Vec<f64> = flat(&raw).iter().zip(&other).map(|(a, b)| a - b).collect();
    within(
        &margin,
        &difference,
        tolerance(1e-4) * largest(&difference),
        &format!("{name} of the margin"),
    );
    let relu: Vec<f64> = flat(&raw).iter().map(|v| v.max(0.0)).collect();
    let reference = golden.values(&format!("cam.c{class}.relu"));
    within(
        &relu,
        &reference,
        tolerance(1e-4) * largest(&reference),
        &format!("{name}.relu"),
    );
    relu
}

/// Compares each image's map, divided by its largest value and resized to the input.
fn check_resized(golden: &Golden, relu: &[f64], features: &[usize], input: (usize, usize), class: usize) {
    let grid = (features[3], features[2]);
    let (mut normed, mut resized) = (Vec::new(), Vec::new());
    for map in relu.chunks_exact(grid.0 * grid.1) {
        let most = largest(map);
        let map: Vec<f32> = map
            .iter()
            .map(|v| if most > 0.0 { (v / most) as f32 } else { 0.0 })
            .collect();
        resized.extend(preprocess::bilinear(&map, grid, input));
        normed.extend(map.into_iter().map(f64::from));
    }
    let name = format!("{} cam.c{class}", golden.name);
    within(
        &normed,
        &golden.values(&format!("cam.c{class}.norm")),
        tolerance(1e-4),
        &format!("{name}.norm"),
    );
    let key = format!("cam.c{class}.up");
    if golden.has(&key) {
        let resized: Vec<f64> = resized.into_iter().map(f64::from).collect();
        within(&resized, &golden.values(&key), tolerance(1e-4), &key);
    } else {
        let resized = Tensor::from_vec(resized, (features[0], input.1, input.0), &Device::Cpu).unwrap();
        close(&resized, &golden.sampled(&key), tolerance(1e-4), &format!("{name}.up"));
    }
}
