//! The counts of the paper's Table 1 and of its lung masks (section 3.1), and a data set's own beside them.

use std::fmt;

use serde::Serialize;

use super::Category;
use crate::training::manifest::Row;
use crate::training::split::Part;

/// Counts of one group in the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PaperRow {
    /// The group.
    pub category: Category,
    /// Training images.
    pub train: usize,
    /// Training images after augmentation.
    pub augmented: usize,
    /// Test images.
    pub test: usize,
}

impl PaperRow {
    /// Share of the images that are trained on.
    pub fn train_share(&self) -> f64 {
        self.train as f64 / (self.train + self.test) as f64
    }
}

/// Table 1: phase II.
pub const TABLE_1: [PaperRow; 5] = [
    row(Category::ChestXray14, 86_524, 86_524, 25_596),
    row(Category::Bacterial, 2130, 5000, 630),
    row(Category::IndianaLateral, 2816, 5000, 832),
    row(Category::Viral, 1146, 5000, 339),
    row(Category::Covid19, 3553, 10_000, 1050),
];

/// Lung masks of phase I: 385 images, 138 of Montgomery and 247 of JSRT.
pub const LUNG_MASKS: [(Category, usize); 2] = [(Category::Montgomery, 138), (Category::Jsrt, 247)];

/// Share of the lung masks that phase I is trained on.
pub const LUNG_TRAIN_SHARE: f64 = 0.8;

/// Images that phase I's training part is augmented to.
pub const LUNG_AUGMENTED: usize = 1000;

const fn row(category: Category, train: usize, augmented: usize, test: usize) -> PaperRow {
    PaperRow {
        category,
        train,
        augmented,
        test,
    }
}

/// Share of a group that the paper trains on; groups that it has not get that of ChestX-ray14, which it took for the
/// others.
pub fn train_share(category: Category) -> f64 {
    match category {
        Category::Montgomery | Category::Jsrt | Category::Shenzhen => LUNG_TRAIN_SHARE,
        _ => TABLE_1
            .iter()
            .find(|row| row.category == category)
            .unwrap_or(&TABLE_1[0])
            .train_share(),
    }
}

/// Training images that the paper augments a group of Table 1 to; `None` for any other.
pub fn augmented(category: Category) -> Option<usize> {
    TABLE_1
        .iter()
        .find(|row| row.category == category)
        .map(|row| row.augmented)
}

/// Counts of one group, in the paper and here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Name for a reader.
    pub title: String,
    /// The paper's images; `None` where it has no such group.
    pub paper: Option<Counts>,
    /// The images here.
    pub found: Counts,
    /// Images of the training part that are kept for validation; the paper has none.
    pub validation: usize,
    /// Training images after the paper's augmentation; `None` where it augments no such group.
    pub augmented: Option<usize>,
}

impl Compared {
    /// Whether the counts are the paper's.
    pub fn agrees(&self) -> bool {
        self.paper == Some(self.found)
    }
}

/// Training images (those for validation included) and test images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
}

impl Counts {
    /// All of them.
    pub fn all(self) -> usize {
        self.train + self.test
    }
}

/// A data set beside the paper's: the groups that either has, and their sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Phase whose counts these are: 1 or 2.
    pub phase: u8,
    /// Its groups.
    pub groups: Vec<Compared>,
    /// Their sum.
    pub total: Compared,
}

impl Comparison {
    /// Of the images that phase I takes with the 385 lung masks.
    pub fn of_lung_masks(rows: &[Row]) -> Self {
        let taken: Vec<&Row> = rows.iter().filter(|row| row.is_for_segmentation()).collect();
        let paper = |category| {
            let (_, images) = LUNG_MASKS.into_iter().find(|(group, _)| *group == category)?;
            let train = (images as f64 * LUNG_TRAIN_SHARE).round() as usize;
            let test = images - train;
            Some(Counts { train, test })
        };
        Self::new(1, &taken, paper, |_| None, Some(LUNG_AUGMENTED))
    }

    /// Of the images that phase II takes with Table 1.
    pub fn of_table_1(rows: &[Row]) -> Self {
        let taken: Vec<&Row> = rows.iter().filter(|row| row.is_for_classification()).collect();
        let paper = |category| {
            let row = TABLE_1.iter().find(|row| row.category == category)?;
            let (train, test) = (row.train, row.test);
            Some(Counts { train, test })
        };
        let sum = TABLE_1.iter().map(|row| row.augmented).sum();
        Self::new(2, &taken, paper, augmented, Some(sum))
    }

    fn new(
        phase: u8,
        rows: &[&Row],
        paper: impl Fn(Category) -> Option<Counts>,
        augmented: impl Fn(Category) -> Option<usize>,
        augmented_total: Option<usize>,
    ) -> Self {
        let groups: Vec<Compared> = Category::ALL
            .into_iter()
            .map(|category| Compared {
                title: category.title().to_owned(),
                paper: paper(category),
                augmented: augmented(category),
                ..count(rows.iter().copied().filter(|row| row.category == category))
            })
            .filter(|group| group.paper.is_some() || group.found.all() > 0)
            .collect();
        let paper_total = groups.iter().filter_map(|group| group.paper);
        let total = Compared {
            title: "Total".to_owned(),
            paper: Some(paper_total.fold(Counts::default(), |sum, counts| Counts {
                train: sum.train + counts.train,
                test: sum.test + counts.test,
            })),
            augmented: augmented_total,
            ..count(rows.iter().copied())
        };
        Self { phase, groups, total }
    }
}

fn count<'a>(rows: impl Iterator<Item = &'a Row>) -> Compared {
    let mut compared = Compared {
        title: String::new(),
        paper: None,
        found: Counts::default(),
        validation: 0,
        augmented: None,
    };
    for row in rows {
        match row.part() {
            Part::Test => compared.found.test += 1,
            Part::Train => compared.found.train += 1,
            Part::Validation => {
                compared.found.train += 1;
                compared.validation += 1;
            }
        }
    }
    compared
}

impl fmt::Display for Comparison {
    /// The table as lines of text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["Group", "train", "paper", "validation", "test", "paper", "augmented"];
        let number = |value: Option<usize>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let lines = self.groups.iter().chain([&self.total]).map(|group| {
            [
                group.title.clone(),
                group.found.train.to_string(),
                number(group.paper.map(|paper| paper.train)),
                group.validation.to_string(),
                group.found.test.to_string(),
                number(group.paper.map(|paper| paper.test)),
                number(group.augmented),
            ]
        });
        for [title, numbers @ ..] in std::iter::once(heads.map(str::to_owned)).chain(lines) {
            write!(f, "{title:<42}")?;
            for number in numbers {
                write!(f, "{number:>11}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
