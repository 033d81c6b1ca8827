//! Whether a run may start on its data: not where a picture or a group is in two parts, unless it was told to, which
//! its record then says. Reports are kept by the fingerprint of their rows, so that one check serves many runs.

use std::collections::HashSet;
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
        "{leakage}{}: results on the other parts would mean nothing; 'recovnet check-data' shows them; \
         take one of each out of the table, or allow leakage, which the run then records",
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
    /// Whether it was allowed to start nevertheless.
    pub allowed: bool,
}

/// What is asked of the gate.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// All rows of the table, so that one report serves both phases.
    pub rows: &'a [Row],
    /// Those that the run uses.
    pub uses: &'a dyn Fn(&Row) -> bool,
    /// Whether it may start on leakage.
    pub allow: bool,
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
    let report = match request.reports.and_then(|folder| kept(folder, &print)) {
        Some(report) => report,
        None => {
            let report = run(request.rows, request.options, cancel, listener)?;
            if let Some(folder) = request.reports {
                // A report that cannot be kept is made again next time; the run can start.
                let _ = keep(folder, &report);
            }
            report
        }
    };
    let (leakage, files) = leakage_of(&report, request.rows, request.uses);
    if leakage.is_none() || request.allow {
        let allowed = !leakage.is_none();
        return Ok(Record {
            fingerprint: print,
            leakage,
            allowed,
        });
    }
    Err(Error::Leakage { leakage, files })
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
