//! The optimiser's first step on the goldens' own gradients.

use recovnet::nn::{Device, Gradients, Tensor};
use recovnet::training::adam::{Adam, AdamForm};

use crate::golden::goldens;
use crate::reference::{flat, within};
use crate::vector::Vector;

#[test]
fn golden_first_adam_step() {
    for (kind, rate) in [("train_cls", 1e-5), ("train_seg", 1e-4)] {
        for golden in goldens(kind) {
            for (form, prefix) in [
                (AdamForm::Torch, "adam_torch.delta."),
                (AdamForm::Keras, "adam_keras.delta."),
            ] {
                let names: Vec<&str> = golden.keys().filter_map(|k| k.strip_prefix(prefix)).collect();
                assert!(names.len() > 5);
                for name in names {
                    let gradient: Vec<f32> = golden
                        .values(&format!("grad.{name}.val"))
                        .iter()
                        .map(|g| *g as f32)
                        .collect();
                    let n = gradient.len();
                    // From zero, so that the change is not rounded away against the parameter.
                    let mut network = Vector(Tensor::from_vec(vec![0.0_f32; n], n, &Device::Cpu).unwrap());
                    let gradient = Tensor::from_vec(gradient, n, &Device::Cpu).unwrap();
                    let gradients: Gradients = [("vector".to_owned(), gradient)].into_iter().collect();
                    Adam::new(form).step(&mut network, &gradients, rate, None).unwrap();
                    let reference = golden.values(&format!("{prefix}{name}"));
                    within(
                        &flat(&network.0),
                        &reference,
                        1e-5 * rate,
                        &format!("{} {prefix}{name}", golden.name),
                    );
                }
            }
        }
    }
}
