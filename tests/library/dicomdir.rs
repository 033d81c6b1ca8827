//! DICOMDIR: records in the hierarchy that their offsets make, and what becomes of them where these lie.

use std::path::{Path, PathBuf};

use recovnet::imaging::dicomdir::{self, Directory};
use recovnet::imaging::header::{self, Head};

use crate::elements::element;
use crate::study_files::write_settled;
use crate::{Case, four, index, instance};

/// A directory record: its neighbours by their place in the list.
#[derive(Clone, Default)]
struct Record {
    next: Option<usize>,
    lower: Option<usize>,
    deleted: bool,
    file_id: &'static str,
    /// Offsets that lead nowhere.
    astray: bool,
}

fn item(record: &Record, at: impl Fn(Option<usize>) -> u32) -> Vec<u8> {
    let offset = |place| if record.astray { 12_345 } else { at(place) };
    let mut content = element((0x0004, 0x1400), *b"UL", &offset(record.next).to_le_bytes());
    let in_use: u16 = if record.deleted { 0 } else { 0xffff };
    content.extend(element((0x0004, 0x1410), *b"US", &in_use.to_le_bytes()));
    content.extend(element((0x0004, 0x1420), *b"UL", &offset(record.lower).to_le_bytes()));
    if !record.file_id.is_empty() {
        content.extend(element((0x0004, 0x1500), *b"CS", record.file_id.as_bytes()));
    }
    let mut bytes = b"\xfe\xff\0\xe0".to_vec();
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    bytes
}

/// The bytes of a DICOMDIR whose first record is the first of the list.
fn directory(records: &[Record]) -> Vec<u8> {
    let mut meta = element((0x0002, 0x0001), *b"OB", &[0, 1]);
    meta.extend(element((0x0002, 0x0002), *b"UI", b"1.2.840.10008.1.3.10"));
    meta.extend(element((0x0002, 0x0010), *b"UI", b"1.2.840.10008.1.2.1\0"));
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend(element((0x0002, 0x0000), *b"UL", &(meta.len() as u32).to_le_bytes()));
    bytes.extend(meta);
    // File-set ID, first record, last record, consistency, then the sequence's own header.
    let first = bytes.len() + 8 + 12 + 12 + 10 + 12;
    let lengths = records.iter().map(|record| item(record, |_| 0).len());
    let offsets: Vec<usize> = std::iter::once(first)
        .chain(lengths.scan(first, |at, length| {
            *at += length;
            Some(*at)
        }))
        .collect();
    let at = |place: Option<usize>| place.map_or(0, |place| offsets[place] as u32);
    bytes.extend(element((0x0004, 0x1130), *b"CS", b""));
    bytes.extend(element(
        (0x0004, 0x1200),
        *b"UL",
        &at((!records.is_empty()).then_some(0)).to_le_bytes(),
    ));
    bytes.extend(element(
        (0x0004, 0x1202),
        *b"UL",
        &at((!records.is_empty()).then_some(0)).to_le_bytes(),
    ));
    bytes.extend(element((0x0004, 0x1212), *b"US", &[0, 0]));
    let items: Vec<u8> = records.iter().flat_map(|record| item(record, at)).collect();
    bytes.extend(element((0x0004, 0x1220), *b"SQ", &items));
    bytes
}

/// Patient, study and series above some images.
fn tree(file_ids: &[&'static str]) -> Vec<Record> {
    let above = (0..3).map(|level| Record {
        lower: Some(level + 1),
        ..Record::default()
    });
    let last = file_ids.len() - 1;
    let images = file_ids.iter().enumerate().map(|(number, file_id)| Record {
        next: (number < last).then_some(number + 4),
        file_id,
        ..Record::default()
    });
    above.chain(images).collect()
}

/// A medium with three files, some of them in small letters.
fn medium() -> Case {
    let case = Case::new();
    for (number, name) in ["IMAGES/IM0001", "images2/im0002", "IMAGES/IM0003.;1"]
        .into_iter()
        .enumerate()
    {
        case.put(name, instance(1, 1, 1, number));
    }
    case
}

fn read(case: &Case, records: &[Record]) -> Directory {
    let path = case.path("DICOMDIR");
    write_settled(&path, &directory(records));
    dicomdir::read(&path).unwrap()
}

fn names(case: &Case, files: &[PathBuf]) -> Vec<String> {
    let relative = |path: &PathBuf| path.strip_prefix(case.source()).unwrap().to_string_lossy().into_owned();
    files.iter().map(relative).collect()
}

#[test]
fn files_are_found_by_their_ids_capitals_or_not() {
    let case = medium();
    let listed = read(
        &case,
        &tree(&["IMAGES\\IM0001", "IMAGES2\\IM0002", "IMAGES\\IM0003", "IMAGES\\IM0004"]),
    );
    assert_eq!(
        names(&case, &listed.files),
        ["IMAGES/IM0001", "images2/im0002", "IMAGES/IM0003.;1"]
    );
    assert_eq!(listed.missing, ["IMAGES/IM0004"]);
    assert_eq!(listed.warnings, Vec::<String>::new());
    assert_eq!(header::read(&case.path("DICOMDIR")).unwrap(), Head::Directory);
}

#[test]
fn no_file_id_leads_out_of_the_folder() {
    let case = medium();
    write_settled(&case.folder.path().join("SECRET"), b"outside");
    let listed = read(
        &case,
        &tree(&[
            "..\\SECRET",
            "IMAGES\\..\\..\\SECRET",
            "IMAGES\\IM0001",
            "\\etc\\passwd",
        ]),
    );
    assert_eq!(names(&case, &listed.files), ["IMAGES/IM0001"]);
    assert_eq!(listed.missing.len(), 3);
}

#[test]
fn a_circle_of_records_ends() {
    let case = medium();
    let mut records = tree(&["IMAGES\\IM0001", "IMAGES2\\IM0002"]);
    records[4].next = Some(0);
    let listed = read(&case, &records);
    assert_eq!(listed.files.len(), 2);
    assert!(listed.warnings[0].contains("read before"), "{:?}", listed.warnings);
}

#[test]
fn offsets_that_lead_nowhere_lose_no_file() {
    let case = medium();
    let mut records = tree(&["IMAGES\\IM0001", "IMAGES2\\IM0002"]);
    records[1].astray = true;
    let listed = read(&case, &records);
    assert_eq!(listed.files.len(), 2);
    assert!(
        listed
            .warnings
            .iter()
            .any(|warning| warning.contains("lead to no record")),
        "{:?}",
        listed.warnings
    );
    assert!(
        listed
            .warnings
            .iter()
            .any(|warning| warning.contains("reached by no offset")),
        "{:?}",
        listed.warnings
    );
}

#[test]
fn what_was_deleted_from_the_directory_is_not_listed() {
    let case = medium();
    let mut records = tree(&["IMAGES\\IM0001", "IMAGES2\\IM0002"]);
    records[4].deleted = true;
    assert_eq!(read(&case, &records).files.len(), 1);
    records[1].deleted = true;
    let nothing = read(&case, &records);
    assert_eq!(
        nothing.files,
        Vec::<PathBuf>::new(),
        "below a deleted record, everything is"
    );
    assert_eq!(nothing.warnings, Vec::<String>::new());
}

#[test]
fn a_cut_directory_gives_what_stands_before_the_cut() {
    let case = medium();
    let bytes = directory(&tree(&["IMAGES\\IM0001", "IMAGES2\\IM0002"]));
    let path = case.path("DICOMDIR");
    write_settled(&path, &bytes[..bytes.len() - 10]);
    let listed = dicomdir::read(&path).unwrap();
    assert_eq!(names(&case, &listed.files), ["IMAGES/IM0001"]);
    assert!(listed.warnings[0].contains("broken at byte"), "{:?}", listed.warnings);
    write_settled(&path, b"no directory at all");
    assert!(dicomdir::read(&path).is_err());
}

#[test]
fn an_index_of_a_directory_has_its_files_and_no_others() {
    let case = medium();
    case.put("IMAGES/STRAY", instance(7, 7, 7, 7));
    let path = case.path("DICOMDIR");
    write_settled(
        &path,
        &directory(&tree(&["IMAGES\\IM0001", "IMAGES2\\IM0002", "IMAGES\\LOST"])),
    );
    let mut library = case.library();
    let summary = index(&mut library, &path);
    assert_eq!((summary.files, summary.read), (2, 2));
    assert_eq!(summary.problems.values().sum::<usize>(), 1, "{:?}", summary.problems);
    let root = path.canonicalize().unwrap();
    assert_eq!(four(&library.counts(Some(&root)).unwrap()), [1, 1, 1, 2]);
    // A file that the directory no longer lists stays if it is there, and goes if it is not.
    std::fs::remove_file(case.path("IMAGES/IM0001")).unwrap();
    let again = index(&mut library, &path);
    assert_eq!((again.files, again.gone), (1, 1));
}

#[test]
fn a_directory_in_a_folder_that_is_indexed_has_its_own_files_alone() {
    let case = medium();
    case.put("IMAGES/STRAY", instance(7, 7, 7, 7));
    let path = case.path("DICOMDIR");
    write_settled(&path, &directory(&tree(&["IMAGES\\IM0001", "IMAGES2\\IM0002"])));
    let mut library = case.library();
    index(&mut library, &case.source());
    index(&mut library, &path);
    let [folder, root] = [case.source(), path].map(|path| path.canonicalize().unwrap());
    assert_eq!(library.counts(Some(&folder)).unwrap().instances, 4);
    assert_eq!(four(&library.counts(Some(&root)).unwrap()), [1, 1, 1, 2]);
    let catalogue = library.catalogue(Some(&root)).unwrap();
    let series = &catalogue.patients[0].studies[0].series[0];
    let files: Vec<PathBuf> = series.instances.iter().map(|instance| instance.path.clone()).collect();
    assert_eq!(names(&case, &files), ["IMAGES/IM0001", "images2/im0002"]);
    // Without the folder, what the directory lists stays, and nothing else.
    library.forget(&folder).unwrap();
    assert_eq!(library.counts(None).unwrap().instances, 2);
    assert_eq!(library.counts(Some(&root)).unwrap().instances, 2);
    library.forget(&root).unwrap();
    assert_eq!(library.counts(None).unwrap().instances, 0);
}

#[test]
fn a_real_directory_without_records_lists_nothing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/dicom/open");
    let folder = std::env::var_os("RECOVNET_DICOM").map_or_else(|| folder.into(), PathBuf::from);
    let manifest = folder.join("manifest.csv");
    if !manifest.is_file() {
        println!("skipped: no DICOM files at {}", folder.display());
        return;
    }
    let text = std::fs::read_to_string(manifest).unwrap();
    let lines = text.lines().filter(|line| line.contains("noimage:DICOMDIR"));
    let mut found = 0;
    for line in lines {
        let name = line.split(',').next().unwrap();
        let path = folder.join("files").join(name);
        assert_eq!(header::read(&path).unwrap(), Head::Directory, "{name}");
        let listed = dicomdir::read(Path::new(&path)).unwrap();
        assert_eq!(listed.files, Vec::<PathBuf>::new(), "{name}");
        found += 1;
    }
    assert!(found > 0);
}
