//! Both forms of Adam over several steps against torch and Keras.

use recovnet::nn::{Device, Gradients, Tensor};
use recovnet::training::adam::{Adam, AdamForm, AdamSettings};

use crate::reference::{flat, json, numbers, within};
use crate::vector::Vector;

fn vector(values: &[f64]) -> Tensor {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_vec(values.clone(), values.len(), &Device::Cpu).expect("a vector")
}

#[test]
fn golden_adam_over_five_steps() {
    let Some(golden) = json("adam.json") else {
        return;
    };
    let rate = golden["lr"].as_f64().expect("a rate");
    let start = numbers(&golden["w0"]);
    for (form, key) in [(AdamForm::Torch, "torch_eps1e_8"), (AdamForm::Keras, "keras_eps1e_7")] {
        // From zero, so that the small steps are not rounded away against the parameters.
        let mut network = Vector(vector(&vec![0.0; start.len()]));
        let mut adam = Adam::new(form);
        let steps = golden["grads"].as_array().expect("steps").iter();
        for (step, (gradient, expected)) in steps.zip(golden[key].as_array().expect("steps")).enumerate() {
            let gradients: Gradients = [("vector".to_owned(), vector(&numbers(gradient)))]
                .into_iter()
                .collect();
            adam.step(&mut network, &gradients, rate, None).expect("a step");
            let moved: Vec<f64> = numbers(expected).iter().zip(&start).map(|(w, w0)| w - w0).collect();
            within(&flat(&network.0), &moved, 1e-5 * rate, &format!("{key} step {step}"));
        }
        assert_eq!(adam.steps(), 5);
    }
}

#[test]
fn a_restored_optimiser_goes_on_alike() {
    let gradient = |k: i32| -> Gradients {
        let values: Vec<f64> = (0..5).map(|i| f64::from(i * k % 7) - 3.0).collect();
        [("vector".to_owned(), vector(&values))].into_iter().collect()
    };
    let mut one = Vector(vector(&[0.1, 0.2, 0.3, 0.4, 0.5]));
    let mut adam = Adam::new(AdamForm::Keras);
    adam.step(&mut one, &gradient(2), 0.01, None).expect("a step");
    let mut other = Vector(one.0.clone());
    let mut restored = Adam::restore(
        AdamForm::Keras,
        adam.steps(),
        adam.moments().expect("host memory").into_owned(),
    );
    adam.step(&mut one, &gradient(3), 0.01, None).expect("a step");
    restored.step(&mut other, &gradient(3), 0.01, None).expect("a step");
    assert_eq!(flat(&one.0), flat(&other.0));
    assert_eq!(adam.steps(), restored.steps());
    assert_eq!(
        adam.moments().expect("host memory"),
        restored.moments().expect("host memory")
    );
}

#[test]
fn a_gradient_of_another_shape_is_refused() {
    let mut network = Vector(vector(&[0.0; 4]));
    let gradients: Gradients = [("vector".to_owned(), vector(&[0.0; 3]))].into_iter().collect();
    let error = Adam::new(AdamForm::Torch)
        .step(&mut network, &gradients, 0.1, None)
        .map(|_| ())
        .expect_err("another shape");
    assert!(error.to_string().contains("gradient of vector"), "{error}");
}

/// A step from zeros with a gradient, and the norm that was found.
fn stepped(gradient: &[f64], clip: Option<f64>) -> (Vec<f64>, f64, u64) {
    let mut network = Vector(vector(&vec![0.0; gradient.len()]));
    let gradients: Gradients = [("vector".to_owned(), vector(gradient))].into_iter().collect();
    // With so large an epsilon a step is as long as its gradient.
    let settings = AdamSettings {
        epsilon: 1e6,
        ..AdamForm::Keras.into()
    };
    let mut adam = Adam::new(settings);
    let norm = adam.step(&mut network, &gradients, 1e6, clip).expect("a step");
    (flat(&network.0), norm.wait().expect("host memory"), adam.steps())
}

#[test]
fn a_long_gradient_is_shortened_and_a_short_one_is_not() {
    let gradient = [3.0, -4.0, 12.0, 0.0];
    let (whole, norm, _) = stepped(&gradient, None);
    assert_eq!(norm, 13.0);
    let (loose, norm, _) = stepped(&gradient, Some(13.0));
    assert_eq!((loose, norm), (whole, 13.0));
    let (clipped, norm, _) = stepped(&gradient, Some(2.6));
    let (fifth, _, _) = stepped(&gradient.map(|g| g / 5.0), None);
    assert_eq!(norm, 13.0, "as it was before");
    within(&clipped, &fifth, 1e-6, "a fifth of the gradient");
}

#[test]
fn a_gradient_that_is_no_number_changes_nothing() {
    for bad in [f64::NAN, f64::INFINITY] {
        let (values, norm, steps) = stepped(&[1.0, bad], Some(1.0));
        assert_eq!((values, steps), (vec![0.0; 2], 0));
        assert!(!norm.is_finite());
    }
}
