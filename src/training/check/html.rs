//! A report as one HTML file that needs no other: tables, histograms as SVG, thumbnails inside. A pure function.

use std::fmt::Write;

use crate::markup::escaped;

use super::histogram::{Bin, Histogram};
use super::report::{CheckReport, CopyPair, Odd, Place};
use super::thumbnail::Thumbnail;
use super::words::{NOTICE, PAPER_HEADS, PAPER_NOTE, count_rows, joins, likeness, or_dash, pairs, paper_cells, place};

/// Rows of a table, at most.
const MOST_ROWS: usize = 500;
/// Width and height of a histogram's drawing, without its labels.
const PLOT: (f64, f64) = (520.0, 160.0);

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;color:#1d2530;background:#fff;max-width:1080px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}.quiet{color:#5b6673}\
.verdict{padding:.7rem 1rem;border-radius:6px;margin:1rem 0;font-weight:600;border:1px solid}\
.good{background:#e8f5ec;border-color:#2e7d4f;color:#1b5e35}.bad{background:#fdecea;border-color:#b3261e;color:#8c1d18}\
table{border-collapse:collapse;width:100%}th,td{padding:.25rem .6rem;border-bottom:1px solid #dfe4ea;text-align:left;\
vertical-align:top;overflow-wrap:anywhere}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
.pairs,.odd{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:1rem}\
figure{margin:0;border:1px solid #dfe4ea;border-radius:6px;padding:.6rem}figure img{width:110px;height:110px;\
background:#000;margin-right:6px}figcaption{font-size:.85rem;overflow-wrap:anywhere}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:1rem}svg{width:100%;height:auto}\
svg text{font:11px system-ui,sans-serif;fill:#5b6673}.control{fill:#4f7cac}.covid{fill:#d08a2e}";

/// The report as a self-contained document.
pub fn html(report: &CheckReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_html(&mut text, report);
    text
}

fn write_html(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    write!(
        text,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Data set check</title>\
         <style>{STYLE}</style></head><body>\n<h1>Data set check</h1>\n\
         <p class=\"quiet\">{} images, checked in {:.1} s. {NOTICE}.</p>\n",
        report.images, report.seconds
    )?;
    let class = if report.leakage.is_none() { "good" } else { "bad" };
    let verdict = escaped(&report.leakage.to_string());
    writeln!(text, "<p class=\"verdict {class}\" role=\"status\">{verdict}</p>")?;
    if report.unreadable.total > 0 {
        let total = report.unreadable.total;
        writeln!(text, "<p class=\"verdict bad\">{total} files cannot be used</p>")?;
    }
    counts(text, report)?;
    paper(text, report)?;
    copies(text, report)?;
    shared_groups(text, report)?;
    unreadable(text, report)?;
    masks(text, report)?;
    text.push_str("<h2>Size, shape and grey</h2>\n<p class=\"quiet\">Share of each class. Where COVID-19 (orange) and \
                   control (blue) differ, a network can learn that instead of the disease.</p>\n<div class=\"plots\">\n");
    for histogram in &report.histograms {
        plot(text, histogram)?;
    }
    text.push_str("</div>\n");
    odd(text, report)?;
    text.push_str("</body></html>\n");
    Ok(())
}

fn counts(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    text.push_str(
        "<h2>Images</h2>\n<table><tr><th>source<th>label<th>view<th class=\"n\">train<th class=\"n\">val\
         <th class=\"n\">test<th class=\"n\">all</tr>\n",
    );
    let mut sums = [0; 3];
    let mut line = |names: [&str; 3], parts: [usize; 3]| {
        let names = names.map(|name| format!("<td>{}", escaped(name))).concat();
        let all: usize = parts.iter().sum();
        let [train, val, test] = parts;
        let cells = [train, val, test, all]
            .map(|count| format!("<td class=\"n\">{count}"))
            .concat();
        writeln!(text, "<tr>{names}{cells}</tr>")
    };
    for (names, parts) in count_rows(report) {
        (0..3).for_each(|i| sums[i] += parts[i]);
        line(names.each_ref().map(String::as_str), parts)?;
    }
    line(["all", "", ""], sums)?;
    text.push_str("</table>\n");
    Ok(())
}

/// What each phase takes beside the paper's.
fn paper(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    for table in &report.paper {
        let [group, numbers @ ..] = PAPER_HEADS;
        let numbers = numbers.map(|head| format!("<th class=\"n\">{head}")).concat();
        writeln!(
            text,
            "<h2>{}</h2>\n<p class=\"quiet\">{PAPER_NOTE}</p>\n<table><tr><th>{group}{numbers}</tr>",
            table.title()
        )?;
        for line in &table.lines {
            let [group, numbers @ ..] = paper_cells(line);
            let numbers = numbers.map(|number| format!("<td class=\"n\">{number}")).concat();
            writeln!(text, "<tr><td>{}{numbers}</tr>", escaped(&group))?;
        }
        text.push_str("</table>\n");
    }
    Ok(())
}

fn picture(thumbnail: &Thumbnail, place: &Place) -> String {
    format!(
        "<img alt=\"{}\" src=\"data:image/png;base64,{}\">",
        escaped(&place.file),
        thumbnail.base64()
    )
}

fn copies(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    let (exact, near) = (pairs(report.exact), pairs(report.near));
    writeln!(text, "<h2>Copies</h2>\n<p>Exact: {exact}.<br>Near: {near}.</p>")?;
    let shown = |copy: &&CopyPair| copy.thumbnails.is_some();
    text.push_str("<div class=\"pairs\">\n");
    for copy in report.copies.first.iter().filter(shown) {
        let Some([one, two]) = &copy.thumbnails else { continue };
        writeln!(
            text,
            "<figure>{}{}<figcaption>{}<br>{}<br>{}; joins {}</figcaption></figure>",
            picture(one, &copy.first),
            picture(two, &copy.second),
            escaped(&place(&copy.first)),
            escaped(&place(&copy.second)),
            likeness(copy),
            joins(copy)
        )?;
    }
    text.push_str("</div>\n");
    let rest: Vec<&CopyPair> = report.copies.first.iter().filter(|copy| !shown(copy)).collect();
    if !rest.is_empty() {
        text.push_str("<table><tr><th>one<th>other<th>how alike<th>joins</tr>\n");
        for copy in rest.iter().take(MOST_ROWS) {
            let (one, two) = (escaped(&place(&copy.first)), escaped(&place(&copy.second)));
            let (likeness, joins) = (likeness(copy), joins(copy));
            writeln!(text, "<tr><td>{one}<td>{two}<td>{likeness}<td>{joins}</tr>")?;
        }
        text.push_str("</table>\n");
    }
    Ok(())
}

fn shared_groups(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    let total = report.shared_groups.total;
    writeln!(text, "<h2>Groups in more than one part: {total}</h2>")?;
    if total == 0 {
        return Ok(());
    }
    text.push_str("<table><tr><th>a file in each part<th class=\"n\">images</tr>\n");
    for group in report.shared_groups.first.iter().take(MOST_ROWS) {
        let files: Vec<String> = group.files.iter().map(|file| escaped(&place(file))).collect();
        writeln!(
            text,
            "<tr><td>{}<td class=\"n\">{}</tr>",
            files.join("<br>"),
            group.images
        )?;
    }
    text.push_str("</table>\n");
    Ok(())
}

fn unreadable(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    writeln!(text, "<h2>Unreadable: {}</h2>", report.unreadable.total)?;
    if report.unreadable.total == 0 {
        return Ok(());
    }
    text.push_str("<table><tr><th>file<th>what<th>reason</tr>\n");
    for bad in report.unreadable.first.iter().take(MOST_ROWS) {
        let what = if bad.mask { "mask" } else { "image" };
        let (file, reason) = (escaped(&bad.file), escaped(&bad.reason));
        writeln!(text, "<tr><td>{file}<td>{what}<td>{reason}</tr>")?;
    }
    text.push_str("</table>\n");
    Ok(())
}

fn masks(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    writeln!(
        text,
        "<h2>Lung masks</h2>\n<p>{} images have none.</p>",
        report.without_mask.total
    )?;
    text.push_str(
        "<table><tr><th>source<th class=\"n\">lung field by hand<th class=\"n\">other<th class=\"n\">none</tr>\n",
    );
    for mask in &report.masks {
        writeln!(
            text,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
            escaped(or_dash(&mask.source)),
            mask.lung_field,
            mask.other,
            mask.none
        )?;
    }
    text.push_str("</table>\n");
    Ok(())
}

/// Both classes side by side, each as a share of its class.
fn plot(text: &mut String, histogram: &Histogram) -> std::fmt::Result {
    let (width, height) = PLOT;
    let (left, top, bottom) = (44.0, 8.0, 34.0);
    let used = used_bins(&histogram.bins);
    let sums = [
        histogram.bins.iter().map(|bin| bin.control).sum::<u64>(),
        histogram.bins.iter().map(|bin| bin.covid19).sum::<u64>(),
    ];
    let share = |count: u64, of: u64| if of == 0 { 0.0 } else { count as f64 / of as f64 };
    let shares = |bin: &Bin| [share(bin.control, sums[0]), share(bin.covid19, sums[1])];
    let highest = used.iter().flat_map(shares).fold(1e-9, f64::max);
    let quantity = escaped(&histogram.quantity);
    writeln!(
        text,
        "<figure><svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{quantity}\">",
        width + left + 8.0,
        height + top + bottom
    )?;
    for part in [0.0, 0.5, 1.0] {
        let y = top + height * (1.0 - part);
        writeln!(
            text,
            "<line x1=\"{left}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#dfe4ea\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            left + width,
            left - 5.0,
            y + 4.0,
            100.0 * highest * part
        )?;
    }
    let step = width / used.len().max(1) as f64;
    let labelled = (used.len() / 8).max(1);
    for (i, bin) in used.iter().enumerate() {
        let x = left + step * i as f64;
        for (j, share) in shares(bin).into_iter().enumerate() {
            let bar = height * share / highest;
            let (class, count) = [("control", bin.control), ("covid", bin.covid19)][j];
            writeln!(
                text,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{bar:.1}\">\
                 <title>{} to {}: {count}</title></rect>",
                x + step * (0.06 + 0.44 * j as f64),
                top + height - bar,
                step * 0.44,
                bin.from,
                bin.to
            )?;
        }
        if i % labelled == 0 {
            let y = top + height + 14.0;
            writeln!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", number(bin.from))?;
        }
    }
    writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{quantity}</text></svg></figure>",
        left + width / 2.0,
        top + height + 30.0
    )
}

/// The ranges from the first to the last that holds something.
fn used_bins(bins: &[Bin]) -> &[Bin] {
    let holds = |bin: &Bin| bin.control + bin.covid19 > 0;
    let first = bins.iter().position(holds).unwrap_or(0);
    let last = bins.iter().rposition(holds).map_or(bins.len(), |last| last + 1);
    &bins[first..last]
}

fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn odd(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    writeln!(text, "<h2>Worth a look: {}</h2>\n<div class=\"odd\">", report.odd.total)?;
    let caption = |odd: &Odd| {
        let (width, height) = odd.size;
        format!(
            "{}<br>{} ({width} x {height} pixels)",
            escaped(&place(&odd.place)),
            odd.kind.sentence()
        )
    };
    for odd in &report.odd.first {
        if let Some(thumbnail) = &odd.thumbnail {
            let picture = picture(thumbnail, &odd.place);
            writeln!(
                text,
                "<figure>{picture}<figcaption>{}</figcaption></figure>",
                caption(odd)
            )?;
        }
    }
    text.push_str("</div>\n");
    let rest: Vec<&Odd> = report.odd.first.iter().filter(|odd| odd.thumbnail.is_none()).collect();
    if !rest.is_empty() {
        text.push_str("<ul>\n");
        for odd in rest.iter().take(MOST_ROWS) {
            writeln!(text, "<li>{}</li>", caption(odd))?;
        }
        text.push_str("</ul>\n");
    }
    Ok(())
}
