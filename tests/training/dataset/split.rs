//! Rules and split files on rows without images.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use recovnet::training::dataset::{Category, Options};
use recovnet::training::manifest::Row;
use recovnet::training::split::{Leakage, Part, SPLIT_VERSION, Split, SplitRule, file};

use super::{Fixture, count};

/// Images of a category, so many a patient in turn.
fn rows(category: Category, images: usize, per_patient: usize) -> Vec<Row> {
    let row = |i: usize| Row {
        category,
        group: format!("{category}-{}", i / per_patient),
        ..Row::new(Path::new("."), &format!("{category}/{i}.png"), "x")
    };
    (0..images).map(row).collect()
}

/// Table 1 without ChestX-ray14, whose parts come with it.
fn table_1() -> Vec<Row> {
    [
        rows(Category::Covid19, 4603, 1),
        rows(Category::Bacterial, 2760, 3),
        rows(Category::Viral, 1485, 2),
        rows(Category::IndianaLateral, 3648, 1),
    ]
    .concat()
}

fn trained(rows: &[Row], category: Category) -> (usize, usize) {
    let of: Vec<&Row> = rows.iter().filter(|row| row.category == category).collect();
    let test = of.iter().filter(|row| row.part() == Part::Test).count();
    (of.len() - test, test)
}

#[test]
fn the_papers_counts_come_out_with_patients_kept_whole() {
    let mut rows = table_1();
    let split = Split::assign(&mut rows, SplitRule::Paper, 1).expect("parted");
    assert!(split.leakage.is_none());
    assert_eq!(trained(&rows, Category::Covid19), (3553, 1050));
    assert_eq!(trained(&rows, Category::IndianaLateral), (2816, 832));
    // Whole patients of three and of two.
    assert_eq!(trained(&rows, Category::Bacterial), (2130, 630));
    assert_eq!(trained(&rows, Category::Viral), (1146, 339));
    let validation = count(&rows, |row| row.part() == Part::Validation)[&true];
    assert_eq!(validation, 355 + 213 + 114 + 282);
    let before = rows.clone();
    rows.reverse();
    let again = Split::assign(&mut rows, SplitRule::Paper, 1).expect("parted");
    rows.reverse();
    assert!(again == split && rows == before, "the order of files has no say");
    let other = Split::assign(&mut rows, SplitRule::Paper, 2).expect("parted");
    assert_ne!(other.id, split.id);
}

#[test]
fn the_papers_random_split_leaks_and_says_so() {
    let mut rows = table_1();
    let split = Split::assign(&mut rows, SplitRule::PaperRandom, 1).expect("parted");
    assert_eq!(trained(&rows, Category::Bacterial), (2130, 630));
    assert_eq!(trained(&rows, Category::Viral), (1146, 339));
    assert!(split.leakage.groups > 300, "{:?}", split.leakage);
    assert_eq!(split.leakage, Leakage::of(&rows));
    let validation: BTreeSet<&str> = of_part(&rows, Part::Validation);
    assert!(
        validation.is_disjoint(&of_part(&rows, Part::Train)),
        "validation is taken by group all the same"
    );
}

fn of_part(rows: &[Row], part: Part) -> BTreeSet<&str> {
    rows.iter()
        .filter(|row| row.part() == part)
        .map(|row| row.group.as_str())
        .collect()
}

#[test]
fn the_hash_is_todays_split() {
    let mut rows = rows(Category::Other, 300, 2);
    let split = Split::assign(&mut rows, SplitRule::Hash, 99).expect("parted");
    assert_eq!(split.id, SPLIT_VERSION);
    assert!(
        rows.iter()
            .all(|row| row.assigned.is_none() && row.part() == Part::of(&row.group))
    );
    assert!(split.leakage.is_none());
}

#[test]
fn a_patient_of_two_categories_is_on_one_side() {
    let mut rows = rows(Category::Bacterial, 60, 2);
    let viral: Vec<Row> = rows
        .iter()
        .map(|row| Row {
            category: Category::Viral,
            file: format!("viral {}", row.file),
            ..row.clone()
        })
        .collect();
    rows.extend(viral);
    let split = Split::assign(&mut rows, SplitRule::Paper, 3).expect("parted");
    assert!(split.leakage.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn groups_are_whole_and_every_row_has_a_part(sizes in prop::collection::vec(1..9_usize, 1..60), seed in 0..1000_u64) {
        let mut rows: Vec<Row> = Vec::new();
        for (group, &size) in sizes.iter().enumerate() {
            rows.extend((0..size).map(|i| Row {
                group: format!("g{group}"),
                category: Category::Covid19,
                ..Row::new(Path::new("."), &format!("{group}-{i}.png"), "covid")
            }));
        }
        let split = Split::assign(&mut rows, SplitRule::Paper, seed).expect("parted");
        prop_assert!(split.leakage.is_none());
        let all: usize = sizes.iter().sum();
        let (train, test) = trained(&rows, Category::Covid19);
        let target = (all as f64 * 3553.0 / 4603.0).round() as usize;
        prop_assert!(train.abs_diff(target) <= 4 && train + test == all, "{train} of {all}, not {target}");
        prop_assert!(rows.iter().all(|row| row.assigned.is_some()));
    }
}

/// A data folder with a table of pictures that are not looked at.
fn folder(images: u32) -> Fixture {
    let fixture = Fixture::new();
    let mut table = "file,label,patient\n".to_owned();
    for i in 0..images {
        let label = if i % 3 == 0 { "covid" } else { "normal" };
        writeln!(table, "{i}.png,{label},p{}", i / 2).unwrap();
    }
    fixture.text("manifest.csv", &table);
    fixture
}

fn options(rule: Option<SplitRule>, file: &Path) -> Options {
    Options {
        split_rule: rule,
        split_file: Some(file.to_owned()),
        ..Options::default()
    }
}

#[test]
fn a_split_file_is_written_once_and_read_back() {
    let (fixture, kept) = (folder(60), Fixture::new());
    let file = kept.path().join("split ä.json");
    let first = fixture.open_with(&options(Some(SplitRule::PaperRandom), &file));
    assert!(!first.split.leakage.is_none());
    let bytes = std::fs::read(&file).expect("it was written");
    let again = fixture.open_with(&options(None, &file));
    assert_eq!((&again.rows, &again.split), (&first.rows, &first.split));
    assert_eq!(std::fs::read(&file).expect("still there"), bytes, "it is written once");
    let text = String::from_utf8(bytes).expect("text");
    assert!(
        text.contains("\"test_images\"") && !text.contains("\"p1\""),
        "leakage, but no patient"
    );
    let other_rule = fixture.refusal(&options(Some(SplitRule::Paper), &file));
    assert!(
        other_rule.contains("paper-random") && other_rule.contains("split ä.json"),
        "{other_rule}"
    );
    let hash = kept.path().join("hash.json");
    let plain = fixture.open_with(&options(None, &hash));
    assert_eq!(plain.split.id, SPLIT_VERSION);
    assert_eq!(fixture.open_with(&options(None, &hash)).split, plain.split);
}

#[test]
fn a_split_file_that_does_not_fit_is_refused() {
    let (fixture, kept) = (folder(20), Fixture::new());
    let file = kept.path().join("split.json");
    fixture.open_with(&options(Some(SplitRule::Paper), &file));
    let text = std::fs::read_to_string(&file).expect("it was written");
    let refused = |text: &str, word: &str| {
        std::fs::write(&file, text).expect("written");
        let error = fixture.refusal(&options(None, &file));
        assert!(error.contains("split.json") && error.contains(word), "{word}: {error}");
    };
    refused(&text.replace("\"version\": 1", "\"version\": 2"), "version 2");
    refused(&text.replace("recovnet-split", "other"), "this is a 'other'");
    refused(&text.replacen("\"7.png\"", "\"8.png\"", 1), "8.png twice");
    refused(&text.replacen("\"7.png\"", "\"70.png\"", 1), "7.png");
    refused("{}", "no split file");
    refused("file,part\n", "no split file");
    std::fs::write(&file, &text).expect("written");
    let changed = {
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let moved = value["train"].as_array_mut().expect("files").pop().expect("a file");
        value["test"].as_array_mut().expect("files").push(moved);
        value.to_string()
    };
    refused(&changed, "changed after it was written");
    std::fs::write(&file, &text).expect("written");
    let more = folder(22).refusal(&options(None, &file));
    assert!(more.contains("2 of 22 images") && more.contains("20.png"), "{more}");
    let fewer = folder(18).refusal(&options(None, &file));
    assert!(
        fewer.contains("2 of its 20 images") && fewer.contains("18.png"),
        "{fewer}"
    );
    let nowhere = fixture.refusal(&options(None, &kept.path().join("no/split.json")));
    assert!(
        nowhere.contains("cannot be written") && nowhere.contains("may write"),
        "{nowhere}"
    );
    // The format is checked without rows as well.
    assert!(file::read(&file, &mut []).is_err());
}
