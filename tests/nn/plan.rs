//! Plans compute what the operations compute one by one, on sizes of every kind.

use std::time::Duration;

use rayon::prelude::*;
use recovnet::nn::{
    BackboneKind, Classifier, DType, Device, Graph, Network, Role, Segmenter, Tape, Tensor, predict_both,
};

/// Gives normalisations statistics of their own, so that folding them is put to the test.
fn unsettle(network: &mut dyn Network) {
    network.visit_mut(&mut |_, tensor, role| {
        let (low, high) = match role {
            Role::Gamma | Role::RunningVariance => (0.6, 1.6),
            Role::Beta | Role::RunningMean | Role::Bias => (-0.3, 0.3),
            Role::Kernel | Role::Linear | Role::FixedGamma => return,
        };
        *tensor = Tensor::rand(low as f32, high as f32, tensor.dims(), &Device::Cpu).unwrap();
    });
}

fn largest(t: &Tensor) -> f32 {
    t.abs()
        .unwrap()
        .flatten_all()
        .unwrap()
        .max(0)
        .unwrap()
        .to_scalar()
        .unwrap()
}

/// Largest difference over the largest value.
fn distance(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    largest(&(found - expected).unwrap()) / largest(expected)
}

fn images(n: usize, h: usize, w: usize) -> Tensor {
    Tensor::randn(0.0_f32, 1.0, (n, 3, h, w), &Device::Cpu).unwrap()
}

fn check_classifier(kind: BackboneKind, graph: Graph, (n, h, w): (usize, usize, usize)) {
    let mut network = Classifier::new(kind, graph, 3, &Device::Cpu).unwrap();
    unsettle(&mut network);
    let images = images(n, h, w);
    let expected = network.forward(&images, &mut Tape::evaluation()).unwrap();
    // The second run computes in an arena that the first has left full.
    for _ in 0..2 {
        let found = network.predict(&images).unwrap().logits;
        let distance = distance(&found, expected.tensor());
        assert!(distance < 1e-4, "{kind} {graph:?} {n} x {h} x {w}: {distance}");
    }
}

fn check_segmenter(kind: BackboneKind, (n, h, w): (usize, usize, usize)) {
    let mut network = Segmenter::new(kind, Graph::Torch, 3, &Device::Cpu).unwrap();
    unsettle(&mut network);
    let images = images(n, h, w);
    let logits = network.forward(&images, &mut Tape::evaluation()).unwrap();
    let expected = (logits.tensor().neg().unwrap().exp().unwrap() + 1.0)
        .unwrap()
        .recip()
        .unwrap();
    let difference = largest(&(network.predict(&images).unwrap() - expected.squeeze(3).unwrap()).unwrap());
    // A probability moves by at most a quarter of what its logit moves.
    let allowed = 1e-4 * largest(logits.tensor()).max(1.0) / 4.0;
    assert!(difference < allowed, "{kind} {n} x {h} x {w}: {difference}, {allowed}");
}

#[test]
fn plans_of_classifiers_agree_with_their_operations() {
    check_classifier(BackboneKind::DenseNet121, Graph::Torch, (1, 96, 131));
    check_classifier(BackboneKind::DenseNet121, Graph::Torch, (3, 64, 64));
    check_classifier(BackboneKind::ResNet50, Graph::Torch, (1, 97, 130));
    check_classifier(BackboneKind::ResNet50, Graph::Keras, (2, 96, 64));
    check_classifier(BackboneKind::InceptionV3, Graph::Torch, (1, 131, 97));
    check_classifier(BackboneKind::InceptionV3, Graph::Keras, (2, 96, 96));
    check_classifier(BackboneKind::InceptionResNetV2, Graph::Torch, (1, 96, 110));
}

#[test]
fn plans_of_segmenters_agree_with_their_operations() {
    check_segmenter(BackboneKind::DenseNet121, (1, 64, 96));
    check_segmenter(BackboneKind::DenseNet121, (2, 101, 70));
    check_segmenter(BackboneKind::ResNet50, (1, 128, 64));
    check_segmenter(BackboneKind::InceptionV3, (1, 96, 96));
}

#[test]
fn networks_side_by_side_give_what_each_gives_alone() {
    let mut segmenter = Segmenter::new(BackboneKind::ResNet50, Graph::Torch, 3, &Device::Cpu).unwrap();
    let mut classifier = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 4, &Device::Cpu).unwrap();
    unsettle(&mut segmenter);
    unsettle(&mut classifier);
    // Each sees a size of its own, and batches differ.
    let (chests, lungs) = (images(2, 64, 96), images(1, 96, 64));
    let alone = (segmenter.predict(&lungs).unwrap(), classifier.predict(&chests).unwrap());
    for _ in 0..3 {
        let both = predict_both((&segmenter, &lungs), (&classifier, &chests)).unwrap();
        assert_eq!(largest(&(both.lungs - &alone.0).unwrap()), 0.0);
        let logits = (both.classification.logits - &alone.1.logits).unwrap();
        assert_eq!(largest(&logits), 0.0);
        let features = (both.classification.features - &alone.1.features).unwrap();
        assert_eq!(largest(&features), 0.0);
        assert!(both.segmenter_took > Duration::ZERO && both.classifier_took > Duration::ZERO);
    }
    let refused = predict_both(
        (&segmenter, &lungs),
        (&classifier, &images(1, 8, 8).narrow(0, 0, 0).unwrap()),
    );
    assert!(refused.is_err());
}

/// A pool whose thread waits for a network would give it the next row, which waits for the same network.
#[test]
fn rows_of_another_pool_may_all_ask_one_network() {
    let network = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 5, &Device::Cpu).unwrap();
    let images = images(1, 32, 32);
    let expected = network.predict(&images).unwrap().logits;
    // A copy has no plan yet: the first row makes it, with kernels that the others wait for.
    let network = network.clone();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let found: Vec<Tensor> = pool.install(|| {
        let rows = (0..24).into_par_iter();
        rows.map(|_| network.predict(&images).unwrap().logits).collect()
    });
    for logits in found {
        assert_eq!(largest(&(logits - &expected).unwrap()), 0.0);
    }
}

#[test]
fn trained_weights_are_planned_anew() {
    let mut network = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 3, &Device::Cpu).unwrap();
    let images = images(1, 64, 64);
    let before = network.predict(&images).unwrap().logits;
    network.visit_mut(&mut |name, tensor, _| {
        if name == "fc.bias" {
            *tensor = Tensor::ones(2, DType::F32, &Device::Cpu).unwrap();
        }
    });
    let after = network.predict(&images).unwrap().logits;
    let moved = (after - before).unwrap().to_vec2::<f32>().unwrap();
    assert!(moved[0].iter().all(|m| (m - 1.0).abs() < 1e-5), "{moved:?}");
}
