//! Views whose elements do not lie row by row: operations and their gradients are those of a copy that does.

use recovnet::nn::ops::{self, Window};
use recovnet::nn::{Device, Result, Tape, Tensor, Value};

use crate::reference::flat;

/// Numbers in -1..1 without a pattern, no two of a window alike.
fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let at = |i: usize| ((i * 7919 + seed * 104_729) % 10_007) as f32 / 5003.5 - 1.0;
    (0..n).map(at).collect()
}

fn tensor(shape: &[usize], seed: usize) -> Tensor {
    Tensor::from_vec(numbers(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
}

/// A view of a tensor with all axes in the other order; a vector is a column of a matrix.
fn transposed(shape: &[usize], seed: usize) -> Tensor {
    if let [n] = *shape {
        return tensor(&[n, 2], seed).narrow(1, 1, 1).unwrap().squeeze(1).unwrap();
    }
    let reversed: Vec<usize> = shape.iter().rev().copied().collect();
    let axes: Vec<usize> = (0..shape.len()).rev().collect();
    tensor(&reversed, seed).permute(axes).unwrap()
}

/// A view of the inner part of a tensor that is longer along its last axis; a vector is a column of a matrix.
fn narrowed(shape: &[usize], seed: usize) -> Tensor {
    let Some((&last, [_, ..])) = shape.split_last() else {
        return transposed(shape, seed);
    };
    let mut longer = shape.to_vec();
    longer[shape.len() - 1] += 3;
    tensor(&longer, seed).narrow(shape.len() - 1, 2, last).unwrap()
}

/// The output for constants; then the output and the gradients of all inputs.
fn run(inputs: &[Tensor], apply: &dyn Fn(&mut Tape, &[Value]) -> Result<Value>) -> Vec<Vec<f64>> {
    let constants: Vec<Value> = inputs.iter().cloned().map(Value::constant).collect();
    let at_rest = apply(&mut Tape::evaluation(), &constants).unwrap();
    let mut tape = Tape::training();
    let values: Vec<Value> = inputs.iter().map(|input| tape.watch(input)).collect();
    let y = apply(&mut tape, &values).unwrap();
    let found = tape.backward(&[(&y, transposed(y.dims(), 99))]).unwrap().watched;
    let gradients = found.iter().map(|gradient| flat(gradient.as_ref().unwrap()));
    let outputs = [flat(at_rest.tensor()), flat(y.tensor())];
    outputs.into_iter().chain(gradients).collect()
}

/// Compares an operation on views with the same on copies, number by number.
fn check(shapes: &[&[usize]], apply: &dyn Fn(&mut Tape, &[Value]) -> Result<Value>) {
    let forms: [fn(&[usize], usize) -> Tensor; 2] = [transposed, narrowed];
    for form in forms {
        let views: Vec<Tensor> = shapes.iter().zip(1..).map(|(shape, seed)| form(shape, seed)).collect();
        assert!(views.iter().all(|view| !view.is_contiguous()), "{shapes:?}");
        let copies: Vec<Tensor> = views.iter().map(|view| view.contiguous().unwrap()).collect();
        assert_eq!(run(&views, apply), run(&copies, apply), "{shapes:?}");
    }
}

#[test]
fn convolutions_of_views() {
    for window in [
        Window::square(1, 1, 0),
        Window::square(3, 1, 1),
        Window::square(3, 2, 1),
    ] {
        let kernel = [4, window.kernel.0, window.kernel.1, 5];
        check(&[&[2, 7, 6, 5], &kernel, &[4]], &|tape, v| {
            ops::conv2d(tape, &v[0], &v[1], Some(&v[2]), window)
        });
    }
}

#[test]
fn batch_norms_of_views() {
    let mean = transposed(&[5], 7);
    let variance = (transposed(&[5], 8).sqr().unwrap() + 0.5).unwrap();
    check(&[&[2, 3, 4, 2], &[2, 3, 4, 3], &[5], &[5]], &|tape, v| {
        let layer = ops::Norm {
            name: "norm",
            gamma: &v[2],
            beta: &v[3],
            running_mean: &mean,
            running_variance: &variance,
            epsilon: 1e-3,
            relu: true,
        };
        ops::batch_norm(tape, &v[..2], &layer)
    });
}

#[test]
fn pooling_and_resizing_of_views() {
    let window = Window::square(3, 2, 1);
    let shape: &[&[usize]] = &[&[2, 7, 6, 5]];
    check(shape, &|tape, v| ops::max_pool(tape, &v[0], window));
    check(shape, &|tape, v| ops::average_pool(tape, &v[0], window, false));
    check(shape, &|tape, v| ops::global_average_pool(tape, &v[0]));
    check(shape, &|tape, v| ops::upsample_x2(tape, &v[0]));
    check(shape, &|tape, v| ops::resize_bilinear(tape, &v[0], 5, 9));
}

#[test]
fn sums_and_fully_connected_layers_of_views() {
    check(&[&[3, 5], &[4, 5], &[4]], &|tape, v| {
        ops::linear(tape, &v[0], &v[1], &v[2])
    });
    check(&[&[2, 3, 4, 5], &[2, 3, 4, 5]], &|tape, v| {
        let joined = ops::concat(tape, v)?;
        let twice = ops::residual(tape, &v[0], &v[1], 0.5, true)?;
        ops::concat(tape, &[joined, twice])
    });
}
