//! Whether a run may start on its data: not where a picture or a group is in two parts, unless it was told what to do
//! about it, which its record then says. Reports are kept by the fingerprint of their rows, so that one check serves
//! many runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::training::manifest::Row;

use super::report::{CheckReport, CopyPair, Leakage, VERSION};
use super::{Listener, Options, fingerprint, run, summary};

/// Largest report that is read.
const MOST_BYTES: u64 = 256 << 20;

/// Why a run does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The check itself failed or was cancelled.
    #[error(transparent)]
    Check(#[from] super::Error),
    /// Parts are not independent.
    #[error(
        "{leakage}{}: results on the other parts would mean nothing; the check of the data shows them; \
         leave one of each out of the run, or allow leakage; the run records which",
        examples(.files)
    )]
    Leakage {
        /// What is in more than one part.
        leakage: Leakage,
        /// Some pairs of files.
        files: Vec<(String, String)>,
    },
}

fn examples(files: &[(String, String)]) -> String {
    let pairs: Vec<String> = files
        .iter()
        .take(3)
        .map(|(one, two)| format!("{one} and {two}"))
        .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!(" ({})", pairs.join("; "))
    }
}

/// What a run records of the check before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Fingerprint of the table's rows and files.
    pub fingerprint: String,
    /// What is in more than one part, of the rows that the run uses.
    pub leakage: Leakage,
    /// What the run was told to do about it.
    pub on_leakage: OnLeakage,
    /// Files that the run must not use, by name, if they were to be left out.
    pub left_out: BTreeSet<String>,
}

/// What a run does about pictures and groups in more than one part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnLeakage {
    /// It does not start.
    #[default]
    Refuse,
    /// It keeps each in one part only: the test part before the validation part before the training part, so that
    /// results stay comparable with those of others.
    LeaveOut,
    /// It starts as it is.
    Allow,
}

/// What is asked of the gate.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// All rows of the table, so that one report serves both phases.
    pub rows: &'a [Row],
    /// Those that the run uses.
    pub uses: &'a dyn Fn(&Row) -> bool,
    /// What it does about leakage.
    pub on_leakage: OnLeakage,
    /// Where reports are kept, if anywhere.
    pub reports: Option<&'a Path>,
    /// How a check is made that has not been made yet.
    pub options: &'a Options,
}

/// Takes the report that was kept for these rows, or checks them now and keeps the report; refuses leakage.
///
/// # Errors
/// On leakage that is not allowed, or if the check fails or is cancelled.
pub fn gate(request: &Request<'_>, cancel: &AtomicBool, listener: Listener<'_>) -> Result<Record, Error> {
    let print = fingerprint(request.rows);
    let report = if let Some(report) = request.reports.and_then(|folder| kept(folder, &print)) {
        report
    } else {
        let report = run(request.rows, request.options, cancel, listener)?;
        if let Some(folder) = request.reports {
            // A report that cannot be kept is made again next time; the run can start.
            let _ = keep(folder, &report);
        }
        report
    };
    let (leakage, files) = leakage_of(&report, request.rows, request.uses);
    let left_out = match request.on_leakage {
        OnLeakage::LeaveOut if !leakage.is_none() => left_out(&report, request.rows, request.uses),
        _ => Some(BTreeSet::new()),
    };
    match left_out {
        Some(left_out) if leakage.is_none() || request.on_leakage != OnLeakage::Refuse => Ok(Record {
            fingerprint: print,
            leakage,
            on_leakage: request.on_leakage,
            left_out,
        }),
        _ => Err(Error::Leakage { leakage, files }),
    }
}

/// Names of the used files that are left out so that each picture and each group stays in one part only; `None` if there
/// are more copies than the report lists.
pub fn left_out(report: &CheckReport, rows: &[Row], uses: &dyn Fn(&Row) -> bool) -> Option<BTreeSet<String>> {
    if !report.copies.is_whole() {
        return None;
    }
    let used: HashMap<&str, &Row> = rows
        .iter()
        .filter(|row| uses(row))
        .map(|row| (row.file.as_str(), row))
        .collect();
    // What must stay together: copies by their set, rows by their group.
    let mut bound: Vec<Vec<&Row>> = Vec::new();
    let mut sets: BTreeMap<u32, BTreeMap<&str, &Row>> = BTreeMap::new();
    for copy in &report.copies.first {
        for place in [&copy.first, &copy.second] {
            if let Some(row) = used.get(place.file.as_str()) {
                sets.entry(copy.set).or_default().insert(&row.file, row);
            }
        }
    }
    bound.extend(sets.into_values().map(|set| set.into_values().collect()));
    let mut groups: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in used.values() {
        groups.entry(&row.group).or_default().push(row);
    }
    bound.extend(groups.into_values());
    let mut names = BTreeSet::new();
    for together in bound {
        let last = together.iter().map(|row| row.part()).max();
        let others = together.iter().filter(|row| Some(row.part()) != last);
        names.extend(others.map(|row| row.file.clone()));
    }
    Some(names)
}

/// Leakage among the rows that are used, with pairs of files that show it.
pub fn leakage_of(report: &CheckReport, rows: &[Row], uses: &dyn Fn(&Row) -> bool) -> (Leakage, Vec<(String, String)>) {
    let used: Vec<&Row> = rows.iter().filter(|row| uses(row)).collect();
    let groups = summary::shared_groups(used.iter().copied());
    let mut files: Vec<(String, String)> = Vec::new();
    let mut leakage = Leakage {
        groups: groups.len(),
        ..Leakage::default()
    };
    if report.copies.is_whole() {
        let names: HashSet<&str> = used.iter().map(|row| row.file.as_str()).collect();
        let sets: HashSet<u32> = summary::sets_across_parts(report, &|file| names.contains(file))
            .into_iter()
            .collect();
        let both = |copy: &&CopyPair| {
            [&copy.first, &copy.second]
                .iter()
                .all(|place| names.contains(place.file.as_str()))
        };
        let across = report.copies.first.iter().filter(|copy| copy.is_across_parts());
        for copy in across.filter(both) {
            *(if copy.is_exact() {
                &mut leakage.exact
            } else {
                &mut leakage.near
            }) += 1;
            files.push((copy.first.file.clone(), copy.second.file.clone()));
        }
        // Used pictures may be joined by one that is not used.
        if leakage.exact + leakage.near < sets.len() {
            leakage.near = sets.len() - leakage.exact;
        }
    } else {
        // Which of so many are used cannot be told from the list: all count.
        (leakage.exact, leakage.near) = (report.leakage.exact, report.leakage.near);
        let across = report.copies.first.iter().filter(|copy| copy.is_across_parts());
        files.extend(across.map(|copy| (copy.first.file.clone(), copy.second.file.clone())));
    }
    let shared = groups.iter().filter_map(|group| match group.files.as_slice() {
        [one, two, ..] => Some((one.file.clone(), two.file.clone())),
        _ => None,
    });
    files.extend(shared);
    (leakage, files)
}

/// Where the report of some rows is kept.
pub fn report_path(folder: &Path, fingerprint: &str) -> PathBuf {
    folder.join(format!("check-{}.json", &fingerprint[..fingerprint.len().min(32)]))
}

/// Keeps a report for later runs.
///
/// # Errors
/// If it cannot be written.
pub fn keep(folder: &Path, report: &CheckReport) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let bytes = serde_json::to_vec(report).map_err(std::io::Error::other)?;
    atomic_file::write(&report_path(folder, &report.fingerprint), &bytes)
}

/// The report of these rows, if there is a sound one of this version.
pub fn kept(folder: &Path, fingerprint: &str) -> Option<CheckReport> {
    let path = report_path(folder, fingerprint);
    let length = std::fs::metadata(&path).ok()?.len();
    let bytes = (length <= MOST_BYTES).then(|| std::fs::read(&path).ok()).flatten()?;
    let report: CheckReport = serde_json::from_slice(&bytes).ok()?;
    (report.version == VERSION && report.fingerprint == fingerprint).then_some(report)
}
