//! `recovnet runs`, `models`, `audit` and what `evaluate` keeps: from a run to the model list and back.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use recovnet::nn::BackboneKind;
use recovnet::nn::card::Task;
use recovnet::training::dataset::{self, Options};
use recovnet::training::recipe::Recipe;
use recovnet::training::request::Request;
use recovnet::training::split::SplitRule;
use serde_json::{Value, json};

use crate::support::{self, write_chest};
use crate::{lines, recovnet, stderr, stdout, tree};

/// A folder with a data set, a finished run `runs/one` and a home of its own.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut table = String::from("file,label,group,source,mask,mask_style,mask_origin\n");
        for number in 0..16 {
            write_chest(&folder.path().join(format!("{number}.png")), 60, 60, number);
            let label = if number % 2 == 0 { "covid" } else { "normal" };
            let source = if number % 4 < 2 { "one" } else { "two" };
            // Patients 11 and 24 are in the validation part, one of each class.
            let patient = number + 11;
            writeln!(
                table,
                "{number}.png,{label},p{patient},{source},mask.png,lung-field,manual"
            )
            .unwrap();
        }
        fs::write(folder.path().join("manifest.csv"), table).unwrap();
        let mask = image::GrayImage::from_fn(60, 60, |x, _| image::Luma([if x < 30 { 255 } else { 0 }]));
        mask.save(folder.path().join("mask.png")).unwrap();
        let home = Self { folder };
        home.add_run("one", 3, 3, 0.9);
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A run as the trainer leaves it: `done` of `epochs` epochs, the random ReCovNet-v1 as best weights.
    fn add_run(&self, name: &str, done: usize, epochs: usize, score: f64) {
        let run = self.path().join("runs").join(name);
        fs::create_dir_all(&run).unwrap();
        let config = json!({
            "task": "recovnet", "encoder": "densenet121", "schedule": [{"epochs": epochs, "size": 64}],
            "rate": score / 1000.0, "augmentation": {"shift": 0.1},
        });
        fs::write(run.join("config.json"), config.to_string()).unwrap();
        let records = (1..=done).map(|epoch| {
            json!({
                "epoch": epoch, "epochs": epochs, "train_loss": 1.0 / epoch as f64, "validation_loss": 0.5,
                "metric": "roc_auc", "validation_score": score * epoch as f64 / done as f64, "best": true,
            })
        });
        let records: Vec<String> = records.map(|record| record.to_string()).collect();
        fs::write(run.join("metrics.jsonl"), records.join("\n")).unwrap();
        for ending in ["safetensors", "json"] {
            let from = support::weights_folder().join("recovnet-v1").with_extension(ending);
            fs::copy(from, run.join("best").with_extension(ending)).unwrap();
        }
    }

    /// Makes the run one that was trained on these data as the table parts them: 4 images for validation, 8 for the test.
    /// Returns the name of that split.
    fn part_by_the_table(&self, name: &str) -> String {
        let path = self.path().join("manifest.csv");
        let table = fs::read_to_string(&path).unwrap();
        let parted = table.lines().enumerate().map(|(line, text)| match line {
            0 => format!("{text},part"),
            1..=4 => format!("{text},val"),
            5..=12 => format!("{text},test"),
            _ => format!("{text},train"),
        });
        fs::write(&path, parted.collect::<Vec<_>>().join("\n")).unwrap();
        let run = self.path().join("runs").join(name);
        let config = Recipe::Scratch.config(Task::Recovnet, BackboneKind::DenseNet121);
        let mut request = Request::new(config, self.path(), &run);
        request.dataset.split_rule = Some(SplitRule::Predefined);
        fs::write(run.join("job.json"), serde_json::to_string(&request).unwrap()).unwrap();
        let options = Options {
            split_file: Some(run.join("split.json")),
            ..request.dataset
        };
        let split = dataset::open(self.path(), &options).unwrap().split.id;
        self.edit(&format!("runs/{name}/best.json"), |card| {
            card["split"] = split.clone().into();
        });
        split
    }

    /// Gives the run's weights other bytes and their card the hash of them.
    fn change_weights(&self, name: &str) {
        let run = self.path().join("runs").join(name);
        let mut bytes = fs::read(run.join("best.safetensors")).unwrap();
        // One bit of the last number: another network, as good as before.
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(run.join("best.safetensors"), &bytes).unwrap();
        self.edit(&format!("runs/{name}/best.json"), |card| {
            card["sha256"] = recovnet::nn::weights::sha256(&bytes).into();
        });
    }

    fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path().join(file);
        let mut value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(path, value.to_string()).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        recovnet(self.path())
            .env("XDG_DATA_HOME", self.path().join("home"))
            .args(arguments)
            .output()
            .unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    }

    fn fails(&self, arguments: &[&str], words: &[&str]) {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = stderr(&output);
        for word in words {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
        assert!(!error.contains("panicked"), "{error}");
    }

    fn audit_light(&self, light: &str) {
        self.edit("runs/one/audit/audit.json", |audit| audit["light"] = light.into());
    }

    fn listed(&self) -> Value {
        let card = self.path().join("home/recovnet/weights/recovnet-v1.json");
        serde_json::from_str(&fs::read_to_string(card).unwrap()).unwrap()
    }
}

#[test]
fn runs_are_listed_shown_and_noted() {
    let home = Home::new();
    home.add_run("two", 1, 3, 0.8);
    let broken = home.path().join("runs/broken");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("config.json"), "{").unwrap();
    fs::write(broken.join("metrics.jsonl"), "{\"epoch\": 1}\nno record\n").unwrap();
    fs::create_dir_all(home.path().join("runs/other")).unwrap();
    fs::write(home.path().join("runs/other/config.json"), "{\"name\": \"no run\"}").unwrap();
    let output = home.run(&["runs", "list", "runs", "--json"]);
    let runs = lines(&output);
    let state = |name: &str| {
        let run = runs.iter().find(|run| run["name"] == name).unwrap();
        (
            run["state"].as_str().unwrap().to_owned(),
            run["epochs_done"].as_u64().unwrap(),
        )
    };
    assert_eq!(runs.len(), 3);
    assert_eq!(state("one"), ("finished".to_owned(), 3));
    assert_eq!(state("two"), ("interrupted".to_owned(), 1));
    assert_eq!(state("broken"), ("interrupted".to_owned(), 1));
    let problem = runs.iter().find(|run| run["name"] == "broken").unwrap()["problem"].to_string();
    assert!(
        problem.contains("config.json") && problem.contains("line 2"),
        "{problem}"
    );

    let note = "more augmentation, Größe 64";
    home.succeeds(&["runs", "note", "runs/one", note]);
    assert_eq!(home.succeeds(&["runs", "note", "runs/one"]).trim(), note);
    let shown = home.succeeds(&["runs", "show", "runs/one"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["notes"], note);
    assert_eq!(shown["best"], json!({"epoch": 3, "score": 0.9, "metric": "roc_auc"}));
    assert_eq!(shown["curves"]["train_loss"][1], json!([2.0, 0.5]));
    home.fails(&["runs", "show", "runs"], &["runs", "no run lies here"]);
    home.fails(&["runs", "note", "runs/other", "x"], &["no run lies here"]);
    home.fails(&["runs", "list", "nowhere"], &["nowhere", "cannot be listed"]);
}

#[test]
fn a_run_that_failed_or_goes_on_says_so() {
    let home = Home::new();
    let events = home.path().join("runs/one/events.jsonl");
    fs::write(
        &events,
        "{\"event\":\"epoch\"}\n{\"event\":\"failed\",\"reason\":\"the disk is full\"}\n",
    )
    .unwrap();
    let state = || {
        let run = &lines(&home.run(&["runs", "list", "runs", "--json"]))[0];
        (
            run["state"].as_str().unwrap().to_owned(),
            run["problem"].as_str().map(str::to_owned),
        )
    };
    assert_eq!(state(), ("failed".to_owned(), Some("the disk is full".to_owned())));
    fs::write(&events, "{\"event\":\"finished\"}\n").unwrap();
    assert_eq!(state(), ("finished".to_owned(), None));
}

#[test]
fn a_run_goes_on_while_its_lock_is_held_and_not_for_the_number_in_it() {
    let home = Home::new();
    home.add_run("two", 1, 3, 0.8);
    let lock = home.path().join("runs/two/run.lock");
    // A process of this number is alive, but it is not at the run: who had the number before died.
    fs::write(&lock, format!("{}\n", std::process::id())).unwrap();
    let state = || {
        let shown = home.succeeds(&["runs", "show", "runs/two", "--json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(), "interrupted");
    let held = fs::OpenOptions::new().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    assert_eq!(state(), "running");
    home.fails(&["runs", "delete", "runs/two"], &["a process is training"]);
    drop(held);
    home.succeeds(&["runs", "delete", "runs/two"]);
}

#[test]
fn a_deleted_run_is_in_the_trash() {
    let home = Home::new();
    home.fails(&["runs", "delete", "manifest.csv"], &["manifest.csv", "no run"]);
    home.succeeds(&["runs", "delete", "runs/one"]);
    assert!(!home.path().join("runs/one").exists());
    let trash = tree(&home.path().join("home/Trash"));
    assert!(trash.contains(&"files/one/metrics.jsonl".to_owned()), "{trash:?}");
    assert!(trash.contains(&"info/one.trashinfo".to_owned()), "{trash:?}");
}

#[test]
fn evaluations_of_two_runs_are_kept_and_compared() {
    let home = Home::new();
    home.add_run("two", 2, 3, 0.7);
    let evaluate = |run: &str| {
        let folder = format!("runs/{run}");
        home.succeeds(&["evaluate", "--data", ".", "--split", "all", "--run", &folder]);
    };
    evaluate("one");
    let compared = |second: &str| -> Value {
        serde_json::from_str(&home.succeeds(&["runs", "compare", "runs/one", second])).unwrap()
    };
    let alone = compared("runs/two");
    assert_eq!(alone["mcnemar"], Value::Null);
    assert!(
        alone["notes"][0]
            .as_str()
            .unwrap()
            .contains("evaluate both on the same one")
    );
    evaluate("two");
    assert!(tree(&home.path().join("runs/two/evaluation/all")).contains(&"images.csv".to_owned()));
    let both = compared("runs/two");
    assert_eq!(both["split"], "all");
    // The same weights on the same images: nothing is discordant.
    assert_eq!(
        (&both["mcnemar"]["only_first"], &both["mcnemar"]["p"]),
        (&json!(0), &json!(1.0))
    );
    let names: Vec<&str> = both["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| setting["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["rate"]);
    let figures = both["figures"].as_array().unwrap();
    assert!(figures.iter().any(|figure| figure["name"] == "roc_auc"));
}

#[test]
fn an_evaluation_is_written_with_tables_and_drawings() {
    let home = Home::new();
    let weights = support::weights_folder().join("recovnet-v1.safetensors");
    let arguments = [
        "evaluate",
        "--data",
        ".",
        "--out",
        "out",
        "--weights-file",
        weights.to_str().unwrap(),
    ];
    let printed: Value = serde_json::from_str(&home.succeeds(&arguments)).unwrap();
    let out = home.path().join("out");
    let mut expected = vec!["evaluation.json".to_owned()];
    for table in ["images", "precision_recall", "reliability", "roc"] {
        expected.push(format!("{table}.csv"));
    }
    for drawing in ["confusion_matrix", "precision_recall", "reliability", "roc"] {
        expected.extend([format!("{drawing}.png"), format!("{drawing}.svg")]);
    }
    expected.sort();
    assert_eq!(tree(&out), expected);
    let kept: Value = serde_json::from_str(&fs::read_to_string(out.join("evaluation.json")).unwrap()).unwrap();
    assert_eq!(kept, printed);
    let picture = image::open(out.join("roc.png")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (1280, 1040));
    assert!(
        picture.pixels().any(|pixel| pixel.0 == [0, 114, 178]),
        "a curve is drawn"
    );
    let svg = fs::read_to_string(out.join("confusion_matrix.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Research use only, not a diagnosis"));
    home.fails(&["evaluate", "--data", ".", "--run", "runs"], &["no run lies here"]);
}

#[test]
fn a_network_that_was_kept_is_evaluated_beside_the_best_one() {
    let home = Home::new();
    let run = home.path().join("runs/one");
    for ending in ["safetensors", "json"] {
        let kept = run.join("epoch-0002").with_extension(ending);
        fs::copy(run.join("best").with_extension(ending), kept).unwrap();
    }
    let shown = home.succeeds(&["runs", "show", "runs/one"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["kept"], json!([2]));
    let arguments = ["--data", ".", "--split", "all", "--run", "runs/one", "--epoch"];
    let evaluated = home.succeeds(&[&["evaluate"], &arguments[..], &["2", "--out", "out"]].concat());
    let evaluated: Value = serde_json::from_str(&evaluated).unwrap();
    assert_eq!(evaluated["overall"]["images"], 16, "{evaluated}");
    assert!(home.path().join("out/evaluation.json").exists());
    assert!(
        !run.join("evaluation").exists(),
        "what the run keeps is of its best weights"
    );
    home.fails(
        &[&["evaluate"], &arguments[..], &["3"]].concat(),
        &["epoch 3 was not kept", "it was: 2", "--keep-every"],
    );
    let alone = home.run(&["evaluate", "--data", ".", "--epoch", "2"]);
    assert_eq!(alone.status.code(), Some(2), "an epoch is one of a run");
}

#[test]
fn runs_judged_by_other_metrics_are_compared_with_a_word_on_it() {
    let home = Home::new();
    home.add_run("two", 2, 3, 0.7);
    let path = home.path().join("runs/two/metrics.jsonl");
    let records = fs::read_to_string(&path).unwrap().replace("roc_auc", "loss");
    fs::write(&path, records).unwrap();
    let compared = home.succeeds(&["runs", "compare", "runs/one", "runs/two"]);
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let note = compared["notes"][0].as_str().unwrap();
    assert!(note.contains("best roc_auc") && note.contains("best loss"), "{note}");
}

#[test]
fn a_segmenter_is_evaluated_by_its_masks_and_promoted_without_an_audit() {
    let home = Home::new();
    let run = home.path().join("runs/lungs");
    fs::create_dir_all(&run).unwrap();
    let config = json!({"task": "segmenter", "encoder": "densenet121", "schedule": [{"epochs": 1, "size": 64}]});
    fs::write(run.join("config.json"), config.to_string()).unwrap();
    for ending in ["safetensors", "json"] {
        let from = support::weights_folder()
            .join("segmenter-densenet121")
            .with_extension(ending);
        fs::copy(from, run.join("best").with_extension(ending)).unwrap();
    }
    let report = home.succeeds(&["evaluate", "--data", ".", "--run", "runs/lungs"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let masks = &report["masks"]["lung-field/manual"];
    assert_eq!(masks["images"], 16);
    for figure in ["dice", "iou", "sensitivity", "specificity"] {
        let value = masks[figure]["value"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&value), "{figure} {value}");
    }
    assert!(masks["hd95_px"]["value"].as_f64().unwrap() > 0.0);
    assert_eq!(
        masks["hd95_mm"]["value"],
        Value::Null,
        "there is no spacing in these files"
    );
    assert_eq!(tree(&run.join("evaluation/all")), ["evaluation.json", "images.csv"]);
    let both = home.succeeds(&["runs", "compare", "runs/lungs", "runs/lungs"]);
    assert!(both.contains("dice on lung-field/manual"), "{both}");
    home.fails(
        &["audit", "--data", ".", "--run", "runs/lungs"],
        &["expected a classifier"],
    );
    home.succeeds(&["runs", "promote", "runs/lungs"]);
    assert!(
        home.path()
            .join("home/recovnet/weights/segmenter-densenet121.safetensors")
            .is_file()
    );
}

#[test]
fn promotion_needs_an_audit_and_against_red_a_reason() {
    let home = Home::new();
    let promote = ["runs", "promote", "runs/one"];
    home.fails(
        &promote,
        &["not promoted", "no shortcut audit", "recovnet audit --run runs/one"],
    );
    let audit = home.succeeds(&[
        "audit", "--data", ".", "--run", "runs/one", "--split", "all", "--out", "audit",
    ]);
    let audit: Value = serde_json::from_str(&audit).unwrap();
    assert_eq!(audit["regions"]["full"]["images"], 16);
    assert!(tree(&home.path().join("audit")).contains(&"audit_in_lung.png".to_owned()));
    home.audit_light("red");
    home.fails(&promote, &["the shortcut audit is red", "--reason"]);
    home.fails(&["runs", "promote", "runs/one", "--reason", "  why   "], &["--reason"]);
    let reason = "a teaching example of a shortcut";
    let with_reason = ["runs", "promote", "runs/one", "--reason", reason];
    home.fails(&with_reason, &["no temperature calibration", "--split val"]);
    assert!(
        !home.path().join("home/recovnet").exists(),
        "nothing was promoted silently"
    );
    home.succeeds(&["runs", "promote", "runs/one", "--reason", reason, "--data", "."]);
    let card = home.listed();
    assert_eq!(card["promotion"]["reason"], reason);
    assert_eq!(card["shortcut_audit"]["light"], "red");
    assert!(card["calibration"]["temperature"].as_f64().unwrap() > 0.0);
    assert_eq!(card["calibration"]["weights_sha256"], card["sha256"]);
}

#[test]
fn a_run_is_measured_on_the_split_that_it_was_trained_on() {
    let home = Home::new();
    let split = home.part_by_the_table("one");
    let measured = |command: &str, more: &[&str]| -> (Value, String) {
        let arguments = [&[command, "--data", ".", "--run", "runs/one", "--json", "-"][..], more].concat();
        let output = home.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        (lines(&output).remove(0), stderr(&output))
    };
    let (own, said) = measured("evaluate", &["--split", "test"]);
    assert_eq!(
        (&own["split_id"], &own["overall"]["images"]),
        (&json!(split), &json!(8))
    );
    assert!(
        said.contains("the run's own data") && !said.contains("warning"),
        "{said}"
    );
    let (other, said) = measured("evaluate", &["--split-rule", "hash"]);
    assert_ne!(other["split_id"], json!(split));
    assert!(said.contains("warning") && said.contains("parted otherwise"), "{said}");
    let (own, said) = measured("audit", &[]);
    assert_eq!(own["regions"]["full"]["images"], 8);
    assert!(!said.contains("warning"), "{said}");
    let (_, said) = measured("audit", &["--split-rule", "hash", "--split", "all"]);
    assert!(said.contains("parted otherwise"), "{said}");
}

#[test]
fn a_promotion_measures_on_the_split_that_the_run_was_trained_on() {
    let home = Home::new();
    let split = home.part_by_the_table("one");
    let reason = "a teaching example of a shortcut";
    let output = home.run(&["runs", "promote", "runs/one", "--data", ".", "--reason", reason]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));
    let kept = |file: &str| -> Value {
        let text = fs::read_to_string(home.path().join("runs/one").join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let validation = kept("evaluation/val/evaluation.json");
    assert_eq!(
        (&validation["split_id"], &validation["overall"]["images"]),
        (&json!(split), &json!(4))
    );
    assert_eq!(kept("audit/audit.json")["regions"]["full"]["images"], 8);

    // Weights of a split that is not this one: the figures may be of images that they learned from.
    let home = Home::new();
    home.edit("runs/one/best.json", |card| card["split"] = "another".into());
    let arguments = [
        "runs", "promote", "runs/one", "--data", ".", "--split", "all", "--reason", reason,
    ];
    let output = home.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("parted otherwise"), "{}", stderr(&output));
}

#[test]
fn an_audit_of_other_weights_or_a_changed_file_is_refused() {
    let home = Home::new();
    home.succeeds(&["audit", "--data", ".", "--run", "runs/one", "--split", "all"]);
    home.audit_light("green");
    home.change_weights("one");
    home.fails(&["runs", "promote", "runs/one"], &["audit is of other weights"]);
    let path = home.path().join("runs/one/best.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    home.fails(&["runs", "promote", "runs/one"], &["best.safetensors", "SHA-256"]);
}

#[test]
fn a_promoted_version_replaces_the_former_and_gives_way_to_it() {
    let home = Home::new();
    let promote = |more: &[&str]| {
        home.succeeds(&["audit", "--data", ".", "--run", "runs/one", "--split", "all"]);
        home.audit_light("green");
        let arguments = [&["runs", "promote", "runs/one", "--data", "."][..], more].concat();
        home.succeeds(&arguments)
    };
    promote(&["--threshold", "0.3"]);
    let first = home.listed();
    assert_eq!(
        (&first["threshold"], &first["threshold_rule"]),
        (&json!(0.3), &json!("chosen by the user"))
    );
    assert_eq!(first["shortcut_audit"]["light"], "green");
    home.fails(&["runs", "rollback", "recovnet-v1"], &["no former version"]);
    home.change_weights("one");
    let said = promote(&[]);
    assert!(said.contains("it replaces version 0.0.0-random"), "{said}");
    let second = home.listed();
    assert_ne!(second["sha256"], first["sha256"]);
    assert_eq!(
        second["version"], "0.0.0-random-2",
        "a version belongs to one set of weights"
    );
    home.succeeds(&["runs", "rollback", "recovnet-v1"]);
    assert_eq!(home.listed(), first);
    let hash = second["sha256"].as_str().unwrap();
    home.succeeds(&["runs", "rollback", "recovnet-v1", "--to", &hash[..10]]);
    assert_eq!(home.listed(), second);
    home.fails(
        &["runs", "rollback", "recovnet-v1", "--to", "1999"],
        &["no version '1999'", "0.0.0-random-2"],
    );
    let models = lines(&home.run(&["models", "--json", "-"]));
    let v1 = models.iter().find(|model| model["name"] == "recovnet-v1").unwrap();
    assert_eq!(v1["versions"].as_array().unwrap().len(), 2);
    home.succeeds(&["runs", "rollback", "recovnet-v1", "--to", "shipped"]);
    assert!(
        !home
            .path()
            .join("home/recovnet/weights/recovnet-v1.safetensors")
            .exists()
    );
    assert_eq!(home.run(&["runs", "rollback", "vgg16"]).status.code(), Some(2));
}

#[test]
fn the_model_list_says_how_to_get_what_is_missing() {
    let home = Home::new();
    let models = lines(&home.run(&["models"]));
    assert_eq!(models.len(), 9);
    let find = |name: &str| models.iter().find(|model| model["name"] == name).unwrap();
    assert_eq!(find("recovnet-v1")["state"], "ready");
    assert_eq!(find("recovnet-v1")["card"]["task"], "recovnet");
    assert_eq!(find("resnet50")["state"], "missing");
    let how = find("recovnet-v2")["how_to_train"].as_str().unwrap();
    for part in [
        "train segmenter --encoder resnet50",
        "train recovnet --encoder resnet50",
        "runs promote",
    ] {
        assert!(how.contains(part), "{part} is not in: {how}");
    }
}
