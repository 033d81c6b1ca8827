//! Every operation's gradient against central finite differences in f64, on odd sizes and channel counts.

use recovnet::nn::ops::{self, Window};
use recovnet::nn::{DType, Device, Result, Tape, Tensor, Value};

use crate::reference::{flat, within};

/// Numbers in -1..1 without a pattern, distinct enough that no maximum is tied.
fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64 * 2.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

/// Compares gradients of a weighted sum of the operation's output with finite differences, for every element of
/// every input. `apply` must use all inputs.
fn check(shapes: &[&[usize]], apply: impl Fn(&mut Tape, &[Value]) -> Result<Value>) {
    let inputs: Vec<Vec<f64>> = shapes
        .iter()
        .enumerate()
        .map(|(i, s)| numbers(s.iter().product(), i as u64 + 1))
        .collect();
    let run = |inputs: &[Vec<f64>]| {
        let mut tape = Tape::training();
        let values: Vec<Value> = inputs
            .iter()
            .zip(shapes)
            .map(|(v, s)| tape.watch(&tensor(v, s)))
            .collect();
        let y = apply(&mut tape, &values).unwrap();
        (tape, y)
    };
    let (tape, y) = run(&inputs);
    let seed = numbers(y.tensor().elem_count(), 99);
    let score =
        |inputs: &[Vec<f64>]| -> f64 { flat(run(inputs).1.tensor()).iter().zip(&seed).map(|(y, s)| y * s).sum() };
    let seeds = [(&y, tensor(&seed, y.tensor().dims()))];
    let found = tape.backward(&seeds).unwrap().watched;
    let step = 1e-5;
    for (i, gradient) in found.iter().enumerate() {
        let gradient = flat(gradient.as_ref().unwrap_or_else(|| panic!("no gradient of input {i}")));
        for j in 0..gradient.len() {
            let mut moved = inputs.clone();
            moved[i][j] += step;
            let above = score(&moved);
            moved[i][j] -= 2.0 * step;
            let numeric = (above - score(&moved)) / (2.0 * step);
            let limit = 1e-6 * numeric.abs().max(1.0);
            assert!(
                (gradient[j] - numeric).abs() < limit,
                "input {i}[{j}]: {} and {numeric}",
                gradient[j]
            );
        }
    }
}

#[test]
fn convolution() {
    let windows = [
        (Window::square(1, 1, 0), (5, 3)),
        (Window::square(3, 1, 1), (5, 3)),
        (Window::square(3, 2, 1), (6, 5)),
        (Window::square(7, 2, 3), (9, 6)),
        (Window::square(1, 2, 0), (5, 4)),
        (
            Window {
                kernel: (1, 7),
                stride: (1, 1),
                padding: (0, 3),
            },
            (3, 8),
        ),
        (
            Window {
                kernel: (3, 2),
                stride: (2, 3),
                padding: (0, 1),
            },
            (7, 8),
        ),
    ];
    for (window, (h, w)) in windows {
        for n in [1, 3] {
            let kernel = [4, window.kernel.0, window.kernel.1, 3];
            check(&[&[n, h, w, 3], &kernel, &[4]], |tape, v| {
                ops::conv2d(tape, &v[0], &v[1], Some(&v[2]), window)
            });
        }
    }
}

/// A convolution's output and the gradients of input, kernel and bias, from the same f32 numbers in either type.
fn convolved(shapes: [&[usize]; 3], window: Window, dtype: DType) -> Vec<Vec<f64>> {
    let of = |shape: &[usize], seed: u64| {
        let rounded = tensor(&numbers(shape.iter().product(), seed), shape).to_dtype(DType::F32);
        rounded.and_then(|t| t.to_dtype(dtype)).unwrap()
    };
    let mut tape = Tape::training();
    let [x, weight, bias] = [(0, 1), (1, 2), (2, 3)].map(|(i, seed)| tape.watch(&of(shapes[i], seed)));
    let y = ops::conv2d(&mut tape, &x, &weight, Some(&bias), window).unwrap();
    let found = tape.backward(&[(&y, of(y.dims(), 99))]).unwrap().watched;
    let gradients = found.iter().map(|gradient| flat(gradient.as_ref().unwrap()));
    std::iter::once(flat(y.tensor())).chain(gradients).collect()
}

/// f64 is computed by the portable kernels alone. No vector divides these channels, and no block of rows these pixels.
#[test]
fn convolution_in_f32_agrees_with_f64_at_the_edges_of_vectors() {
    let (h, w) = (9, 5);
    for window in [
        Window::square(1, 1, 0),
        Window::square(3, 1, 1),
        Window::square(3, 2, 1),
    ] {
        for (c, o) in [(33, 33), (33, 65), (65, 33), (65, 65)] {
            for n in [1, 3] {
                let (side, _) = window.kernel;
                let (x, weight) = ([n, h, w, c], [o, side, side, c]);
                let run = |dtype| convolved([&x, &weight, &[o]], window, dtype);
                let names = ["output", "gradient of the input", "of the kernel", "of the bias"];
                for ((found, expected), name) in run(DType::F32).iter().zip(&run(DType::F64)).zip(names) {
                    let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                    let what = format!("{window:?}, {n} x {c} to {o}: {name}");
                    within(found, expected, 1e-5 * largest, &what);
                }
            }
        }
    }
}

#[test]
fn max_pool() {
    for (window, (h, w)) in [(Window::square(3, 2, 1), (7, 6)), (Window::square(2, 2, 0), (5, 4))] {
        check(&[&[2, h, w, 3]], |tape, v| ops::max_pool(tape, &v[0], window));
    }
}

#[test]
fn average_pool() {
    for include in [true, false] {
        for (window, (h, w)) in [(Window::square(2, 2, 0), (5, 4)), (Window::square(3, 1, 1), (4, 5))] {
            check(&[&[2, h, w, 3]], |tape, v| {
                ops::average_pool(tape, &v[0], window, include)
            });
        }
    }
}

#[test]
fn resize_upsample_and_global_average() {
    check(&[&[2, 3, 2, 3]], |tape, v| ops::upsample_x2(tape, &v[0]));
    check(&[&[2, 3, 4, 2]], |tape, v| ops::resize_bilinear(tape, &v[0], 7, 5));
    check(&[&[1, 5, 4, 2]], |tape, v| ops::resize_bilinear(tape, &v[0], 3, 3));
    check(&[&[2, 3, 2, 3]], |tape, v| ops::global_average_pool(tape, &v[0]));
}

#[test]
fn batch_norm_over_one_and_several_parts() {
    let statistics = (tensor(&[0.0; 5], &[5]), tensor(&[1.0; 5], &[5]));
    for relu in [false, true] {
        let norm = |tape: &mut Tape, parts: &[Value], gamma: &Value, beta: &Value| {
            let (running_mean, running_variance) = (&statistics.0, &statistics.1);
            let layer = ops::Norm {
                name: "n",
                gamma,
                beta,
                running_mean,
                running_variance,
                epsilon: 1e-3,
                relu,
            };
            ops::batch_norm(tape, parts, &layer)
        };
        check(&[&[2, 3, 3, 5], &[5], &[5]], |tape, v| {
            norm(tape, &v[..1], &v[1], &v[2])
        });
        check(&[&[2, 3, 3, 4], &[2, 3, 3, 1], &[5], &[5]], |tape, v| {
            norm(tape, &v[..2], &v[2], &v[3])
        });
    }
}

#[test]
fn residual_sum_and_fully_connected() {
    for (scale, relu) in [(1.0, true), (0.17, true), (0.2, false), (1.0, false)] {
        check(&[&[2, 2, 2, 3], &[2, 2, 2, 3]], |tape, v| {
            ops::residual(tape, &v[0], &v[1], scale, relu)
        });
    }
    check(&[&[3, 4], &[2, 4], &[2]], |tape, v| {
        ops::linear(tape, &v[0], &v[1], &v[2])
    });
}

#[test]
fn concatenation() {
    check(&[&[2, 3, 2, 3]], ops::concat);
    check(&[&[2, 3, 2, 1], &[2, 3, 2, 5], &[2, 3, 2, 2]], ops::concat);
    // A constant between two that are watched gets nothing and shifts nothing.
    let constant = Value::constant(tensor(&numbers(6, 7), &[1, 3, 1, 2]));
    check(&[&[1, 3, 1, 3], &[1, 3, 1, 1]], |tape, v| {
        ops::concat(tape, &[v[0].clone(), constant.clone(), v[1].clone()])
    });
}

/// A value with several readers gets the sum of their gradients, and none of them sees another's buffer change.
#[test]
fn gradients_of_a_shared_value_add_up() {
    check(&[&[1, 3, 3, 2]], |tape, v| {
        let a = ops::residual(tape, &v[0], &v[0], 1.0, true)?;
        let b = ops::residual(tape, &a, &v[0], 1.0, false)?;
        let c = ops::concat(tape, &[b.clone(), a.clone(), b])?;
        let d = ops::concat(tape, &[a.clone(), v[0].clone(), a])?;
        ops::residual(tape, &c, &d, 0.5, true)
    });
}
