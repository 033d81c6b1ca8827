//! The paper's counts, and a data set beside them.

use std::path::Path;

use recovnet::training::dataset::paper_table::{self, Comparison, Counts, LUNG_MASKS, TABLE_1};
use recovnet::training::dataset::{Category, Options};
use recovnet::training::manifest::Row;
use recovnet::training::split::Part;

use super::{indiana, montgomery, qata};

#[test]
fn the_sums_are_the_papers() {
    let sum = |of: &dyn Fn(&paper_table::PaperRow) -> usize| TABLE_1.iter().map(of).sum::<usize>();
    assert_eq!(sum(&|row| row.train), 96_169);
    assert_eq!(sum(&|row| row.augmented), 111_524);
    assert_eq!(sum(&|row| row.test), 28_447);
    assert_eq!(sum(&|row| row.train + row.test), 124_616);
    assert_eq!(LUNG_MASKS.map(|(_, images)| images).iter().sum::<usize>(), 385);
    assert_eq!(paper_table::augmented(Category::Covid19), Some(10_000));
    assert_eq!(paper_table::augmented(Category::Other), None);
    for row in TABLE_1 {
        assert!(
            (row.train_share() - 0.7718).abs() < 0.0003,
            "{row:?}: the same ratio as ChestX-ray14"
        );
    }
}

#[test]
fn the_papers_own_data_agree_in_every_row() {
    let mut rows = Vec::new();
    for paper in TABLE_1 {
        for i in 0..paper.train + paper.test {
            rows.push(Row {
                category: paper.category,
                assigned: Some(if i < paper.train { Part::Train } else { Part::Test }),
                ..Row::new(Path::new("."), &format!("{}-{i}", paper.category), "x")
            });
        }
    }
    let table = Comparison::of_table_1(&rows);
    assert!(table.groups.iter().all(paper_table::Compared::agrees) && table.total.agrees());
    rows.pop();
    let table = Comparison::of_table_1(&rows);
    assert_eq!(table.groups.iter().filter(|group| !group.agrees()).count(), 1);
    assert!(!table.total.agrees());
}

#[test]
fn a_data_set_shows_what_it_lacks() {
    let (qata, indiana) = (qata::fixture(8), indiana::fixture(8));
    let alone = Comparison::of_table_1(&qata.open().rows);
    let group = |table: &Comparison, title: &str| {
        table
            .groups
            .iter()
            .find(|group| group.title.contains(title))
            .expect("a group")
            .clone()
    };
    let lacking = group(&alone, "Indiana");
    assert_eq!(
        (lacking.found.all(), lacking.paper),
        (0, Some(Counts { train: 2816, test: 832 }))
    );
    let options = Options {
        beside: vec![indiana.path().to_owned()],
        ..Options::default()
    };
    let table = Comparison::of_table_1(&qata.open_with(&options).rows);
    assert_eq!(group(&table, "Indiana").found.all(), 8);
    let covid = group(&table, "COVID-19");
    assert_eq!((covid.found.all(), covid.augmented), (11, Some(10_000)));
    assert!(covid.validation > 0 && covid.validation < covid.found.train);
    assert_eq!(table.total.found.all(), 11 + 8 * 4);
    let text = table.to_string();
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(text.contains("86524") && text.contains("111524"), "{text}");
    let json = serde_json::to_value(&table).expect("JSON");
    assert_eq!(json["total"]["paper"]["train"], 96_169);
}

#[test]
fn lung_masks_are_80_to_20() {
    let table = Comparison::of_lung_masks(&montgomery::fixture(10).open().rows);
    let montgomery = &table.groups[0];
    assert_eq!(montgomery.found, Counts { train: 8, test: 2 });
    assert_eq!(montgomery.paper, Some(Counts { train: 110, test: 28 }));
    assert_eq!(table.total.paper, Some(Counts { train: 308, test: 77 }));
    assert_eq!(table.total.augmented, Some(1000));
}
