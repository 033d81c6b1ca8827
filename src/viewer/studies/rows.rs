//! The list of studies as rows: filtered, sorted, folded. Pure functions of what the index holds.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::work::Shelf;
use crate::library::{Catalogue, Instance, Patient, Series, Study};

/// What patients and studies are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// Name, then number.
    Patient,
    /// Date and time of the study; of a patient's latest.
    Date,
    /// Modality of the first series.
    Modality,
    /// Number of images.
    Images,
}

impl Column {
    /// In the order of the heads.
    pub const ALL: [Self; 4] = [Self::Patient, Self::Date, Self::Modality, Self::Images];

    /// Its head.
    pub fn title(self) -> &'static str {
        match self {
            Self::Patient => "Patient",
            Self::Date => "Date",
            Self::Modality => "Modality",
            Self::Images => "Images",
        }
    }
}

/// A row that can be folded, by its number in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Node {
    /// A patient: unfolded at first.
    Patient(i64),
    /// A study: unfolded at first.
    Study(i64),
    /// A series: folded at first.
    Series(i64),
}

/// A row of the list, by places in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// A patient.
    Patient(usize),
    /// A study of a patient.
    Study(usize, usize),
    /// A series of a study.
    Series(usize, usize, usize),
    /// An instance of a series.
    Instance(usize, usize, usize, usize),
}

impl Row {
    /// Its patient.
    pub fn patient(self, catalogue: &Catalogue) -> Option<&Patient> {
        let (Self::Patient(patient)
        | Self::Study(patient, _)
        | Self::Series(patient, _, _)
        | Self::Instance(patient, _, _, _)) = self;
        catalogue.patients.get(patient)
    }

    /// Its study, if it is one or below one.
    pub fn study(self, catalogue: &Catalogue) -> Option<&Study> {
        let (Self::Study(_, study) | Self::Series(_, study, _) | Self::Instance(_, study, _, _)) = self else {
            return None;
        };
        self.patient(catalogue)?.studies.get(study)
    }

    /// Its series, if it is one or below one.
    pub fn series(self, catalogue: &Catalogue) -> Option<&Series> {
        let (Self::Series(_, _, series) | Self::Instance(_, _, series, _)) = self else {
            return None;
        };
        self.study(catalogue)?.series.get(series)
    }

    /// Its instance, if it is one.
    pub fn instance(self, catalogue: &Catalogue) -> Option<&Instance> {
        let Self::Instance(.., instance) = self else {
            return None;
        };
        self.series(catalogue)?.instances.get(instance)
    }

    /// What is folded by it.
    pub fn node(self, catalogue: &Catalogue) -> Option<Node> {
        match self {
            Self::Patient(_) => self.patient(catalogue).map(|patient| Node::Patient(patient.id)),
            Self::Study(..) => self.study(catalogue).map(|study| Node::Study(study.id)),
            Self::Series(..) => self.series(catalogue).map(|series| Node::Series(series.id)),
            Self::Instance(..) => None,
        }
    }

    /// How far it is to the right: 0 for a patient.
    pub fn depth(self) -> u8 {
        match self {
            Self::Patient(_) => 0,
            Self::Study(..) => 1,
            Self::Series(..) => 2,
            Self::Instance(..) => 3,
        }
    }
}

/// Whether what lies below a row is listed.
pub(crate) fn is_open(node: Node, turned: &HashSet<Node>) -> bool {
    turned.contains(&node) == matches!(node, Node::Series(_))
}

/// Number of instances of a study.
pub fn images_of(study: &Study) -> usize {
    study.series.iter().map(|series| series.instances.len()).sum()
}

/// The rows of everything that holds all words of `filter`, in the order of a column.
pub(crate) fn list(shelf: &Shelf, filter: &str, (by, falling): (Column, bool), turned: &HashSet<Node>) -> Vec<Row> {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let patients = &shelf.catalogue.patients;
    let mut rows = Vec::new();
    for patient in sorted(patients, |patient| patient_key(by, patient), falling) {
        let studies = &patients[patient].studies;
        // Within a patient, the latest study comes first unless another order is asked for.
        let order = match by {
            Column::Patient => (0..studies.len()).collect(),
            _ => sorted(studies, |study| study_key(by, study), falling),
        };
        let before = rows.len();
        rows.push(Row::Patient(patient));
        let open = is_open(Node::Patient(patients[patient].id), turned);
        let mut found = false;
        for study in order {
            found |= add_study(shelf, &words, (patient, study), turned, open.then_some(&mut rows));
        }
        if !found {
            rows.truncate(before);
        }
    }
    rows
}

/// Adds the rows of a study to a list, if there is one; whether it holds the words.
fn add_study(
    shelf: &Shelf,
    words: &[String],
    (patient, study): (usize, usize),
    turned: &HashSet<Node>,
    mut rows: Option<&mut Vec<Row>>,
) -> bool {
    let this = &shelf.catalogue.patients[patient].studies[study];
    let holds = |series: &Series| {
        let text = shelf.texts.get(&series.id).map_or("", String::as_str);
        words.iter().all(|word| text.contains(word))
    };
    let mut found = false;
    for (number, series) in this.series.iter().enumerate().filter(|(_, series)| holds(series)) {
        let Some(rows) = &mut rows else { return true };
        if !found {
            rows.push(Row::Study(patient, study));
        }
        found = true;
        if !is_open(Node::Study(this.id), turned) {
            return true;
        }
        rows.push(Row::Series(patient, study, number));
        if is_open(Node::Series(series.id), turned) {
            let instances = 0..series.instances.len();
            rows.extend(instances.map(|instance| Row::Instance(patient, study, number, instance)));
        }
    }
    found
}

/// What is compared, made once for each patient or study.
type Key = (String, String, usize);

/// Places in the order of a key; equal ones stay as they are.
fn sorted<T>(items: &[T], key: impl Fn(&T) -> Key, falling: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    if falling {
        order.sort_by_cached_key(|&at| Reverse(key(&items[at])));
    } else {
        order.sort_by_cached_key(|&at| key(&items[at]));
    }
    order
}

fn patient_key(by: Column, patient: &Patient) -> Key {
    let studies = &patient.studies;
    match by {
        Column::Patient => (patient.name.to_lowercase(), patient.patient_id.clone(), 0),
        Column::Date => {
            let (date, time) = studies.iter().map(when).max().unwrap_or_default();
            (date, time, 0)
        }
        Column::Modality => (studies.first().map(modality).unwrap_or_default(), String::new(), 0),
        Column::Images => (String::new(), String::new(), studies.iter().map(images_of).sum()),
    }
}

fn study_key(by: Column, study: &Study) -> Key {
    match by {
        Column::Patient => Key::default(),
        Column::Date => {
            let (date, time) = when(study);
            (date, time, 0)
        }
        Column::Modality => (modality(study), String::new(), 0),
        Column::Images => (String::new(), String::new(), images_of(study)),
    }
}

fn when(study: &Study) -> (String, String) {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    (text(&study.date), text(&study.time))
}

fn modality(study: &Study) -> String {
    study
        .series
        .first()
        .and_then(|series| series.modality.clone())
        .unwrap_or_default()
}
