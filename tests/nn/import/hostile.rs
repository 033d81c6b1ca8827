//! Files that are empty, cut short, of other things, or made to harm: an error that says so, and nothing else.

use proptest::prelude::*;
use recovnet::nn::BackboneKind;
use recovnet::nn::import::report::Fate;

use super::import;
use super::writers::{self, Named};

/// Why a file is refused, by its reading or by its report.
fn refusal(bytes: &[u8], name: &str) -> String {
    match import(bytes, name, BackboneKind::DenseNet121) {
        Err(error) => error,
        Ok(imported) => imported.report.problem.expect("it is refused"),
    }
}

fn expect(bytes: &[u8], name: &str, words: &[&str]) {
    let error = refusal(bytes, name);
    for word in words {
        assert!(error.contains(word), "'{word}' is not in: {error}");
    }
}

/// Three tensors, one of them of `DenseNet`.
fn few() -> Vec<Named> {
    let named = |name: &str, shape: &[usize]| Named {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: (0..shape.iter().product()).map(|i| i as f32).collect(),
    };
    vec![
        named("features.norm0.weight", &[64]),
        named("features.norm0.running_var", &[64]),
        named("fc.weight", &[2, 3]),
    ]
}

fn few_datasets() -> Vec<writers::Dataset> {
    let dataset = |path: &str, shape: &[usize]| (path.to_owned(), shape.to_vec(), vec![0.5; shape.iter().product()]);
    vec![
        dataset("conv1/bn/conv1/bn/gamma:0", &[64]),
        dataset("conv1/conv/conv1/conv/kernel:0", &[1, 1, 3, 2]),
        dataset("predictions/predictions/bias:0", &[4]),
    ]
}

/// A pickle inside both forms of `torch.save`.
fn around(pickle: &[u8]) -> [Vec<u8>; 2] {
    let mut legacy = writers::legacy_head();
    legacy.extend(pickle);
    legacy.extend(b"\x80\x02].");
    [writers::archive(pickle, &[]), legacy]
}

#[test]
fn what_is_no_weights_file_says_what_it_is() {
    expect(b"", "empty.pth", &["is empty", "fetch it again"]);
    expect(b"<!DOCTYPE html><title>404</title>", "w.h5", &["is a web page"]);
    expect(b"hello, world", "w.safetensors", &["no known format", ".pth or .h5"]);
    expect(
        b"\x80\x04K\x05.",
        "w.pth",
        &["is a pickle, but none that torch.save wrote"],
    );
    for nothing in around(b"\x80\x02}.") {
        expect(
            &nothing,
            "w.pth",
            &["holds no state_dict", "torch.save(model.state_dict(), FILE)"],
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let error = import::read(folder.path(), BackboneKind::ResNet50).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[test]
fn half_a_download_is_told_from_other_faults() {
    let whole: [(&str, Vec<u8>); 4] = [
        ("w.pth", writers::torch_zip(&few())),
        ("old.pth", writers::torch_legacy(&few())),
        ("w.safetensors", writers::safetensors(&few())),
        ("w.h5", writers::hdf5(&few_datasets())),
    ];
    for (name, bytes) in whole {
        // The file as it is can be read, but is not all of an encoder.
        let imported = import(&bytes, name, BackboneKind::DenseNet121).unwrap();
        assert!(imported.report.count(Fate::Missing) > 600, "{name}");
        for share in [2, 3, 10] {
            let error = refusal(&bytes[..bytes.len() / share], name);
            assert!(
                error.contains("get the file again") || error.contains("get it again"),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn a_pickle_with_code_in_it_is_named_and_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    let command = format!("touch {}", victim.display());
    let mut pickle = b"\x80\x02cposix\nsystem\n(X".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"tR.");
    for file in around(&pickle) {
        expect(
            &file,
            "evil.pth",
            &["contains code: posix.system", "nothing was executed", "safetensors"],
        );
    }
    expect(
        &pickle,
        "evil.pth",
        &["contains code: posix.system", "nothing was executed"],
    );
    assert!(!victim.exists());
    // The name alone, never called; as STACK_GLOBAL; as INST; hidden behind a harmless wrapper; a whole model.
    for code in [
        &b"\x80\x02cbuiltins\neval\n."[..],
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93.",
        b"(ios\nsystem\n.",
        b"\x80\x02}(X\x05\x00\x00\x00modelccollections\ndefaultdict\n)Rus.",
        b"\x80\x02ctorchvision.models.resnet\nResNet\n)\x81.",
        b"\x80\x02c\x1b[31m\nred\n.",
        b"\x80\x02\x82\x01.",
    ] {
        for file in around(code) {
            let error = refusal(&file, "evil.pth");
            assert!(
                error.contains("contains code") && error.contains("nothing was executed"),
                "{error}"
            );
            assert!(!error.contains('\x1b'), "{error:?}");
        }
    }
}

#[test]
fn pickle_bombs_do_not_go_off() {
    let deep = |opening: &[u8], times: usize| {
        let mut pickle = b"\x80\x02".to_vec();
        pickle.extend(opening.repeat(times));
        pickle.push(b'.');
        pickle
    };
    // A million lists, marks, or values; one in the other a hundred thousand deep.
    let mut nested = deep(b"]", 100_000);
    nested.pop();
    nested.extend(b"a".repeat(99_999));
    nested.push(b'.');
    // A list that doubles itself forty times: 2^40 items, were it copied.
    let mut doubling = b"\x80\x02]q\x00".to_vec();
    for level in 0..40_u8 {
        doubling.extend([b']', b'q', level + 1, b'(', b'h', level, b'h', level, b'e']);
    }
    doubling.push(b'.');
    // One list of pairs that is made a dictionary again and again.
    let mut copies = b"\x80\x02](".to_vec();
    copies.extend(b"K\x01K\x02\x86".repeat(50_000));
    copies.extend(b"eq\x00");
    copies.extend(b"0ccollections\nOrderedDict\nh\x00\x85R".repeat(10_000));
    copies.push(b'.');
    let itself = b"\x80\x02]q\x00h\x00a.";
    let wrapped = b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.";
    for pickle in [
        deep(b"]", 1 << 20),
        deep(b"(", 1 << 20),
        deep(b"N0", 1 << 20),
        nested,
        doubling,
        copies,
    ] {
        for file in around(&pickle) {
            refusal(&file, "bomb.pth");
        }
    }
    for pickle in [&itself[..], &wrapped[..]] {
        for file in around(pickle) {
            expect(&file, "loop.pth", &["holds no state_dict"]);
        }
    }
    // Lengths beyond the file, of every kind.
    for long in [
        &b"\x80\x02X\xff\xff\xff\xff."[..],
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02\x8a\xff.",
        b"\x80\x02cposix",
    ] {
        for file in around(long) {
            expect(&file, "long.pth", &["is cut short"]);
        }
    }
}

/// A state with one tensor whose shape, strides and storage may claim anything.
fn claiming(count: usize, shape: &[usize], strides: &[usize], storage: usize) -> Vec<u8> {
    let mut pickle = b"\x80\x02}X\x15\x00\x00\x00features.norm0.weight".to_vec();
    writers::tensor(&mut pickle, 0, count, shape, strides, false);
    pickle.extend(b"s.");
    writers::archive(&pickle, &[vec![0; storage]])
}

#[test]
fn tensors_that_claim_more_than_the_file_holds_are_refused() {
    let most = u32::MAX as usize >> 1;
    for (count, shape, strides, storage) in [
        (64, vec![64], vec![1], 64),
        (8, vec![64], vec![1], 256),
        (64, vec![64], vec![2], 256),
        (most, vec![most; 8], vec![most; 8], 256),
        (64, vec![64], vec![1, 1], 256),
        (64, vec![1; 9], vec![1; 9], 256),
    ] {
        let error = refusal(&claiming(count, &shape, &strides, storage), "claim.pth");
        assert!(
            error.contains("features.norm0.weight") && error.contains("get the file again"),
            "{error}"
        );
    }
    // Strides of 0 are one number a billion times: the shape is not ours, so nobody makes it.
    expect(
        &claiming(64, &[most, most], &[0, 0], 256),
        "wide.pth",
        &["another shape"],
    );
    // No number at all, from a storage that ends before.
    expect(
        &claiming(64, &[0, most, most], &[1, 1, 1], 0),
        "none.pth",
        &["another shape"],
    );
    let fits = import(&claiming(64, &[64], &[1], 256), "fits.pth", BackboneKind::DenseNet121).unwrap();
    assert_eq!(fits.report.count(Fate::Used), 1);
}

#[test]
fn archives_that_claim_more_than_they_hold_are_refused() {
    let whole = writers::torch_zip(&few());
    let directory = whole.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let end = whole.len() - 22;
    let broken = |at: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        refusal(&file, "w.pth")
    };
    // Size of the first entry; its place; the number of entries; the directory's place; its compression.
    for (at, value) in [
        (directory + 24, &[0xfe, 0xff, 0xff, 0xff][..]),
        (directory + 24, &[0xff; 4]),
        (directory + 42, &[0xff, 0xff, 0xff, 0x7f]),
        (end + 10, &[0xff; 2]),
        (end + 10, &[0xfe; 2]),
        (end + 16, &[0xfe; 4]),
    ] {
        assert!(
            broken(at, value).contains("is cut short or damaged"),
            "{}",
            broken(at, value)
        );
    }
    assert!(broken(directory + 10, &[8, 0]).contains("compressed entries"));
    expect(
        &writers::archive(b"\x80\x02}.", &[]).repeat(2),
        "twice.pth",
        &["state_dict"],
    );
}

#[test]
fn groups_that_contain_themselves_end() {
    expect(include_bytes!("loop.h5"), "loop.h5", &["may contain themselves"]);
}

#[test]
fn datasets_of_absurd_size_are_not_made() {
    // A kernel of 2^40 rows, and 64 numbers in a chunk of 2^28, both without a byte of storage.
    let imported = import(include_bytes!("huge.h5"), "huge.h5", BackboneKind::ResNet50).unwrap();
    let entry = |name: &str| {
        let tensors = &imported.report.tensors;
        tensors
            .iter()
            .find(|entry| entry.name.as_deref() == Some(name))
            .unwrap()
    };
    assert_eq!(entry("conv1.weight").fate, Fate::WrongShape);
    assert_eq!(entry("conv1.weight").shape[0], 1 << 40);
    assert_eq!(entry("bn1.bias").fate, Fate::BadValues);
    assert!(
        entry("bn1.bias").note.contains("chunks larger than itself"),
        "{}",
        entry("bn1.bias").note
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_files_are_refused_or_read(
        form in 0_usize..4,
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = match form {
            0 => writers::torch_zip(&few()),
            1 => writers::torch_legacy(&few()),
            2 => writers::hdf5(&few_datasets()),
            _ => include_bytes!("h5py.h5").to_vec(),
        };
        for (at, byte) in spots {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = import(&bytes, "spoilt", BackboneKind::ResNet50);
    }

    #[test]
    fn any_pickle_is_refused_or_read(
        body in prop::collection::vec(
            prop_oneof![
                3 => prop::sample::select(b"()[]{}.NRQbsuaetlhqKJMXcd012\x80\x85\x86\x87\x88\x8a\x8c\x93\x94\x95".to_vec()),
                1 => any::<u8>(),
            ],
            0..200,
        ),
    ) {
        let mut pickle = b"\x80\x02".to_vec();
        pickle.extend(&body);
        for file in around(&pickle) {
            let _ = import(&file, "any.pth", BackboneKind::ResNet50);
        }
    }

    #[test]
    fn any_bytes_behind_a_known_beginning_are_refused_or_read(
        beginning in prop::sample::select(vec![
            &b"PK\x03\x04"[..],
            b"\x89HDF\r\n\x1a\n",
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
            b"\x10\x00\x00\x00\x00\x00\x00\x00{",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [beginning, &rest].concat();
        prop_assert!(import(&bytes, "any", BackboneKind::ResNet50).is_err());
    }
}
