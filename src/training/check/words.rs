//! A report in words: for a terminal, and as Markdown. Pure functions to text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::report::{CheckReport, CopyPair, Listed, PairCounts, PaperLine, Place};

/// The sentence on everything that a reader sees.
pub const NOTICE: &str = "Research use only, not a diagnosis";
/// Entries of a list that a terminal shows.
const FEW: usize = 10;
/// Entries of a list that a document shows.
const MANY: usize = 200;

/// Heads of the columns of [`paper_cells`].
pub const PAPER_HEADS: [&str; 7] = ["group", "train", "paper", "validation", "test", "paper", "augmented"];
/// What a reader of these columns should know.
pub const PAPER_NOTE: &str = "Train holds the validation part, which the paper does not have; augmented are the \
                              training images after the paper's augmentation.";

/// Source, label and view, and how many images of them are in the training, validation and test part.
pub type CountRow = ([String; 3], [usize; 3]);

/// The counts, one line for each source, label and view.
pub fn count_rows(report: &CheckReport) -> Vec<CountRow> {
    let mut rows: BTreeMap<[String; 3], [usize; 3]> = BTreeMap::new();
    for count in &report.counts {
        let key = [&count.source, &count.label, &count.view].map(|cell| or_dash(cell).to_owned());
        let part = match count.part.as_str() {
            "train" => 0,
            "val" => 1,
            _ => 2,
        };
        rows.entry(key).or_default()[part] += count.images;
    }
    rows.into_iter().collect()
}

/// A line of a table beside the paper's, as cells.
pub fn paper_cells(line: &PaperLine) -> [String; 7] {
    let number = |value: Option<usize>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    [
        line.title.clone(),
        line.train.to_string(),
        number(line.paper_train),
        line.validation.to_string(),
        line.test.to_string(),
        number(line.paper_test),
        number(line.augmented),
    ]
}

/// A cell that is never empty.
pub fn or_dash(cell: &str) -> &str {
    if cell.is_empty() { "-" } else { cell }
}

/// Where a picture stands, in words.
pub fn place(place: &Place) -> String {
    format!(
        "{} ({}, {}, {})",
        place.file,
        place.part,
        place.label,
        or_dash(&place.source)
    )
}

/// How alike a pair is, in words.
pub fn likeness(copy: &CopyPair) -> String {
    if copy.is_exact() {
        return "equal".to_owned();
    }
    format!("correlation {:.4}, fine structure {:.2}", copy.correlation, copy.detail)
}

/// What a pair joins, in words.
pub fn joins(copy: &CopyPair) -> &'static str {
    match (copy.is_across_parts(), copy.same_group) {
        (true, _) => "two parts",
        (false, false) => "two groups of one part",
        (false, true) => "one group",
    }
}

/// Pairs in a sentence.
pub fn pairs(counts: PairCounts) -> String {
    format!(
        "{} pairs, {} across parts, {} across groups of one part, {} across classes",
        counts.pairs, counts.across_parts, counts.across_groups, counts.across_classes
    )
}

/// The report for a terminal.
pub fn text(report: &CheckReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut text, report);
    text
}

fn write_text(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    writeln!(text, "{} images checked in {:.1} s", report.images, report.seconds)?;
    writeln!(text, "{}\n", report.leakage)?;
    let rows = count_rows(report);
    let widths = [0, 1, 2].map(|i| {
        let cells = rows.iter().map(|(names, _)| names[i].chars().count());
        cells.max().unwrap_or(0).max(6)
    });
    let line = |names: [&str; 3], cells: [String; 4]| {
        let names = names
            .iter()
            .zip(widths)
            .map(|(name, width)| format!("{name:<width$}  "));
        let cells = cells.iter().map(|cell| format!("{cell:>8}"));
        names.chain(cells).collect::<String>()
    };
    let head = ["train", "val", "test", "all"].map(str::to_owned);
    writeln!(text, "{}", line(["source", "label", "view"], head))?;
    let mut sums = [0; 3];
    for (names, parts) in &rows {
        (0..3).for_each(|i| sums[i] += parts[i]);
        writeln!(text, "{}", line(names.each_ref().map(String::as_str), with_sum(parts)))?;
    }
    writeln!(text, "{}", line(["all", "", ""], with_sum(&sums)))?;
    write_paper_text(text, report)?;
    writeln!(text, "\nExact copies: {}", pairs(report.exact))?;
    writeln!(text, "Near copies: {}", pairs(report.near))?;
    list(text, &report.copies, FEW, |copy| {
        let (first, second) = (place(&copy.first), place(&copy.second));
        format!("{first} = {second}: {}, joins {}", likeness(copy), joins(copy))
    })?;
    writeln!(text, "Groups in more than one part: {}", report.shared_groups.total)?;
    list(text, &report.shared_groups, FEW, |group| {
        group.files.iter().map(place).collect::<Vec<_>>().join(" and ")
    })?;
    writeln!(text, "Unreadable: {}", report.unreadable.total)?;
    list(text, &report.unreadable, FEW, |bad| {
        format!(
            "{}{}: {}",
            bad.file,
            if bad.mask { " (its mask)" } else { "" },
            bad.reason
        )
    })?;
    writeln!(
        text,
        "Without a lung mask: {} of {}",
        report.without_mask.total, report.images
    )?;
    writeln!(text, "Worth a look: {}", report.odd.total)?;
    list(text, &report.odd, FEW, |odd| {
        let (width, height) = odd.size;
        format!(
            "{}: {} ({width} x {height} pixels)",
            odd.place.file,
            odd.kind.sentence()
        )
    })
}

fn write_paper_text(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    for table in &report.paper {
        writeln!(text, "\n{}", table.title())?;
        let lines = table.lines.iter().map(paper_cells);
        for [group, numbers @ ..] in std::iter::once(PAPER_HEADS.map(str::to_owned)).chain(lines) {
            let numbers = numbers.map(|number| format!("{number:>11}")).concat();
            writeln!(text, "{group:<42}{numbers}")?;
        }
        writeln!(text, "{PAPER_NOTE}")?;
    }
    Ok(())
}

fn with_sum(parts: &[usize; 3]) -> [String; 4] {
    let [train, validation, test] = *parts;
    [train, validation, test, train + validation + test].map(|count| count.to_string())
}

fn list<T>(text: &mut String, listed: &Listed<T>, most: usize, line: impl Fn(&T) -> String) -> std::fmt::Result {
    for entry in listed.first.iter().take(most) {
        writeln!(text, "  {}", line(entry))?;
    }
    match listed.total.saturating_sub(most.min(listed.first.len())) {
        0 => Ok(()),
        more => writeln!(text, "  and {more} more"),
    }
}

/// The report as a Markdown document, without pictures.
pub fn markdown(report: &CheckReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_markdown(&mut text, report);
    text
}

/// A cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn write_paper_markdown(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    for table in &report.paper {
        writeln!(text, "\n## {}\n\n{PAPER_NOTE}\n", table.title())?;
        let rule = "---:|".repeat(PAPER_HEADS.len() - 1);
        writeln!(text, "| {} |\n|---|{rule}", PAPER_HEADS.join(" | "))?;
        for line in &table.lines {
            let cells = paper_cells(line).map(|words| cell(&words));
            writeln!(text, "| {} |", cells.join(" | "))?;
        }
    }
    Ok(())
}

fn write_markdown(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    writeln!(text, "# Data set check\n\n{NOTICE}.\n")?;
    writeln!(text, "{} images, checked in {:.1} s.\n", report.images, report.seconds)?;
    writeln!(text, "**{}**\n", report.leakage)?;
    writeln!(
        text,
        "## Images\n\n| source | label | view | train | val | test | all |"
    )?;
    writeln!(text, "|---|---|---|---:|---:|---:|---:|")?;
    for (names, parts) in count_rows(report) {
        let names = names.map(|name| cell(&name)).join(" | ");
        writeln!(text, "| {names} | {} |", with_sum(&parts).join(" | "))?;
    }
    write_paper_markdown(text, report)?;
    writeln!(
        text,
        "\n## Copies\n\nExact: {}.  \nNear: {}.\n",
        pairs(report.exact),
        pairs(report.near)
    )?;
    if report.copies.total > 0 {
        writeln!(text, "| one | other | how alike | joins |\n|---|---|---|---|")?;
        for copy in report.copies.first.iter().take(MANY) {
            let (first, second) = (cell(&place(&copy.first)), cell(&place(&copy.second)));
            writeln!(text, "| {first} | {second} | {} | {} |", likeness(copy), joins(copy))?;
        }
    }
    writeln!(
        text,
        "\n## Groups in more than one part: {}\n",
        report.shared_groups.total
    )?;
    for group in report.shared_groups.first.iter().take(MANY) {
        let files: Vec<String> = group.files.iter().map(place).collect();
        writeln!(text, "- {} ({} images)", files.join(" and "), group.images)?;
    }
    writeln!(text, "\n## Unreadable: {}\n", report.unreadable.total)?;
    for bad in report.unreadable.first.iter().take(MANY) {
        let what = if bad.mask { " (its mask)" } else { "" };
        writeln!(text, "- {}{what}: {}", bad.file, bad.reason)?;
    }
    writeln!(
        text,
        "\n## Lung masks\n\n| source | lung field by hand | other | none |\n|---|---:|---:|---:|"
    )?;
    for mask in &report.masks {
        let source = cell(or_dash(&mask.source));
        writeln!(
            text,
            "| {source} | {} | {} | {} |",
            mask.lung_field, mask.other, mask.none
        )?;
    }
    for histogram in &report.histograms {
        writeln!(
            text,
            "\n## Histogram: {}\n\n| from | to | control | COVID-19 |",
            histogram.quantity
        )?;
        writeln!(text, "|---:|---:|---:|---:|")?;
        for bin in histogram.bins.iter().filter(|bin| bin.control + bin.covid19 > 0) {
            writeln!(
                text,
                "| {} | {} | {} | {} |",
                bin.from, bin.to, bin.control, bin.covid19
            )?;
        }
    }
    writeln!(text, "\n## Worth a look: {}\n", report.odd.total)?;
    for odd in report.odd.first.iter().take(MANY) {
        let (width, height) = odd.size;
        writeln!(
            text,
            "- {}: {} ({width} x {height} pixels)",
            place(&odd.place),
            odd.kind.sentence()
        )?;
    }
    Ok(())
}
