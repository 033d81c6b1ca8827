//! `recovnet inspect`: every tag of a DICOM file, and what display, spacing and orientation were taken from.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::imaging::tags::{self, NodeKind, TagTree, Use, UsedBy};
use crate::imaging::{
    self, ModalityLut, PixelSpacing, Polarity, Radiograph, Rescale, Scope, VoiLutFunction, VoiTransform,
};

/// Options of `recovnet inspect`.
#[derive(Debug, Args)]
#[command(after_help = "The tags name the patient: keep the output as you keep the file. \
                        A DICOM file without a picture gives its tags as well; a file that is no DICOM, exit code 1.")]
pub struct InspectArgs {
    /// A DICOM file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object instead of words
    #[arg(long)]
    json: bool,
    /// Frame whose display is described, counted from 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    frame: u32,
    /// Read text in this character set whatever the file declares: utf-8, windows-1251, gbk, `shift_jis` …
    #[arg(long, value_name = "NAME")]
    character_set: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// If the file is no DICOM file or cannot be read, or standard output cannot be written.
pub fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let tree = tags::read(&args.file, args.character_set.as_deref())?;
    let picture = imaging::open_frame(&args.file, args.frame);
    let uses = picture
        .as_ref()
        .map(|picture| tags::uses(&tree, picture))
        .unwrap_or_default();
    let display = match &picture {
        Ok(picture) => Ok(described(picture)),
        // The path stands before the reason; here it is known which file is meant.
        Err(imaging::Error::Undecodable { reason, .. }) => Err(reason.clone()),
        Err(error) => Err(error.to_string()),
    };
    let output = if args.json {
        let object = as_json(&tree, &uses, &display);
        let mut text = serde_json::to_string_pretty(&object).context("the tags cannot be written as JSON")?;
        text.push('\n');
        text
    } else {
        as_words(&tree, &uses, &display)
    };
    let mut out = io::stdout().lock();
    match out.write_all(output.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.context("standard output cannot be written")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What something of the display was taken from: its name, in words, and for programs.
struct Described {
    key: &'static str,
    title: &'static str,
    words: String,
}

type Display = Result<Vec<Described>, String>;

fn as_words(tree: &TagTree, uses: &BTreeMap<usize, Use>, display: &Display) -> String {
    let mut lines = Vec::with_capacity(tree.nodes.len() + 16);
    for (index, node) in tree.nodes.iter().enumerate() {
        let mark = match uses.get(&index).map(|used| used.by) {
            None => "  ",
            Some(UsedBy::Display) => "d ",
            Some(UsedBy::Networks) => "n ",
            Some(UsedBy::Both) => "dn",
        };
        lines.push(format!(
            "{mark} {:indent$}{}",
            "",
            node.line(),
            indent = 2 * usize::from(node.depth)
        ));
    }
    lines.extend(tree.problems.iter().map(|problem| format!("Broken {problem}")));
    lines.push(String::new());
    match display {
        Ok(described) => {
            lines.push("d: used by the display, n: used by the networks".to_owned());
            lines.extend(described.iter().map(|part| format!("{}: {}", part.title, part.words)));
        }
        Err(reason) => lines.push(format!("No picture: {reason}")),
    }
    lines.push(String::new());
    lines.join("\n")
}

fn as_json(tree: &TagTree, uses: &BTreeMap<usize, Use>, display: &Display) -> Value {
    let problem = |problem: &tags::Problem| {
        json!({
            "position": problem.position,
            "in_inflated_data_set": problem.is_inflated,
            "reason": problem.reason,
        })
    };
    let mut object = json!({
        "file": tree.file.display().to_string(),
        "transfer_syntax": tree.transfer_syntax,
        "elements": tree.children(None).map(|index| element(tree, uses, index)).collect::<Vec<_>>(),
        "problems": tree.problems.iter().map(problem).collect::<Vec<_>>(),
    });
    let (key, value) = match display {
        Ok(described) => {
            let parts = described.iter().map(|part| (part.key.to_owned(), json!(part.words)));
            ("display", Value::Object(parts.collect::<Map<_, _>>()))
        }
        Err(reason) => ("no_picture", json!(reason)),
    };
    object[key] = value;
    object
}

/// An element with the items of a sequence, or the fragments of its pixels. Recursion ends with the tree's bounded depth.
fn element(tree: &TagTree, uses: &BTreeMap<usize, Use>, index: usize) -> Value {
    let node = &tree.nodes[index];
    let mut object = json!({
        "tag": node.tag.to_string(),
        "vr": node.vr.as_str(),
        "keyword": node.keyword,
        "name": node.name,
        "position": node.position,
        "length": node.length,
        "value": node.value.text,
    });
    let said = [
        ("private_creator", node.creator.as_deref().map(Value::from)),
        ("meaning", node.value.meaning.as_deref().map(Value::from)),
        ("cut", node.value.is_cut.then_some(Value::Bool(true))),
        (
            "reading",
            node.value.reading.map(|reading| Value::from(reading.words())),
        ),
        ("used_for", uses.get(&index).map(|used| Value::from(used.why))),
    ];
    for (key, value) in said {
        if let Some(value) = value {
            object[key] = value;
        }
    }
    let parts: Vec<usize> = tree.children(Some(index)).collect();
    let is_sequence = parts
        .iter()
        .any(|&part| matches!(tree.nodes[part].kind, NodeKind::Item(_)));
    if is_sequence {
        let items = parts.iter().map(|&item| {
            Value::Array(
                tree.children(Some(item))
                    .map(|inner| element(tree, uses, inner))
                    .collect(),
            )
        });
        object["items"] = items.collect();
    } else if !parts.is_empty() {
        let fragment =
            |&part: &usize| json!({ "position": tree.nodes[part].position, "length": tree.nodes[part].length });
        object["fragments"] = parts.iter().map(fragment).collect();
    }
    object
}

fn part(key: &'static str, title: &'static str, words: String) -> Described {
    Described { key, title, words }
}

fn described(picture: &Radiograph) -> Vec<Described> {
    let kind = if picture.is_colour() { "colour" } else { "grey" };
    let mut parts = vec![part(
        "picture",
        "Picture",
        format!(
            "{} x {} pixels, {kind}, {} bits, frame {} of {}",
            picture.width, picture.height, picture.bits_stored, picture.frame, picture.frames
        ),
    )];
    if picture.is_colour() {
        parts.push(part("voi", "Window", "none: colours are shown as they are".to_owned()));
    } else {
        parts.extend(greys(picture));
    }
    parts.push(part("spacing", "Spacing", spacing(picture.spacing)));
    parts.extend(covers(picture));
    parts.push(part("orientation", "Orientation", orientation(picture)));
    let networks = match &picture.scope {
        Scope::InScope => "read this picture".to_owned(),
        Scope::OutOfScope(reason) => format!("do not read this picture: {reason}"),
    };
    parts.push(part("networks", "Networks", networks));
    if !picture.warnings.is_empty() {
        parts.push(part("remarks", "Remarks", picture.warnings.join(" ")));
    }
    parts
}

/// How stored values become greys.
fn greys(picture: &Radiograph) -> [Described; 4] {
    let padding = match picture.padding {
        Some((low, high)) if low == high => format!("stored value {low} is no picture"),
        Some((low, high)) => format!("stored values {low} to {high} are no picture"),
        None => "none is declared".to_owned(),
    };
    [
        part("modality", "Modality values", modality(&picture.modality_lut)),
        part("voi", "Window", voi(picture)),
        part("polarity", "White", polarity(picture.polarity)),
        part("padding", "Padding", padding),
    ]
}

/// What lies on the picture or hides parts of it.
fn covers(picture: &Radiograph) -> Vec<Described> {
    let mut parts = Vec::new();
    if !picture.overlay_planes.is_empty() {
        let groups: Vec<String> = picture
            .overlay_planes
            .iter()
            .map(|plane| format!("{:04X}", plane.group))
            .collect();
        parts.push(part("overlays", "Overlays", format!("groups {}", groups.join(", "))));
    }
    if let Some(shutter) = &picture.shutter {
        let words = format!(
            "{} shapes; what they hide has the grey {} of 65535",
            shutter.shapes.len(),
            shutter.value
        );
        parts.push(part("shutter", "Shutter", words));
    }
    parts
}

fn modality(lut: &ModalityLut) -> String {
    match lut {
        _ if *lut == ModalityLut::IDENTITY => "stored values as they are".to_owned(),
        ModalityLut::Rescale(Rescale { slope, intercept }) => {
            format!("stored value x {slope} + {intercept}, from Rescale Slope and Rescale Intercept")
        }
        ModalityLut::Table(table) => format!(
            "Modality LUT Sequence: {} entries from stored value {} on",
            table.entries.len(),
            table.first
        ),
    }
}

fn voi(picture: &Radiograph) -> String {
    let Some((first, others)) = picture.voi_luts.split_first() else {
        let words = transform(&picture.default_voi());
        return format!("the file has none: {words}, the full range without padding");
    };
    let mut words = format!("'{}': {}", first.explanation, transform(&first.transform));
    if !others.is_empty() {
        let names: Vec<String> = others
            .iter()
            .map(|voi| format!("'{}': {}", voi.explanation, transform(&voi.transform)))
            .collect();
        words = format!("{words}; also offered: {}", names.join("; "));
    }
    words
}

fn transform(transform: &VoiTransform) -> String {
    match transform {
        VoiTransform::Window(window) => {
            let function = match window.function {
                VoiLutFunction::Linear => "LINEAR",
                VoiLutFunction::LinearExact => "LINEAR_EXACT",
                VoiLutFunction::Sigmoid => "SIGMOID",
            };
            format!("center {}, width {}, {function}", window.center, window.width)
        }
        VoiTransform::Table(table) => format!(
            "VOI LUT of {} entries from modality value {} on, {} bits",
            table.entries.len(),
            table.first,
            table.bits
        ),
    }
}

fn polarity(polarity: Polarity) -> String {
    match polarity {
        Polarity::Normal => "high values are white".to_owned(),
        Polarity::Inverse => "low values are white, by MONOCHROME1 or Presentation LUT Shape INVERSE".to_owned(),
    }
}

fn spacing(spacing: Option<PixelSpacing>) -> String {
    let Some(spacing) = spacing else {
        return "the file has none: lengths are in pixels".to_owned();
    };
    format!(
        "{} mm between rows, {} mm between columns, {}: {}",
        spacing.row_mm,
        spacing.column_mm,
        spacing.label().to_lowercase(),
        spacing.explanation()
    )
}

fn orientation(picture: &Radiograph) -> String {
    let acquisition = &picture.acquisition;
    match (&acquisition.patient_orientation, &acquisition.view_position) {
        (Some([row, column]), _) => format!("rows run to {row}, columns to {column}, from Patient Orientation"),
        (None, Some(view)) => format!("not said by Patient Orientation; View Position is {view}"),
        (None, None) => "the file does not say".to_owned(),
    }
}
