//! DICOM files without who is on them: the Basic Application Level Confidentiality Profile with its options (PS3.15
//! annex E). Pixels stay byte by byte as they are unless text in them is masked. Knows no window.
//!
//! `profile` is the table of the standard, `rewrite` applies it to a data set, [`deidentify`] to a file and `batch` to
//! many.

pub mod batch;
pub mod burned_in;
mod dates;
mod descriptors;
mod graphics;
mod journal;
mod mask;
mod names;
pub mod options;
pub mod profile;
pub mod pseudonym;
mod registered;
pub mod report;
mod rewrite;
mod safe_private;
mod search;
mod statement;
mod survivors;
mod value;

use std::path::Path;

pub use burned_in::{Detection, Region, detect};
pub use options::{Dates, Options};
pub use pseudonym::{Key, KeyError};
pub use rewrite::{Change, Outcome};
pub use search::search;

use crate::imaging::tree::{DicomFile, Node, Syntax, file_bytes};
use registered::is_uid;
use rewrite::Rewriter;
use value::{find, ordered};

type Tag = (u16, u16);

const SOP_CLASS_UID: Tag = (0x0008, 0x0016);
const SOP_INSTANCE_UID: Tag = (0x0008, 0x0018);
const STUDY_INSTANCE_UID: Tag = (0x0020, 0x000d);
const PATIENT_NAME: Tag = (0x0010, 0x0010);
const PATIENT_ID: Tag = (0x0010, 0x0020);
const ISSUER_OF_PATIENT_ID: Tag = (0x0010, 0x0021);
const BIRTH_DATE: Tag = (0x0010, 0x0030);
const PATIENT_IDENTITY_REMOVED: Tag = (0x0012, 0x0062);
const DEIDENTIFICATION_METHOD: Tag = (0x0012, 0x0063);
const DEIDENTIFICATION_METHOD_CODES: Tag = (0x0012, 0x0064);
const BURNED_IN_ANNOTATION: Tag = (0x0028, 0x0301);
const RECOGNIZABLE_VISUAL_FEATURES: Tag = (0x0028, 0x0302);
const TEMPORAL_INFORMATION_MODIFIED: Tag = (0x0028, 0x0303);
const DICOMDIR: &str = "1.2.840.10008.1.3.10";
/// Words that are put where a name or an ID is not known.
const NOBODY: [&str; 14] = [
    "UNKNOWN",
    "UNK",
    "ANON",
    "ANONYM",
    "ANONYMOUS",
    "ANONYMIZED",
    "ANONYMISED",
    "NONE",
    "NULL",
    "NA",
    "N",
    "A",
    "PATIENT",
    "NONAME",
];

/// Roots of the classic single-frame image storage classes (PS3.4 annex B), none of whose attributes with a choice of
/// actions is of Type 1.
const CLASSIC_IMAGES: [&str; 10] = [
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.3",
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.12.1",
    "1.2.840.10008.5.1.4.1.1.12.2",
];

/// What happens to text in the pixels.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Masking {
    /// It is looked for and reported; nothing is masked.
    #[default]
    Warn,
    /// It is not looked for.
    None,
    /// What is found is masked.
    Auto,
    /// These rectangles are masked, in every frame.
    Regions(Vec<Region>),
}

/// How files are treated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The options of the profile.
    pub options: Options,
    /// What pseudonyms are made with.
    pub key: Key,
    /// Text in the pixels.
    pub masking: Masking,
    /// The report has old and new values: it names the patient then.
    pub old_values: bool,
}

/// A file, treated.
#[derive(Debug, Clone)]
pub struct Deidentified {
    /// The file to be written.
    pub bytes: Vec<u8>,
    /// Its SOP Instance UID (0008,0018), which names it.
    pub sop_instance_uid: String,
    /// What became of each element that changed.
    pub changes: Vec<Change>,
    /// What was masked.
    pub masked: Vec<Region>,
    /// Text that was found in the pixels, masked or not.
    pub detections: Vec<Detection>,
    /// Sentences for who is to release the file; without any of the patient's data.
    pub warnings: Vec<String>,
}

/// Treats one file; `path` is what messages call it, and is not read.
///
/// # Errors
/// One sentence with the cause, if the file is no DICOM object, is broken, or cannot be masked as asked.
pub fn deidentify(path: &Path, bytes: &[u8], settings: &Settings) -> Result<Deidentified, String> {
    let file = read(bytes)?;
    let syntax = file.syntax();
    let original = ordered(file.elements()?)?;
    refuse(&original, &syntax)?;
    let mut warnings = Vec::new();
    // Every frame is read of it, and is not to be inflated again for each.
    let plain = syntax.is_deflated().then(|| plain(&original)).transpose()?;
    let searched = plain.as_deref().unwrap_or(bytes);
    let looked = search::wanted(path, searched, &original, &settings.masking, &mut warnings);
    drop(plain);
    let Masks { regions, clean } = masks(&original, &syntax, &settings.masking, &looked, &mut warnings);
    let words = survivors::naming_words(&original, !settings.options.retain_device_identity);
    warn(&original, &regions, &looked.detections, &mut warnings);

    let patient = settings.key.patient(&naming_parts(&original));
    let mut rewriter = Rewriter::new(settings.options, &settings.key, &patient);
    rewriter.classic_image = text(&original, SOP_CLASS_UID).is_some_and(|class| CLASSIC_IMAGES.contains(&&*class));
    rewriter.old_values = settings.old_values;
    let instance = instance_uid(&original, bytes, settings);
    let mut nodes = rewriter.data_set(original);
    if settings.options.clean_graphics {
        for tag in graphics::clean_overlays(&mut nodes, &syntax) {
            rewriter.note(tag, Outcome::Cleaned, None, None);
        }
    }
    let mut written = syntax.clone();
    if !regions.is_empty() {
        written = mask::mask(bytes, &mut nodes, &syntax, &regions)?;
        rewriter.note((0x7fe0, 0x0010), Outcome::Cleaned, None, None);
    }
    statement::say(&mut nodes, &mut rewriter, &instance, clean);
    warn_of_survivors(&nodes, &words, &mut warnings);
    Ok(Deidentified {
        bytes: file_bytes(&statement::meta(&nodes, &instance, &written), &nodes, &written)?,
        sop_instance_uid: instance,
        changes: rewriter.changes,
        masked: regions,
        detections: looked.detections,
        warnings,
    })
}

fn read(bytes: &[u8]) -> Result<DicomFile<'_>, String> {
    let is_marked = bytes.get(128..132) == Some(b"DICM");
    DicomFile::read(bytes).map_err(|cause| {
        if is_marked {
            cause
        } else {
            format!("this is no DICOM file: {cause}")
        }
    })
}

/// The file of a deflated data set, as it is without that.
fn plain(nodes: &[Node]) -> Result<Vec<u8>, String> {
    let syntax = Syntax::explicit_little_endian();
    file_bytes(
        &[Node::new((0x0002, 0x0010), *b"UI", syntax.uid.as_str())],
        nodes,
        &syntax,
    )
}

/// Refuses what is no object of a patient, or could not be written again.
fn refuse(nodes: &[Node], syntax: &Syntax) -> Result<(), String> {
    if nodes.is_empty() {
        return Err("the file has no data set".to_owned());
    }
    if text(nodes, SOP_CLASS_UID).as_deref() == Some(DICOMDIR) || nodes.iter().any(|node| node.tag.0 == 0x0004) {
        return Err(
            "this is a DICOMDIR, which lists patients: make a new one of the files that are written".to_owned(),
        );
    }
    if !is_uid(&syntax.uid) {
        return Err("what it names as its transfer syntax is no UID".to_owned());
    }
    Ok(())
}

/// What is masked in a file.
struct Masks {
    /// Rectangles inside the picture.
    regions: Vec<Region>,
    /// Every frame was searched, and all text that was found lies in the rectangles.
    clean: bool,
}

fn masks(
    nodes: &[Node],
    syntax: &Syntax,
    masking: &Masking,
    looked: &search::Looked,
    warnings: &mut Vec<String>,
) -> Masks {
    let wanted: Vec<Region> = match masking {
        Masking::Auto => looked.detections.iter().map(|detection| detection.region).collect(),
        Masking::Regions(regions) => regions.clone(),
        Masking::None | Masking::Warn => Vec::new(),
    };
    let regions: Vec<Region> = match mask::size(nodes, syntax) {
        Some((columns, rows)) => wanted
            .iter()
            .filter_map(|region| region.within(columns, rows))
            .collect(),
        // Masking itself says why it cannot be done.
        None => wanted.clone(),
    };
    if regions.is_empty() {
        if !wanted.is_empty() {
            warnings.push("No rectangle lies in this picture, and nothing was masked.".to_owned());
        }
        return Masks { regions, clean: false };
    }
    let is_left = |detection: &&Detection| !search::is_covered(detection.region, &regions);
    let left = looked.detections.iter().filter(is_left).count();
    if left > 0 {
        warnings.push(format!(
            "What looks like text stands outside the rectangles at {}.",
            in_places(left)
        ));
    }
    let clean = looked.is_complete && left == 0;
    Masks { regions, clean }
}

fn in_places(number: usize) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} place{plural}")
}

fn warn_of_survivors(nodes: &[Node], words: &[Vec<u8>], warnings: &mut Vec<String>) {
    let places = survivors::survivors(nodes, words);
    if !places.is_empty() {
        warnings.push(format!(
            "Words that name the patient, the staff or the device still stand in {}: look at them before the file is \
             released.",
            places.join(", ")
        ));
    }
}

fn text(nodes: &[Node], tag: Tag) -> Option<String> {
    find(nodes, tag).and_then(Node::text)
}

/// What tells patients apart: the ID with its issuer, else name and birth date, else the study. IDs and names that stand
/// for nobody would make one patient of many.
fn naming_parts<'n>(nodes: &'n [Node]) -> Vec<&'n [u8]> {
    let part = |tag| -> Option<&'n [u8]> {
        let bytes = find(nodes, tag)?.bytes()?;
        let bytes = bytes.trim_ascii();
        let end = bytes.iter().rposition(|&byte| byte != 0)? + 1;
        Some(bytes[..end].trim_ascii())
    };
    let of = |tags: &[Tag]| -> Option<Vec<&'n [u8]>> {
        part(tags[0]).filter(|first| !names_nobody(first))?;
        Some(tags.iter().map(|&tag| part(tag).unwrap_or_default()).collect())
    };
    of(&[PATIENT_ID, ISSUER_OF_PATIENT_ID])
        .or_else(|| of(&[PATIENT_NAME, BIRTH_DATE]))
        .or_else(|| of(&[STUDY_INSTANCE_UID]))
        .or_else(|| of(&[SOP_INSTANCE_UID]))
        .unwrap_or_default()
}

/// Whether an ID or a name has nothing but words that stand for any patient.
fn names_nobody(value: &[u8]) -> bool {
    let mut words = value.split(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii());
    words.all(|word| {
        let is_filler = |filler: &u8| word.iter().all(|byte| byte.eq_ignore_ascii_case(filler));
        b"0X".iter().any(is_filler) || NOBODY.iter().any(|nobody| word.eq_ignore_ascii_case(nobody.as_bytes()))
    })
}

/// SOP Instance UID of the file that is written; one without any gets one made of its bytes.
fn instance_uid(nodes: &[Node], bytes: &[u8], settings: &Settings) -> String {
    match text(nodes, SOP_INSTANCE_UID) {
        Some(uid) if settings.options.retain_uids && is_uid(&uid) => uid,
        Some(uid) => settings.key.uid(&uid),
        None => settings.key.uid(blake3::hash(bytes).to_hex().as_str()),
    }
}

fn warn(nodes: &[Node], regions: &[Region], detections: &[Detection], warnings: &mut Vec<String>) {
    let says = |tag| text(nodes, tag).as_deref() == Some("YES");
    if regions.is_empty() && says(BURNED_IN_ANNOTATION) {
        warnings.push("The file says that its pixels carry annotations, and nothing was masked.".to_owned());
    } else if regions.is_empty() && !detections.is_empty() {
        let places = in_places(detections.len());
        warnings.push(format!(
            "What looks like text stands in the pixels at {places}, and nothing was masked."
        ));
    }
    if says(RECOGNIZABLE_VISUAL_FEATURES) {
        warnings.push("The file says that a person can be recognised on its picture.".to_owned());
    }
    if graphics::is_in_pixels(nodes) {
        warnings.push("An overlay lies in unused bits of the pixels, which are not changed.".to_owned());
    }
}
