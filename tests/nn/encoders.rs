//! What the encoders are made of: counts of parameters, which of them are trained, and the smallest pictures.

use std::collections::BTreeSet;

use recovnet::nn::{BackboneKind, Classifier, DType, Device, Error, Graph, Network, Role, Segmenter, Tape, Tensor};

use crate::reference::flat;

/// Elements of the tensors whose role is one of those given.
fn count(network: &dyn Network, counted: impl Fn(Role) -> bool) -> usize {
    let mut sum = 0;
    network.visit(&mut |_, tensor, role| sum += if counted(role) { tensor.elem_count() } else { 0 });
    sum
}

/// Published counts: trained, running statistics, and gammas that the Keras graph does not have.
#[test]
fn networks_have_as_many_parameters_as_published() {
    use BackboneKind::{DenseNet121, InceptionResNetV2, InceptionV3, ResNet50};
    for (kind, graph, classifier, segmenter, running, fixed) in [
        (DenseNet121, Graph::Torch, 6_955_906, 10_492_625, 83_648, 0),
        (DenseNet121, Graph::Keras, 6_955_906, 10_492_625, 83_648, 0),
        (ResNet50, Graph::Torch, 23_512_130, 29_406_097, 53_120, 0),
        (ResNet50, Graph::Keras, 23_538_690, 29_432_657, 53_120, 0),
        (InceptionV3, Graph::Torch, 21_789_666, 27_683_633, 34_432, 0),
        (InceptionV3, Graph::Keras, 21_772_450, 27_666_417, 34_432, 17_216),
        (InceptionResNetV2, Graph::Torch, 54_309_538, 59_024_881, 60_544, 0),
        (InceptionResNetV2, Graph::Keras, 54_279_266, 58_994_609, 60_544, 30_272),
    ] {
        let of_segmenter = Segmenter::blank(kind, graph, &Device::Cpu).unwrap();
        let of_classifier = Classifier::from_segmenter(&of_segmenter, 1, &Device::Cpu).unwrap();
        let networks: [(&dyn Network, usize, usize); 2] =
            [(&of_classifier, classifier, 0), (&of_segmenter, segmenter, 1_984)];
        for (network, trained, running_of_head) in networks {
            let statistics = |role| matches!(role, Role::RunningMean | Role::RunningVariance);
            assert_eq!(count(network, Role::trainable), trained, "{kind} {graph:?}");
            assert_eq!(
                count(network, statistics),
                running + running_of_head,
                "{kind} {graph:?}"
            );
            assert_eq!(
                count(network, |role| role == Role::FixedGamma),
                fixed,
                "{kind} {graph:?}"
            );
        }
    }
}

fn picture(n: usize, rows: usize, columns: usize) -> Tensor {
    let values: Vec<f32> = (0..n * 3 * rows * columns)
        .map(|i| ((i * 7919) % 251) as f32 / 125.0 - 1.0)
        .collect();
    Tensor::from_vec(values, (n, 3, rows, columns), &Device::Cpu).unwrap()
}

/// Trained on the smallest picture, whose last feature map is one pixel: everything trainable gets a gradient, and
/// nothing else does.
#[test]
fn whatever_is_trainable_gets_a_gradient_and_nothing_else() {
    for (kind, graph) in [
        (BackboneKind::InceptionV3, Graph::Keras),
        (BackboneKind::InceptionResNetV2, Graph::Torch),
    ] {
        let network = Classifier::blank(kind, graph, &Device::Cpu).unwrap();
        let mut tape = Tape::training();
        let logits = network.forward(&picture(2, 75, 75), &mut tape).unwrap();
        let seed = Tensor::from_slice(&[1.0_f32, -1.0, -1.0, 1.0], (2, 2), &Device::Cpu).unwrap();
        let found = tape.backward(&[(&logits, seed)]).unwrap();
        let gradients: BTreeSet<String> = found.gradients.iter().map(|(name, _)| name.to_owned()).collect();
        let mut trainable = BTreeSet::new();
        network.visit(&mut |name, _, role| {
            if role.trainable() {
                trainable.insert(name.to_owned());
            }
        });
        assert_eq!(gradients, trainable, "{kind}");
        assert!(!gradients.contains("Conv2d_1a_3x3.bn.weight"));
    }
}

#[test]
fn pictures_under_the_smallest_size_are_errors_and_the_smallest_is_none() {
    for kind in [BackboneKind::InceptionV3, BackboneKind::InceptionResNetV2] {
        assert_eq!(kind.smallest_side(), 75);
        let network = Segmenter::blank(kind, Graph::Torch, &Device::Cpu).unwrap();
        for (rows, columns) in [(74, 90), (90, 74), (1, 1)] {
            let error = network.predict(&picture(1, rows, columns)).unwrap_err();
            assert!(matches!(error, Error::Shape { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.contains(kind.name()) && text.contains("at least 75 rows"),
                "{text}"
            );
        }
        let mask = network.predict(&picture(1, 75, 76)).unwrap();
        assert_eq!((mask.dims(), mask.dtype()), (&[1, 75, 76][..], DType::F32));
    }
}

/// Without gammas to tell them apart the two graphs of Inception-ResNet-v2 are one, and those of Inception-v3 are not:
/// one counts the padding of its pooling.
#[test]
fn graphs_of_the_same_weights_differ_where_they_should() {
    for (kind, equal) in [
        (BackboneKind::InceptionV3, false),
        (BackboneKind::InceptionResNetV2, true),
    ] {
        let torch = Classifier::new(kind, Graph::Torch, 3, &Device::Cpu).unwrap();
        let mut keras = Classifier::blank(kind, Graph::Keras, &Device::Cpu).unwrap();
        keras.load_state(&torch.state()).unwrap();
        let [torch, keras] = [torch, keras].map(|network| flat(&network.predict(&picture(1, 80, 75)).unwrap().logits));
        assert!(torch.iter().all(|v| v.is_finite() && *v != 0.0), "{torch:?}");
        assert_eq!(torch == keras, equal, "{kind}: {torch:?} and {keras:?}");
    }
}
