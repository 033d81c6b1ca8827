//! One training step of each network against the goldens: loss, gradients, running statistics.

use recovnet::nn::weights::State;
use recovnet::nn::{Backward, Classifier, Network, RunningVariance, Segmenter, Tape, Tensor};
use recovnet::training::loss;

use crate::golden::{Golden, device, goldens, relative_l2, tolerance};
use crate::reference::{flat, json, within};

/// A gradient in the order of the golden: kernels as OIHW.
fn torch_layout(gradient: &Tensor) -> Vec<f64> {
    if gradient.rank() == 4 {
        flat(&gradient.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap())
    } else {
        flat(gradient)
    }
}

fn check_gradients(golden: &Golden, found: &Backward) {
    let tolerances = json("tolerances.json").expect("a golden was found");
    let noise = &tolerances[golden.name.trim_end_matches(".safetensors")]["grad_l2_rel_f32"];
    let names: Vec<String> = golden
        .keys()
        .filter_map(|k| Some(k.strip_prefix("grad.")?.strip_suffix(".idx")?.to_owned()))
        .collect();
    assert!(names.len() > 5, "{}: {names:?}", golden.name);
    for name in names {
        let reference = golden.sampled(&format!("grad.{name}"));
        let gradient = torch_layout(
            found
                .gradients
                .get(&name)
                .unwrap_or_else(|| panic!("no gradient of {name}")),
        );
        let picked: Vec<f64> = reference.index.iter().map(|i| gradient[*i]).collect();
        let limit = tolerance((5.0 * noise[&name].as_f64().unwrap_or(0.0)).max(1e-2));
        let distance = relative_l2(&picked, &reference.values);
        assert!(
            distance <= limit,
            "{} gradient of {name}: {distance} from the reference, limit {limit}",
            golden.name
        );
    }
    let norm = found
        .gradients
        .iter()
        .map(|(_, g)| flat(g).iter().map(|v| v * v).sum::<f64>())
        .sum::<f64>()
        .sqrt();
    let reference = golden.values("grad_norm_all")[0];
    assert!(
        (norm / reference - 1.0).abs() <= tolerance(2e-2),
        "{}: gradient norm {norm}, reference {reference}",
        golden.name
    );
}

fn check_statistics(golden: &Golden, found: &Backward, network: &(impl Network + Clone)) {
    let layers: Vec<&str> = golden
        .keys()
        .filter_map(|k| k.strip_prefix("bn.")?.strip_suffix(".count"))
        .collect();
    assert!(!layers.is_empty());
    let moved: Vec<(State, f64, &str)> = [
        (0.1, RunningVariance::Unbiased, "m0.1_unbiased"),
        (0.01, RunningVariance::Unbiased, "m0.01_unbiased"),
        (0.01, RunningVariance::Biased, "m0.01_biased"),
    ]
    .into_iter()
    .map(|(momentum, form, suffix)| {
        let mut network = network.clone();
        network.update_running(&found.statistics, momentum, form).unwrap();
        (network.state(), momentum, suffix)
    })
    .collect();
    for layer in layers {
        let seen = found
            .statistics
            .iter()
            .find(|s| s.name == layer)
            .expect("statistics of every layer");
        assert_eq!(seen.count as f64, golden.values(&format!("bn.{layer}.count"))[0]);
        let check = |found: &Tensor, key: &str| {
            let reference = golden.values(&format!("bn.{layer}.{key}"));
            let largest = reference.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            within(
                &flat(found),
                &reference,
                tolerance(1e-4) * largest,
                &format!("{} bn.{layer}.{key}", golden.name),
            );
        };
        check(&seen.mean, "batch_mean");
        check(&seen.variance, "batch_var_biased");
        for (state, momentum, suffix) in &moved {
            check(
                &state[&format!("{layer}.running_var")],
                &format!("running_var_{suffix}"),
            );
            check(
                &state[&format!("{layer}.running_mean")],
                &format!("running_mean_m{momentum}"),
            );
        }
    }
}

#[test]
fn golden_training_step_of_the_classifier() {
    for golden in goldens("train_cls") {
        let mut network = Classifier::blank(golden.backbone, golden.graph, &device()).unwrap();
        golden.fill(&mut network);
        let mut tape = Tape::training();
        let logits = network.forward(&golden.input("train.input"), &mut tape).unwrap();
        within(
            &flat(logits.tensor()),
            &golden.values("logits"),
            tolerance(1e-3),
            &format!("{} logits", golden.name),
        );
        let targets = [1_u8, 0];
        let values: Vec<f32> = logits.tensor().flatten_all().unwrap().to_vec1().unwrap();
        let (loss, gradient) = loss::cross_entropy(&values, &targets);
        let gradient = Tensor::from_vec(gradient, logits.tensor().shape(), &device()).unwrap();
        let reference = golden.values("loss")[0];
        assert!(
            (loss / reference - 1.0).abs() < tolerance(1e-4),
            "{}: loss {loss}, reference {reference}",
            golden.name
        );
        let found = tape.backward(&[(&logits, gradient)]).unwrap();
        check_gradients(&golden, &found);
        check_statistics(&golden, &found, &network);
    }
}

#[test]
fn golden_training_step_of_the_segmenter() {
    for golden in goldens("train_seg") {
        let mut network = Segmenter::blank(golden.backbone, golden.graph, &device()).unwrap();
        golden.fill(&mut network);
        let mut tape = Tape::training();
        let logits = network.forward(&golden.input("train.input"), &mut tape).unwrap();
        let mask: Vec<u8> = golden.values("mask").iter().map(|v| *v as u8).collect();
        let values: Vec<f32> = logits.tensor().flatten_all().unwrap().to_vec1().unwrap();
        let (loss, gradient) = loss::hybrid_from_logits(&values, &mask);
        let gradient = Tensor::from_vec(gradient, logits.tensor().shape(), &device()).unwrap();
        let reference = golden.values("loss")[0];
        assert!(
            (loss.total() / reference - 1.0).abs() < tolerance(1e-4),
            "{}: {loss:?}, reference {reference}",
            golden.name
        );
        let found = tape.backward(&[(&logits, gradient)]).unwrap();
        check_gradients(&golden, &found);
        check_statistics(&golden, &found, &network);
    }
}
