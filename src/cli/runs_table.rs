//! Runs as text for a reader.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::training::runs::{Comparison, Run};

use super::audit::figure;

/// A line a run.
pub fn list(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs {
        let best = run.best.as_ref().map_or("-".to_owned(), |best| {
            format!("{} {:.4} in epoch {}", best.metric, best.score, best.epoch)
        });
        let epochs = run.epochs.map_or("?".to_owned(), |epochs| epochs.to_string());
        let light = run
            .audit
            .map_or(String::new(), |light| format!(", audit {}", light.name()));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<24} {:<12} {:<18} {}/{epochs} epochs, {best}, {}, {}{light}",
            run.name,
            run.state.name(),
            run.model.as_deref().unwrap_or("?"),
            run.epochs_done,
            size(run.bytes),
            age(run.modified)
        );
        if let Some(problem) = &run.problem {
            let _ = writeln!(text, "    {problem}");
        }
        if let Some(first) = run.notes.lines().next() {
            let _ = writeln!(text, "    note: {first}");
        }
    }
    text
}

/// One run.
pub fn show(run: &Run) -> String {
    let mut text = list(std::slice::from_ref(run));
    let _ = writeln!(text, "  folder          {}", run.folder.display());
    if let Some((version, sha256)) = &run.version {
        let _ = writeln!(text, "  best weights    version {version}, SHA-256 {sha256}");
    }
    if !run.kept.is_empty() {
        let kept: Vec<String> = run.kept.iter().map(usize::to_string).collect();
        let _ = writeln!(text, "  kept epochs     {}", kept.join(", "));
    }
    if !run.evaluations.is_empty() {
        let _ = writeln!(text, "  evaluated on    {}", run.evaluations.join(", "));
    }
    for (name, value) in &run.settings {
        let _ = writeln!(text, "  {name:<15} {}", plain(value));
    }
    for (name, curve) in &run.curves {
        if let Some([epoch, value]) = curve.last() {
            let _ = writeln!(text, "  {name:<24} {value:.6} after epoch {epoch}");
        }
    }
    if !run.notes.is_empty() {
        let _ = writeln!(text, "\n{}", run.notes);
    }
    text
}

/// Two runs side by side.
pub fn comparison(comparison: &Comparison) -> String {
    let [first, second] = &comparison.runs;
    let mut text = format!("{first} against {second}\n\nSettings that differ\n");
    let or_none = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), plain);
    for pair in &comparison.settings {
        let [one, other] = pair.values.each_ref().map(or_none);
        let _ = writeln!(text, "  {:<24} {one:<24} {other}", pair.name);
    }
    text.push_str("\nLast values of the curves\n");
    for pair in &comparison.curves {
        let [one, other] = pair.curves.each_ref().map(|curve| {
            let last = curve.last();
            last.map_or("-".to_owned(), |[epoch, value]| format!("{value:.6} (epoch {epoch})"))
        });
        let _ = writeln!(text, "  {:<24} {one:<24} {other}", pair.name);
    }
    if let Some(split) = &comparison.split {
        let _ = writeln!(text, "\nFigures on split {split}");
    }
    for pair in &comparison.figures {
        let [one, other] = pair.values.map(|value| value.map_or("-".to_owned(), figure));
        let _ = writeln!(text, "  {:<24} {one:<28} {other}", pair.name);
    }
    if let Some(test) = &comparison.mcnemar {
        let _ = writeln!(
            text,
            "\nMcNemar on {} images: only {first} right {}, only {second} right {}, p = {:.4}",
            test.images(),
            test.only_first,
            test.only_second,
            test.p
        );
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "{note}");
    }
    text
}

/// JSON without quotes around words.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// How long ago that was.
fn age(seconds: u64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    match now.saturating_sub(seconds) {
        0..120 => "just now".to_owned(),
        age @ 120..7_200 => format!("{} minutes ago", age / 60),
        age @ 7_200..172_800 => format!("{} hours ago", age / 3_600),
        age => format!("{} days ago", age / 86_400),
    }
}
