//! What operations compute on small cases that were worked out by hand.

use recovnet::nn::ops::{self, Window};
use recovnet::nn::{DType, Device, Error, Tape, Tensor, Value};

use crate::reference::flat;

fn value(values: &[f64], shape: &[usize]) -> Value {
    Value::constant(Tensor::from_slice(values, shape, &Device::Cpu).unwrap())
}

fn one_to(n: usize) -> Vec<f64> {
    (1..=n).map(|v| v as f64).collect()
}

#[test]
fn convolution_pads_and_strides_each_axis_on_its_own() {
    let x = value(&one_to(9), &[1, 3, 3, 1]);
    let w = value(&[1.0, 10.0, 100.0], &[1, 1, 3, 1]);
    let b = value(&[0.5], &[1]);
    let window = Window {
        kernel: (1, 3),
        stride: (2, 1),
        padding: (0, 1),
    };
    let y = ops::conv2d(&mut Tape::evaluation(), &x, &w, Some(&b), window).unwrap();
    assert_eq!(y.tensor().dims(), [1, 2, 3, 1]);
    assert_eq!(flat(y.tensor()), [210.5, 321.5, 32.5, 870.5, 987.5, 98.5]);
}

#[test]
fn max_pool_ignores_padding() {
    let x = value(&[-1.0, -2.0, -3.0, -4.0], &[1, 2, 2, 1]);
    let y = ops::max_pool(&mut Tape::evaluation(), &x, Window::square(3, 2, 1)).unwrap();
    assert_eq!(flat(y.tensor()), [-1.0]);
}

#[test]
fn max_pool_keeps_nan_and_sends_the_gradient_there() {
    for place in 0..4 {
        let (mut values, mut expected) = ([1.0, 4.0, 2.0, 3.0], [0.0; 4]);
        values[place] = f64::NAN;
        expected[place] = 1.0;
        let mut tape = Tape::training();
        let x = tape.watch(value(&values, &[1, 2, 2, 1]).tensor());
        let y = ops::max_pool(&mut tape, &x, Window::square(2, 2, 0)).unwrap();
        assert!(flat(y.tensor())[0].is_nan(), "NaN at {place} is lost");
        let seed = Tensor::ones((1, 1, 1, 1), DType::F64, &Device::Cpu).unwrap();
        let gradient = tape.backward(&[(&y, seed)]).unwrap().watched.remove(0).unwrap();
        assert_eq!(flat(&gradient), expected);
    }
}

#[test]
fn average_pool_counts_padding_or_not() {
    let x = value(&[4.0, 8.0, 12.0, 16.0], &[1, 2, 2, 1]);
    let pool = |include| {
        let y = ops::average_pool(&mut Tape::evaluation(), &x, Window::square(2, 2, 1), include).unwrap();
        flat(y.tensor())
    };
    assert_eq!(pool(true), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(pool(false), [4.0, 8.0, 12.0, 16.0]);
}

#[test]
fn bilinear_resize_has_half_pixel_centres() {
    let x = value(&[0.0, 4.0], &[1, 1, 2, 1]);
    let y = ops::resize_bilinear(&mut Tape::evaluation(), &x, 1, 4).unwrap();
    assert_eq!(flat(y.tensor()), [0.0, 1.0, 3.0, 4.0]);
}

#[test]
fn nearest_upsampling_repeats_pixels() {
    let x = value(&one_to(2), &[1, 1, 2, 1]);
    let y = ops::upsample_x2(&mut Tape::evaluation(), &x).unwrap();
    assert_eq!(flat(y.tensor()), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
}

/// The reference's running variances are near 1 and cannot tell epsilons apart; a constant channel can.
#[test]
fn batch_norm_uses_its_epsilon() {
    let x = value(&[3.0], &[1, 1, 1, 1]);
    let (gamma, beta) = (value(&[2.0], &[1]), value(&[1.0], &[1]));
    let (mean, variance) = (value(&[1.0], &[1]), value(&[0.0], &[1]));
    for epsilon in [1e-5, 1.001e-5, 1e-3] {
        let layer = ops::Norm {
            name: "norm",
            gamma: &gamma,
            beta: &beta,
            running_mean: mean.tensor(),
            running_variance: variance.tensor(),
            epsilon,
            relu: false,
        };
        let y = ops::batch_norm(&mut Tape::evaluation(), std::slice::from_ref(&x), &layer).unwrap();
        let expected = 2.0 * 2.0 / epsilon.sqrt() + 1.0;
        assert!((flat(y.tensor())[0] / expected - 1.0).abs() < 1e-12);
    }
}

/// Larger than what one thread takes at a time.
#[test]
fn a_residual_branch_is_scaled_before_the_sum() {
    let (x, branch) = (one_to(70_000), vec![-2.0; 70_000]);
    let shape = [2, 100, 50, 7];
    let tape = &mut Tape::evaluation();
    let run = |tape: &mut Tape, scale: f64, relu: bool| {
        let y = ops::residual(tape, &value(&x, &shape), &value(&branch, &shape), scale, relu).unwrap();
        assert_eq!(y.tensor().dims(), shape);
        flat(y.tensor())
    };
    let expected: Vec<f64> = x.iter().map(|v| v - 20_000.0).collect();
    assert_eq!(run(tape, 10_000.0, false), expected);
    let expected: Vec<f64> = expected.iter().map(|v| v.max(0.0)).collect();
    assert_eq!(run(tape, 10_000.0, true), expected);
}

/// Larger than what one thread takes at a time, with gradients that are the parts of the seed again.
#[test]
fn concatenation_keeps_every_pixel_and_splits_gradients_where_it_joined() {
    let widths = [3, 1, 96];
    let (n, h, w) = (2, 21, 19);
    let mut tape = Tape::training();
    let parts: Vec<Value> = widths
        .iter()
        .map(|c| tape.watch(value(&one_to(n * h * w * c), &[n, h, w, *c]).tensor()))
        .collect();
    let y = ops::concat(&mut tape, &parts).unwrap();
    let tensors: Vec<&Tensor> = parts.iter().map(Value::tensor).collect();
    assert_eq!(flat(y.tensor()), flat(&Tensor::cat(&tensors, 3).unwrap()));
    let seed = Tensor::from_vec(one_to(n * h * w * 100), (n, h, w, 100), &Device::Cpu).unwrap();
    let found = tape.backward(&[(&y, seed.clone())]).unwrap().watched;
    let mut first = 0;
    for (gradient, c) in found.iter().zip(widths) {
        let expected = seed.narrow(3, first, c).unwrap();
        assert_eq!(flat(gradient.as_ref().unwrap()), flat(&expected));
        first += c;
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let x = value(&one_to(8), &[1, 2, 2, 2]);
    let w = value(&[1.0; 3], &[1, 1, 1, 3]);
    let tape = &mut Tape::evaluation();
    assert!(ops::conv2d(tape, &x, &w, None, Window::square(1, 1, 0)).is_err());
    assert!(ops::max_pool(tape, &x, Window::square(3, 1, 0)).is_err());
    assert!(ops::linear(tape, &x, &w, &w).is_err());
    let narrower = value(&one_to(4), &[1, 2, 1, 2]);
    for result in [
        ops::residual(tape, &x, &narrower, 1.0, true),
        ops::concat(tape, &[x.clone(), narrower.clone()]),
        ops::concat(tape, &[]),
    ] {
        assert!(matches!(result, Err(Error::Shape { .. })), "{result:?}");
    }
    let single = Value::constant(Tensor::zeros((1, 2, 2, 2), DType::F32, &Device::Cpu).unwrap());
    assert!(ops::residual(tape, &x, &single, 1.0, true).is_err());
    assert!(ops::concat(tape, &[x.clone(), single]).is_err());
    let integers = Value::constant(Tensor::from_slice(&[1_i64], &[1, 1, 1, 1], &Device::Cpu).unwrap());
    let error = ops::upsample_x2(tape, &integers).unwrap_err().to_string();
    assert!(error.starts_with("upsampling does not run on i64"), "{error}");
}
