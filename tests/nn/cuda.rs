//! Every operation on a CUDA device against the CPU, forward and backward, on odd sizes and channel counts. Needs
//! `RECOVNET_GOLDEN_DEVICE=cuda:N`; without it the tests say that they are skipped.

use recovnet::nn::ops::cuda::{self, GreyPlanes, Reading};
use recovnet::nn::ops::{self, Window};
use recovnet::nn::{DType, Device, Gradients, Result, Tape, Tensor, Value};
use recovnet::training::adam::{Adam, AdamForm};
use recovnet::training::augment::Transform;
use recovnet::training::loss;

use crate::golden::{device as golden_device, relative_l2};
use crate::reference::{flat, within};
use crate::vector::Vector;

/// The device, or `None` (said on standard error) where none is named.
fn device() -> Option<Device> {
    let device = std::env::var_os("RECOVNET_GOLDEN_DEVICE").map(|_| golden_device());
    let device = device.filter(Device::is_cuda);
    if device.is_none() {
        eprintln!("skipped: RECOVNET_GOLDEN_DEVICE names no CUDA device");
    }
    device
}

/// Numbers in -1..1 without a pattern.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64 / (1_u64 << 53) as f64 * 2.0 - 1.0) as f32
    };
    (0..n).map(|_| next()).collect()
}

fn tensor(shape: &[usize], seed: u64, dtype: DType, device: &Device) -> Tensor {
    // Multiples of 1/128, which bf16 has: both types and both devices begin with the same numbers.
    let values: Vec<f32> = numbers(shape.iter().product(), seed)
        .iter()
        .map(|v| (v * 128.0).round() / 128.0)
        .collect();
    let exact = Tensor::from_vec(values, shape, &Device::Cpu)
        .unwrap()
        .to_dtype(dtype)
        .unwrap();
    exact.to_device(device).unwrap()
}

/// An operation's output and the gradients of its inputs, in host memory.
fn run(
    device: &Device,
    dtype: DType,
    shapes: &[&[usize]],
    apply: &dyn Fn(&mut Tape, &[Value]) -> Result<Value>,
) -> Vec<Vec<f64>> {
    let mut tape = Tape::training();
    // Parameters and the head are f32 always.
    let of = |shape: &[usize]| if shape.len() < 4 { DType::F32 } else { dtype };
    let values: Vec<Value> = shapes
        .iter()
        .zip(1..)
        .map(|(shape, seed)| tape.watch(&tensor(shape, seed, of(shape), device)))
        .collect();
    let y = apply(&mut tape, &values).unwrap();
    let seed = tensor(y.tensor().dims(), 99, y.tensor().dtype(), device);
    let found = tape.backward(&[(&y, seed)]).unwrap().watched;
    let mut all = vec![flat(y.tensor())];
    all.extend(
        found
            .iter()
            .map(|g| flat(g.as_ref().expect("a gradient of every input"))),
    );
    all
}

/// Compares a device with the CPU: in f32, and in bf16 with the CPU's f32.
fn check(what: &str, shapes: &[&[usize]], apply: &dyn Fn(&mut Tape, &[Value]) -> Result<Value>) {
    let Some(device) = device() else { return };
    let expected = run(&Device::Cpu, DType::F32, shapes, apply);
    for (i, (found, expected)) in run(&device, DType::F32, shapes, apply)
        .iter()
        .zip(&expected)
        .enumerate()
    {
        let distance = relative_l2(found, expected);
        assert!(distance < 1e-5, "{what}, f32, result {i}: {distance} off the CPU's");
    }
    for (i, (found, expected)) in run(&device, DType::BF16, shapes, apply)
        .iter()
        .zip(&expected)
        .enumerate()
    {
        let distance = relative_l2(found, expected);
        // Eight bits of mantissa.
        assert!(distance < 3e-2, "{what}, bf16, result {i}: {distance} off the CPU's");
    }
}

#[test]
fn cuda_convolution() {
    let windows = [
        (Window::square(1, 1, 0), (5, 3)),
        (Window::square(3, 1, 1), (5, 3)),
        (Window::square(3, 2, 1), (6, 5)),
        (Window::square(7, 2, 3), (19, 16)),
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
        for (n, c, o) in [(1, 3, 4), (3, 16, 8), (2, 5, 7)] {
            let kernel = [o, window.kernel.0, window.kernel.1, c];
            check("convolution", &[&[n, h, w, c], &kernel, &[o]], &|tape, v| {
                ops::conv2d(tape, &v[0], &v[1], Some(&v[2]), window)
            });
        }
    }
}

#[test]
fn cuda_pools_and_resizing() {
    for (h, w) in [(7, 6), (9, 12)] {
        for c in [3, 16] {
            let shape: &[&[usize]] = &[&[2, h, w, c]];
            for window in [
                Window::square(3, 2, 1),
                Window::square(2, 2, 0),
                Window::square(3, 1, 1),
            ] {
                check("max pooling", shape, &|tape, v| ops::max_pool(tape, &v[0], window));
                for include in [true, false] {
                    check("average pooling", shape, &|tape, v| {
                        ops::average_pool(tape, &v[0], window, include)
                    });
                }
            }
            check("global average", shape, &|tape, v| {
                ops::global_average_pool(tape, &v[0])
            });
            check("upsampling", shape, &|tape, v| ops::upsample_x2(tape, &v[0]));
            for (rows, columns) in [(7, 5), (3, 3), (20, 31), (h, w)] {
                check("resize", shape, &|tape, v| {
                    ops::resize_bilinear(tape, &v[0], rows, columns)
                });
            }
        }
    }
}

#[test]
fn cuda_max_pool_keeps_nan() {
    let Some(device) = device() else { return };
    for place in 0..4 {
        let mut values = [1.0_f32, 4.0, 2.0, 3.0];
        values[place] = f32::NAN;
        let x = Tensor::from_slice(&values, &[1, 2, 2, 1], &device).unwrap();
        let y = ops::max_pool(&mut Tape::evaluation(), &Value::constant(x), Window::square(2, 2, 0)).unwrap();
        assert!(flat(y.tensor())[0].is_nan(), "NaN at {place} is lost");
    }
}

#[test]
fn cuda_batch_norm_over_one_and_several_parts() {
    let Some(device) = device() else { return };
    let devices = [Device::Cpu, device];
    for relu in [false, true] {
        for widths in [&[5_usize][..], &[16], &[64, 32, 32], &[4, 1, 3], &[72]] {
            let channels: usize = widths.iter().sum();
            let parts: Vec<[usize; 4]> = widths.iter().map(|c| [3, 7, 6, *c]).collect();
            let vector = [channels];
            let mut shapes: Vec<&[usize]> = parts.iter().map(<[usize; 4]>::as_slice).collect();
            shapes.extend([&vector[..], &vector[..]]);
            check("batch normalisation", &shapes, &|tape, v| {
                let (parts, affine) = v.split_at(v.len() - 2);
                let at = &devices[usize::from(v[0].tensor().device().is_cuda())];
                let statistics = tensor(&[channels], 7, DType::F32, at).sqr()?;
                let layer = ops::Norm {
                    name: "n",
                    gamma: &affine[0],
                    beta: &affine[1],
                    running_mean: &statistics,
                    running_variance: &statistics,
                    epsilon: 1e-3,
                    relu,
                };
                // Twice over the same parts, so that gradients are added to what is there.
                let first = ops::batch_norm(tape, parts, &layer)?;
                let second = ops::batch_norm(tape, parts, &layer)?;
                ops::residual(tape, &first, &second, 1.0, true)
            });
        }
    }
}

#[test]
fn cuda_residual_and_fully_connected() {
    check("residual", &[&[2, 3, 5, 3], &[2, 3, 5, 3]], &|tape, v| {
        let a = ops::residual(tape, &v[0], &v[1], 1.0, true)?;
        ops::residual(tape, &a, &v[0], 1.0, true)
    });
    check("fully connected", &[&[3, 40], &[2, 40], &[2]], &|tape, v| {
        ops::linear(tape, &v[0], &v[1], &v[2])
    });
}

#[test]
fn cuda_concatenation_and_scaled_residual() {
    let Some(device) = device() else { return };
    let parts: Vec<Tensor> = [4_usize, 1, 3]
        .iter()
        .zip(1..)
        .map(|(c, seed)| tensor(&[2, 3, 4, *c], seed, DType::F32, &Device::Cpu))
        .collect();
    let mut tape = Tape::training();
    let values: Vec<Value> = parts
        .iter()
        .map(|part| tape.watch(&part.to_device(&device).unwrap()))
        .collect();
    let joined = ops::concat(&mut tape, &values).unwrap();
    let expected = Tensor::cat(&parts, 3).unwrap();
    assert_eq!(flat(joined.tensor()), flat(&expected));
    let scaled = ops::residual(&mut tape, &joined, &joined, 0.25, false).unwrap();
    let seed = tensor(scaled.tensor().dims(), 9, DType::F32, &Device::Cpu);
    let found = tape
        .backward(&[(&scaled, seed.to_device(&device).unwrap())])
        .unwrap()
        .watched;
    let mut first = 0;
    for (part, gradient) in parts.iter().zip(found) {
        let c = part.dim(3).unwrap();
        let expected = flat(&seed.narrow(3, first, c).unwrap().contiguous().unwrap());
        let expected: Vec<f64> = expected.iter().map(|v| v * 1.25).collect();
        within(&flat(&gradient.unwrap()), &expected, 1e-6, "gradient of a part");
        first += c;
    }
}

#[test]
fn cuda_losses() {
    let Some(device) = device() else { return };
    let logits: Vec<f32> = numbers(2 * 9 * 7, 3).iter().map(|v| v * 12.0).collect();
    let masks: Vec<u8> = numbers(logits.len(), 4).iter().map(|v| u8::from(*v > 0.2)).collect();
    let upload = |values: &[f32], shape: &[usize]| Tensor::from_slice(values, shape, &device).unwrap();
    let targets = cuda::upload_bytes(&masks, &device).unwrap();
    let (found, gradient) = cuda::hybrid(&upload(&logits, &[2, 9, 7, 1]), &targets).unwrap();
    let (expected, slope) = loss::hybrid_from_logits(&logits, &masks);
    let found = Reading::of(&found).unwrap().wait().unwrap();
    assert!((found - expected.total()).abs() < 1e-12, "{found} {expected:?}");
    let slope: Vec<f64> = slope.iter().map(|v| f64::from(*v)).collect();
    within(&flat(&gradient), &slope, 1e-9, "gradient of the hybrid loss");

    let labels = &masks[..63];
    let targets = cuda::upload_bytes(labels, &device).unwrap();
    let (found, gradient) = cuda::cross_entropy(&upload(&logits, &[63, 2]), &targets).unwrap();
    let (expected, slope) = loss::cross_entropy(&logits, labels);
    let found = Reading::of(&found).unwrap().wait().unwrap();
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    let slope: Vec<f64> = slope.iter().map(|v| f64::from(*v)).collect();
    within(&flat(&gradient), &slope, 1e-9, "gradient of the cross-entropy");
}

#[test]
fn cuda_adam_leaves_everything_where_a_gradient_is_no_number() {
    let Some(device) = device() else { return };
    let mut network = Vector(tensor(&[40_001], 5, DType::F32, &device));
    let before = flat(&network.0);
    let mut values = vec![0.5_f32; 40_001];
    values[40_000] = f32::NAN;
    let bad = Tensor::from_vec(values, 40_001, &device).unwrap();
    let gradients: Gradients = [("vector".to_owned(), bad)].into_iter().collect();
    let mut adam = Adam::new(AdamForm::Torch);
    let norm = adam.step(&mut network, &gradients, 1e-2, Some(1.0)).unwrap();
    assert!(norm.wait().unwrap().is_nan());
    assert_eq!(flat(&network.0), before);
    let moments = adam.moments().unwrap();
    assert!(moments["vector"].first.iter().all(|&moment| moment == 0.0));
}

#[test]
fn cuda_adam_steps_as_the_cpu_does() {
    let Some(device) = device() else { return };
    // Gradients of 40,001 numbers are much longer than 1.
    for (form, clip) in [
        (AdamForm::Torch, None),
        (AdamForm::Keras, None),
        (AdamForm::Torch, Some(1.0)),
    ] {
        // More than one block's stretch.
        let n = 40_001;
        let start = |device: &Device| Vector(tensor(&[n], 5, DType::F32, device));
        let (mut here, mut there) = (start(&Device::Cpu), start(&device));
        let (mut one, mut other) = (Adam::new(form), Adam::new(form));
        for step in 0..3 {
            let gradient = |device: &Device| -> Gradients {
                [("vector".to_owned(), tensor(&[n], 20 + step, DType::F32, device))]
                    .into_iter()
                    .collect()
            };
            let norm = one.step(&mut here, &gradient(&Device::Cpu), 1e-2, clip).unwrap();
            let found = other.step(&mut there, &gradient(&device), 1e-2, clip).unwrap();
            within(&[found.wait().unwrap()], &[norm.wait().unwrap()], 1e-6, "norm");
        }
        within(&flat(&there.0), &flat(&here.0), 1e-6, "parameters");
        let (here, there) = (one.moments().unwrap(), other.moments().unwrap());
        let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        within(
            &wide(&there["vector"].first),
            &wide(&here["vector"].first),
            1e-7,
            "first moment",
        );
        within(
            &wide(&there["vector"].second),
            &wide(&here["vector"].second),
            1e-7,
            "second moment",
        );
    }
}

#[test]
fn cuda_warps_and_normalises_as_the_cpu_does() {
    let Some(device) = device() else { return };
    let (h, w) = (11, 13);
    let transforms = [(7.5, 0.8, -1.3), (-9.0, -1.1, 0.4), (0.0, 0.0, 0.0)];
    let levels: Vec<u16> = numbers(3 * h * w, 6)
        .iter()
        .map(|v| ((v + 1.0) * 32_767.0) as u16)
        .collect();
    let masks: Vec<u8> = levels.iter().map(|v| u8::from(*v > 30_000)).collect();
    let (mut matrices, mut expected, mut inside) = (Vec::new(), Vec::new(), Vec::new());
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    for (i, (theta_deg, tx, ty)) in transforms.into_iter().enumerate() {
        let transform = Transform { theta_deg, tx, ty };
        let [[a, b, c], [d, e, f]] = transform.matrix(h, w);
        matrices.push([a, b, c, d, e, f]);
        let range = i * h * w..(i + 1) * h * w;
        let grey: Vec<f32> = levels[range.clone()].iter().map(|v| f32::from(*v) / 65_535.0).collect();
        let warped = transform.apply(&grey, h, w);
        for k in 0..3 {
            expected.extend(warped.iter().map(|v| f64::from((v - mean[k]) / std[k])));
        }
        inside.extend(transform.apply_mask(&masks[range], h, w));
    }
    let planes = GreyPlanes {
        levels: &levels,
        masks: &masks,
        matrices: &matrices,
        size: (h, w),
        mean,
        std,
    };
    let (images, warped) = cuda::network_input(&planes, DType::F32, &device).unwrap();
    assert_eq!(images.dims(), [3, 3, h, w]);
    within(&flat(&images), &expected, 1e-5, "pictures");
    let warped: Vec<u8> = warped.unwrap().to_vec1().unwrap();
    assert_eq!(warped, inside);
}
