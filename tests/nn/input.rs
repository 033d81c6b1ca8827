//! What networks refuse before they compute, and the number of threads that compute.

use recovnet::nn::ops::cpu::{MAX_THREADS, ThreadsError, check_threads, set_threads, threads};
use recovnet::nn::{BackboneKind, Classifier, DType, Device, Error, Graph, Segmenter, Tape, Tensor, predict_both};

fn images(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

/// A network of each kind.
struct Networks(Classifier, Segmenter);

impl Networks {
    fn new() -> Self {
        let kind = BackboneKind::DenseNet121;
        let classifier = Classifier::new(kind, Graph::Torch, 1, &Device::Cpu).unwrap();
        let segmenter = Segmenter::new(kind, Graph::Torch, 1, &Device::Cpu).unwrap();
        Self(classifier, segmenter)
    }

    /// What every way into the networks says of an input that is none.
    fn refusals(&self, input: &Tensor) -> [Error; 5] {
        let Self(classifier, segmenter) = self;
        let errors = [
            classifier.predict(input).err(),
            classifier.forward(input, &mut Tape::training()).err(),
            segmenter.predict(input).err(),
            segmenter.forward(input, &mut Tape::training()).err(),
            predict_both((segmenter, input), (classifier, &images(&[1, 3, 64, 64]))).err(),
        ];
        errors.map(|error| error.expect("this is no input"))
    }
}

#[test]
fn what_is_no_batch_of_pictures_is_refused_with_its_sizes() {
    let networks = Networks::new();
    let shapes: [(&[usize], &str); 5] = [
        (&[0, 3, 64, 64], "at least one"),
        (&[1, 3, 0, 64], "no pixels"),
        (&[1, 1, 64, 64], "[n, 3, h, w]"),
        (&[3, 64, 64], "[n, 3, h, w]"),
        (&[1, 64, 64, 3], "[n, 3, h, w]"),
    ];
    for (shape, part) in shapes {
        for error in networks.refusals(&images(shape)) {
            assert!(matches!(error, Error::Input { .. }), "{error}");
            let words = error.to_string();
            assert!(words.contains(&format!("{shape:?}")) && words.contains(part), "{words}");
        }
    }
}

/// Four pictures, with a value in the second.
fn pictures_with(value: f32) -> Tensor {
    let mut values = vec![0.5; 4 * 3 * 64 * 64];
    values[2 * 3 * 64 * 64 - 1] = value;
    Tensor::from_vec(values, (4, 3, 64, 64), &Device::Cpu).unwrap()
}

#[test]
fn other_types_and_values_that_are_not_finite_are_refused() {
    let networks = Networks::new();
    let of = |dtype: DType| images(&[4, 3, 64, 64]).to_dtype(dtype).unwrap();
    // Rows and columns change places, without a copy.
    let turned = pictures_with(f32::NAN).transpose(2, 3).unwrap();
    let not_a_number = ": image 2 of 4 has a value that is not a number;";
    let infinite = ": image 2 of 4 has an infinite value;";
    for (input, part) in [
        (of(DType::U8), " of u8; convert them to f32,"),
        (of(DType::F64), " of f64; convert them to f32,"),
        (of(DType::BF16), " of bf16; convert them to f32,"),
        (pictures_with(f32::NAN), not_a_number),
        (turned, not_a_number),
        (pictures_with(f32::INFINITY), infinite),
        (pictures_with(f32::NEG_INFINITY), infinite),
    ] {
        for error in networks.refusals(&input) {
            let words = error.to_string();
            assert!(words.contains("[4, 3, 64, 64]") && words.contains(part), "{words}");
        }
    }
}

#[test]
fn the_number_of_threads_is_chosen_once() {
    for wrong in [0, MAX_THREADS + 1, usize::MAX] {
        assert_eq!(set_threads(wrong), Err(ThreadsError::OutOfRange(wrong)));
        assert!(
            check_threads(wrong)
                .unwrap_err()
                .to_string()
                .contains("choose 1 to 1024")
        );
    }
    let running = threads();
    assert_eq!(set_threads(running), Ok(()));
    let wanted = running + 1;
    assert_eq!(set_threads(wanted), Err(ThreadsError::Running { wanted, running }));
}
