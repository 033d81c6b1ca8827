//! The architecture as a check: which module may use which, which outside crate belongs where, and the habits of
//! the code base. Reads the text of `src/`, so a rule that is broken fails here even where the compiler is content.

mod rules;
mod source;
mod tokens;

use std::collections::BTreeSet;

use rules::{MOST_LINES, colours, dependencies, length, module_doc, names, outside_crates, unsafety, unwraps};
use source::{Source, sources};

/// Each top-level module, and the paths of this crate that it may name. Its own are always allowed.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("heap", &[]),
    ("atomic_file", &[]),
    ("markup", &[]),
    ("imaging", &[]),
    ("library", &["imaging"]),
    ("deidentify", &["atomic_file", "imaging"]),
    ("nn", &["atomic_file"]),
    ("findings", &["imaging"]),
    (
        "preprocess",
        &[
            "imaging",
            "nn::InputSpec",
            "nn::Aspect",
            "nn::Region",
            "nn::Error",
            "nn::Result",
        ],
    ),
    ("inference", &["imaging", "findings", "nn", "preprocess"]),
    (
        "training",
        &[
            "atomic_file",
            "heap",
            "markup",
            "imaging",
            "findings",
            "nn",
            "preprocess",
            "inference::activation",
            "inference::pipeline",
            "inference::models",
        ],
    ),
    (
        "report",
        &[
            "markup",
            "imaging",
            "findings",
            "training::evaluation",
            "training::audit",
        ],
    ),
    (
        "viewer",
        &[
            "atomic_file",
            "deidentify",
            "imaging",
            "library",
            "findings",
            "inference",
            "training",
            "report",
        ],
    ),
    (
        "cli",
        &[
            "atomic_file",
            "deidentify",
            "heap",
            "imaging",
            "library",
            "findings",
            "nn",
            "preprocess",
            "inference",
            "training",
            "report",
            "viewer",
        ],
    ),
    ("main", &["cli"]),
];

/// First name of an outside crate (`*` ends a prefix), and the modules that it belongs to.
const BELONGS: [(&str, &[&str]); 11] = [
    ("libc", &["heap"]),
    ("rusqlite", &["library"]),
    ("candle_*", &["nn", "preprocess", "inference", "training"]),
    ("cudarc", &["nn"]),
    ("libloading", &["nn"]),
    ("hdf5_pure", &["nn"]),
    ("egui*", &["viewer"]),
    ("eframe", &["viewer"]),
    ("wgpu*", &["viewer"]),
    ("dicom_*", &["imaging", "report"]),
    ("encoding_rs", &["imaging"]),
];

/// The only files with `unsafe`; every block there says why it is sound in a `SAFETY:` comment.
const UNSAFE_FILES: [&str; 25] = [
    "src/heap.rs",
    "src/nn/cuda_runtime/jumps.rs",
    "src/nn/cuda_runtime/mod.rs",
    "src/nn/ops/conv.rs",
    "src/nn/ops/cpu/adam.rs",
    "src/nn/ops/cpu/conv.rs",
    "src/nn/ops/cpu/gemm.rs",
    "src/nn/ops/cpu/mod.rs",
    "src/nn/ops/cpu/tile/avx2.rs",
    "src/nn/ops/cpu/tile/avx512.rs",
    "src/nn/ops/cpu/tile/mod.rs",
    "src/nn/ops/cpu/tile/portable.rs",
    "src/nn/ops/cuda/convolution.rs",
    "src/nn/ops/cuda/gpu.rs",
    "src/nn/ops/cuda/input.rs",
    "src/nn/ops/cuda/mod.rs",
    "src/nn/ops/cuda/optimiser.rs",
    "src/nn/ops/cuda/parts.rs",
    "src/nn/ops/cuda/window.rs",
    "src/nn/ops/cpu/lanes.rs",
    "src/nn/ops/cpu/winograd/mod.rs",
    "src/nn/ops/cpu/winograd/transform.rs",
    "src/nn/plan/mod.rs",
    "src/nn/plan/step.rs",
    "src/training/mapped.rs",
];

#[test]
fn modules_use_only_what_the_table_allows() {
    expect_none(&check_sources(dependencies));
}

#[test]
fn outside_crates_stay_where_they_belong() {
    expect_none(&check_sources(outside_crates));
}

#[test]
fn unsafe_stands_only_in_the_named_files_and_has_its_reason() {
    expect_none(&check_sources(|source| unsafety(source, &UNSAFE_FILES)));
    for file in UNSAFE_FILES {
        let source = sources().into_iter().find(|source| source.path == file);
        let still = source.is_some_and(|source| source.words().iter().any(|word| word.text == "unsafe"));
        assert!(still, "{file} is named for its unsafe code, but has none");
    }
}

#[test]
fn no_file_is_long() {
    expect_none(&check_sources(length));
}

#[test]
fn every_file_says_what_it_is() {
    expect_none(&check_sources(module_doc));
}

#[test]
fn no_name_is_empty() {
    expect_none(&check_sources(names));
}

#[test]
fn nothing_unwraps_outside_tests() {
    expect_none(&check_sources(unwraps));
}

#[test]
fn colours_stand_in_the_theme() {
    expect_none(&check_sources(colours));
}

#[test]
fn the_table_names_every_module() {
    let found: BTreeSet<String> = sources()
        .iter()
        .filter_map(|source| source.module.first().cloned())
        .collect();
    let named: BTreeSet<String> = MAY_USE.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(found, named);
}

fn expect_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} broken:\n{}", faults.len(), faults.join("\n"));
}

fn check_sources(rule: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    sources().iter().flat_map(rule).collect()
}

/// Faults of one rule on a made-up file.
fn faults(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) -> usize {
    rule(&Source::new(path, text)).len()
}

#[test]
fn the_dependency_rule_reads_every_form_of_a_path() {
    let check = |path: &str, text: &str, expected: usize| {
        assert_eq!(faults(dependencies, path, text), expected, "{path}: {text}");
    };
    check(
        "src/imaging/lut.rs",
        "use crate::imaging::Samples; use super::Samples; use self::a::B;",
        0,
    );
    check("src/imaging/lut.rs", "use crate::nn::Tensor;", 1);
    check(
        "src/imaging/lut.rs",
        "use crate::{imaging::Samples, findings::{Mask, Lungs}};",
        2,
    );
    check("src/imaging/lut.rs", "use super::super::findings::Mask;", 1);
    check(
        "src/imaging/mod.rs",
        "mod inner { use super::super::report::Figure; use super::lut; }",
        1,
    );
    check(
        "src/findings.rs",
        "fn f() { crate::imaging::open(); super::viewer::run(); }",
        1,
    );
    check("src/findings.rs", "use super::*;", 1);
    check("src/findings.rs", "mod tests { use super::*; }", 0);
    check(
        "src/findings.rs",
        "// use crate::nn::Tensor;\nconst S: &str = \"crate::nn::Tensor\";",
        0,
    );
    check("src/findings.rs", "fn f() { println!(\"{}\", crate::cli::run()); }", 1);
    check(
        "src/viewer/app.rs",
        "use crate::inference::engine::Engine; use crate::training::Event;",
        0,
    );
    check("src/viewer/app.rs", "pub(crate) fn f(a: &crate::nn::Tensor) {}", 1);
    check("src/preprocess.rs", "use crate::nn::{Aspect, Error, InputSpec};", 0);
    check("src/preprocess.rs", "use crate::nn::{self, Segmenter};", 2);
    check(
        "src/training/trainer.rs",
        "use crate::inference::pipeline::run; use crate::inference::engine::Engine;",
        1,
    );
    check(
        "src/main.rs",
        "fn main() { recovnet::cli::run(); recovnet::nn::run(); }",
        1,
    );
}

#[test]
fn the_crate_rule_sees_uses_and_plain_paths() {
    let check = |path: &str, text: &str, expected: usize| {
        assert_eq!(faults(outside_crates, path, text), expected, "{path}: {text}");
    };
    check("src/nn/mod.rs", "use candle_core::Tensor; fn f() { gemm::gemm(); }", 0);
    check(
        "src/viewer/app.rs",
        "use candle_core::Tensor; use eframe::egui; use egui_extras as e;",
        1,
    );
    check("src/cli/doctor.rs", "fn f() { let i = wgpu::Instance::default(); }", 1);
    check(
        "src/cli/doctor.rs",
        "use crate::nn::gemm::f; fn g(egui: u8) -> u8 { egui }",
        0,
    );
    check("src/findings.rs", "use dicom_object;", 1);
}

#[test]
fn the_other_rules_find_their_faults() {
    let file = "src/nn/ops.rs";
    assert_eq!(
        faults(|source| unsafety(source, &[]), file, "fn f() { unsafe { g() } }"),
        1
    );
    assert_eq!(
        faults(|source| unsafety(source, &[file]), file, "fn f() { unsafe { g() } }"),
        1
    );
    assert_eq!(
        faults(
            |source| unsafety(source, &[file]),
            file,
            "// SAFETY: g is.\nfn f() { unsafe { g() } }"
        ),
        0
    );
    assert_eq!(faults(length, file, &"\n".repeat(MOST_LINES + 1)), 1);
    assert_eq!(faults(length, file, &"\n".repeat(MOST_LINES)), 0);
    assert_eq!(faults(module_doc, file, "use std::io;"), 1);
    assert_eq!(faults(module_doc, file, "//! Operations.\nuse std::io;"), 0);
    assert_eq!(
        faults(names, "src/nn/utils.rs", "struct ModelManager; fn help_reader() {}"),
        2
    );
    assert_eq!(faults(names, file, "mod io_helpers {}"), 1);
    assert_eq!(faults(names, file, "fn utilise() {}"), 0);
    assert_eq!(faults(unwraps, file, "fn f() { g().unwrap(); g().unwrap_or(1); }"), 1);
    assert_eq!(
        faults(unwraps, file, "#[cfg(test)]\nmod tests { fn f() { g().unwrap(); } }"),
        0
    );
    assert_eq!(
        faults(unwraps, file, "#[cfg(test)]\nuse a::b;\nfn f() { g().unwrap(); }"),
        1
    );
    assert_eq!(
        faults(unwraps, file, "#[test]\n#[ignore = \"slow\"]\nfn f() { g().unwrap(); }"),
        0
    );
    assert_eq!(
        faults(
            colours,
            "src/viewer/app.rs",
            "fn f() { Color32::from_rgb(1, 2, 3); egui::Color32::RED; }"
        ),
        2
    );
    assert_eq!(
        faults(
            colours,
            "src/viewer/theme.rs",
            "const A: Color32 = Color32::from_rgb(1, 2, 3);"
        ),
        0
    );
}
