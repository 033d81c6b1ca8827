//! What networks refuse before they compute, and the number of threads that compute.

use recovnet::nn::ops::cpu::{MAX_THREADS, ThreadsError, check_threads, set_threads, threads};
use recovnet::nn::{BackboneKind, Classifier, DType, Device, Error, Graph, Segmenter, Tape, Tensor};

fn images(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn what_is_no_batch_of_pictures_is_refused_with_its_sizes() {
    let kind = BackboneKind::DenseNet121;
    let classifier = Classifier::new(kind, Graph::Torch, 1, &Device::Cpu).unwrap();
    let segmenter = Segmenter::new(kind, Graph::Torch, 1, &Device::Cpu).unwrap();
    let shapes: [(&[usize], &str); 5] = [
        (&[0, 3, 64, 64], "at least one"),
        (&[1, 3, 0, 64], "no pixels"),
        (&[1, 1, 64, 64], "[n, 3, h, w]"),
        (&[3, 64, 64], "[n, 3, h, w]"),
        (&[1, 64, 64, 3], "[n, 3, h, w]"),
    ];
    for (shape, part) in shapes {
        let input = images(shape);
        let errors = [
            classifier.predict(&input).err(),
            classifier.forward(&input, &mut Tape::training()).err(),
            segmenter.predict(&input).err(),
            segmenter.forward(&input, &mut Tape::training()).err(),
        ];
        for error in errors {
            let error = error.expect("this is no input");
            assert!(matches!(error, Error::Input { .. }), "{error}");
            let words = error.to_string();
            assert!(words.contains(&format!("{shape:?}")) && words.contains(part), "{words}");
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
