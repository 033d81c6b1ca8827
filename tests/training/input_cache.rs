//! The cache of decoded inputs: what was decoded once is not decoded again, whatever happens to the cache's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use recovnet::imaging::{self, phantom};
use recovnet::nn::{Aspect, Device, InputSpec, Region};
use recovnet::preprocess;
use recovnet::training::input_cache::{DEFAULT_LIMIT, Geometry, InputCache, PREPROCESSING, Stats};
use recovnet::training::lungs::{Later, Lungs, Source};
use recovnet::training::manifest::{Manifest, Row};
use recovnet::training::sample::{self, Sample};

use crate::age::{SETTLED, set_age};
use crate::phantoms;

const COUNT: usize = 6;

fn spec() -> InputSpec {
    InputSpec {
        width: 32,
        height: 32,
        ..InputSpec::default()
    }
}

/// Inputs of whole pictures.
fn whole(spec: &InputSpec, masks: bool) -> Geometry<'_> {
    Geometry {
        spec,
        masks,
        segmenter: None,
    }
}

/// A data folder whose files are old enough for their times to be trusted.
fn data() -> tempfile::TempDir {
    let folder = phantoms::folder(COUNT as u32);
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        set_age(&entry.expect("an entry").path(), SETTLED);
    }
    folder
}

fn rows(folder: &Path) -> Vec<Row> {
    Manifest::read(folder).expect("a manifest").rows
}

fn load_with(root: &Path, limit: u64, rows: &[Row], masks: bool) -> (Vec<Sample>, Stats) {
    let cache = InputCache::open(root, limit, &whole(&spec(), masks));
    let rows: Vec<&Row> = rows.iter().collect();
    let never = AtomicBool::new(false);
    let samples = sample::load_through(Some(&cache), &rows, &spec(), masks, &never, &mut |_| {});
    (samples.expect("all load"), cache.stats())
}

fn load(root: &Path, rows: &[Row]) -> (Vec<Sample>, Stats) {
    load_with(root, DEFAULT_LIMIT, rows, true)
}

fn plain(rows: &[Row]) -> Vec<Sample> {
    let rows: Vec<&Row> = rows.iter().collect();
    sample::load(&rows, &spec(), true, &AtomicBool::new(false), &mut |_| {}).expect("all load")
}

fn packs(root: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.expect("an entry").into_path())
        .filter(|path| path.is_file())
        .collect()
}

fn counts(stats: &Stats) -> (usize, usize) {
    (stats.hits, stats.decoded)
}

#[test]
fn the_second_run_decodes_nothing() {
    let (data, root) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let rows = rows(data.path());
    let (first, stats) = load(root.path(), &rows);
    assert_eq!(counts(&stats), (0, COUNT));
    assert_eq!(stats.problem, None);
    // Without its files nothing can be decoded: what comes is from the cache. The files' names, sizes and times count.
    let (second, stats) = load(root.path(), &rows);
    assert_eq!((counts(&stats), stats.in_memory), ((COUNT, 0), 0));
    assert!(first == plain(&rows) && second == first);
    assert_eq!(packs(root.path()).len(), 1);
}

#[test]
fn moved_files_are_known_by_their_bytes_and_changed_ones_are_not() {
    let (data, root) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let (first, _) = load(root.path(), &rows(data.path()));
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    for entry in fs::read_dir(data.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let copy = elsewhere.path().join(path.file_name().expect("a name"));
        fs::copy(&path, &copy).expect("copied");
        set_age(&copy, SETTLED);
    }
    let moved = rows(elsewhere.path());
    let (second, stats) = load(root.path(), &moved);
    assert_eq!(counts(&stats), (COUNT, 0));
    assert!(second == first);
    // Their names are kept as well: a third time the bytes are not needed.
    assert_eq!(packs(root.path()).len(), 2);
    // Another picture under the same name, of the same size in bytes or not.
    fs::copy(elsewhere.path().join("chest1.png"), elsewhere.path().join("chest0.png")).expect("copied");
    let (third, stats) = load(root.path(), &moved);
    assert_eq!(
        counts(&stats),
        (COUNT - 1, 1),
        "chest 1 with the mask of chest 0 is new"
    );
    assert!(third == plain(&moved) && third[0] != first[0]);
    // A mask that changes is a change, too.
    fs::copy(elsewhere.path().join("mask4.png"), elsewhere.path().join("mask3.png")).expect("copied");
    assert_eq!(load(root.path(), &moved).1.decoded, 1);
}

/// What befalls a file.
type Damage = fn(&mut Vec<u8>);

#[test]
fn damaged_packs_are_made_again() {
    let data = data();
    let rows = rows(data.path());
    let expected = plain(&rows);
    let damage: [(&str, Damage); 6] = [
        ("cut short", |bytes| bytes.truncate(bytes.len() / 2)),
        ("empty", Vec::clear),
        ("a header only", |bytes| bytes.truncate(64)),
        ("longer", |bytes| bytes.extend([0; 64])),
        ("another number of entries", |bytes| bytes[24] = 200),
        ("a turned bit in the last input", |bytes| {
            let at = bytes.len() - 32 * 32 * 2;
            bytes[at] ^= 4;
        }),
    ];
    for (what, spoil) in damage {
        let root = tempfile::tempdir().expect("a temporary folder");
        load(root.path(), &rows);
        let pack = packs(root.path()).remove(0);
        let mut bytes = fs::read(&pack).expect("a pack");
        spoil(&mut bytes);
        fs::write(&pack, bytes).expect("written");
        let (samples, stats) = load(root.path(), &rows);
        assert!(samples == expected, "{what}");
        assert!(stats.decoded >= 1, "{what}: {stats:?}");
        let (again, stats) = load(root.path(), &rows);
        assert!(again == expected && stats.hits + stats.decoded == COUNT, "{what}");
    }
}

#[test]
fn the_cache_may_be_deleted_under_a_running_run() {
    let (data, root) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let rows = rows(data.path());
    load(root.path(), &rows);
    let (samples, _) = load(root.path(), &rows);
    fs::remove_dir_all(root.path()).expect("it can be deleted");
    assert!(samples == plain(&rows), "mapped inputs stay");
    let (after, stats) = load(root.path(), &rows);
    assert_eq!(counts(&stats), (0, COUNT));
    assert!(after == samples);
}

#[test]
fn without_room_inputs_stay_in_memory_and_others_packs_go_first() {
    let (data, root) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let rows = rows(data.path());
    let (samples, stats) = load_with(root.path(), 1000, &rows, true);
    assert_eq!((stats.in_memory, packs(root.path()).len()), (COUNT, 0));
    assert!(
        stats.problem.as_ref().is_some_and(|problem| problem.contains("limit")),
        "{stats:?}"
    );
    assert!(samples == plain(&rows));
    // Room for one geometry: the other one's pack is older and goes.
    let limit = 30_000;
    assert_eq!(load_with(root.path(), limit, &rows, true).1.in_memory, 0);
    let with_masks = packs(root.path());
    set_age(&with_masks[0], SETTLED);
    assert_eq!(load_with(root.path(), limit, &rows, false).1.in_memory, 0);
    assert!(!with_masks[0].exists() && packs(root.path()).len() == 1);
}

#[test]
fn a_cache_that_cannot_be_used_is_no_obstacle() {
    let (data, root) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let rows = rows(data.path());
    let file = root.path().join("file");
    fs::write(&file, b"not a folder").expect("written");
    let (samples, stats) = load(&file, &rows);
    assert!(samples == plain(&rows));
    assert!(stats.problem.is_some() && stats.in_memory == COUNT, "{stats:?}");
    // Files that are not there are told by whoever decodes them.
    fs::remove_file(data.path().join("chest2.png")).expect("removed");
    let cache = InputCache::open(root.path(), DEFAULT_LIMIT, &whole(&spec(), true));
    let all: Vec<&Row> = rows.iter().collect();
    let never = AtomicBool::new(false);
    let error = sample::load_through(Some(&cache), &all, &spec(), true, &never, &mut |_| {});
    assert!(error.expect_err("one is missing").to_string().contains("chest2.png"));
}

#[test]
fn what_is_filled_ahead_is_found_later() {
    let (data, root) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let rows = rows(data.path());
    let all: Vec<&Row> = rows.iter().collect();
    let open = || InputCache::open(root.path(), DEFAULT_LIMIT, &whole(&spec(), true));
    // Told to end after the first pictures, it keeps those.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let (cache, mut asked) = (open(), 0);
    let mut twice = || {
        asked += 1;
        asked <= 2
    };
    pool.install(|| sample::fill(&cache, &all, &spec(), true, &mut twice))
        .expect("no file is broken");
    assert_eq!((cache.stats().decoded, cache.stats().in_memory), (2, 0));
    let cache = open();
    sample::fill(&cache, &all, &spec(), true, &mut || true).expect("no file is broken");
    assert_eq!(counts(&cache.stats()), (2, COUNT - 2));
    let (samples, stats) = load(root.path(), &rows);
    assert_eq!(counts(&stats), (COUNT, 0));
    assert!(samples == plain(&rows));
}

#[test]
fn filling_ends_where_there_is_no_room_and_at_a_broken_file() {
    let (data, root) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let rows = rows(data.path());
    let all: Vec<&Row> = rows.iter().collect();
    let cache = InputCache::open(&root.path().join("small"), 1000, &whole(&spec(), true));
    sample::fill(&cache, &all, &spec(), true, &mut || true).expect("a full cache is no error");
    assert!(cache.stats().problem.is_some() && packs(root.path()).is_empty());
    // What was decoded before the broken file is kept.
    fs::write(data.path().join("chest4.png"), b"no picture").expect("written");
    let cache = InputCache::open(&root.path().join("large"), DEFAULT_LIMIT, &whole(&spec(), true));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let error = pool.install(|| sample::fill(&cache, &all, &spec(), true, &mut || true));
    assert!(error.expect_err("one is broken").to_string().contains("chest4.png"));
    let before = &rows[..4];
    let never = AtomicBool::new(false);
    let kept = InputCache::open(&root.path().join("large"), DEFAULT_LIMIT, &whole(&spec(), true));
    let before: Vec<&Row> = before.iter().collect();
    sample::load_through(Some(&kept), &before, &spec(), true, &never, &mut |_| {}).expect("these load");
    assert_eq!(counts(&kept.stats()), (4, 0));
}

#[test]
fn inputs_of_later_never_drive_out_those_in_use() {
    let (data, root) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let rows = rows(data.path());
    let all: Vec<&Row> = rows.iter().collect();
    let limit = 30_000;
    load_with(root.path(), limit, &rows, true);
    let in_use = packs(root.path()).remove(0);
    set_age(&in_use, SETTLED);
    let larger = InputSpec {
        width: 40,
        height: 40,
        ..spec()
    };
    let open = || InputCache::open(root.path(), limit, &whole(&larger, true));
    let sparing = open().sparing(&whole(&spec(), true));
    sample::fill(&sparing, &all, &larger, true, &mut || true).expect("a full cache is no error");
    assert!(sparing.stats().problem.is_some());
    assert_eq!(packs(root.path()), [in_use.as_path()]);
    // When they are needed now, the others go.
    let never = AtomicBool::new(false);
    let cache = open();
    sample::load_through(Some(&cache), &all, &larger, true, &never, &mut |_| {}).expect("all load");
    assert!(cache.stats().problem.is_none() && !in_use.exists());
}

/// Synthetic radiographs whose lungs the shipped segmenter finds, in the files of [`data`].
fn radiographs() -> tempfile::TempDir {
    let data = data();
    for (seed, row) in (1..).zip(rows(data.path())) {
        let chest = phantom::png_bytes_seeded(160, 160, seed).expect("a phantom");
        fs::write(&row.path, chest).expect("written");
        set_age(&row.path, SETTLED);
    }
    data
}

fn part(region: Region, side: usize) -> InputSpec {
    InputSpec {
        width: side,
        height: side,
        region,
        ..spec()
    }
}

#[test]
fn parts_of_pictures_are_segmented_once_for_all_sizes() {
    let (data, root) = (radiographs(), tempfile::tempdir().expect("a temporary folder"));
    let rows = rows(data.path());
    let all: Vec<&Row> = rows.iter().collect();
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/segmenter-densenet121.safetensors");
    let lungs = Lungs::open(&weights, &Device::Cpu).expect("a segmenter");
    let never = AtomicBool::new(false);
    let load = |spec: &InputSpec, cache: Option<&InputCache>, later: &[Later]| {
        let source = Source {
            spec,
            masks: false,
            cache,
            lungs: Some(&lungs),
            later,
        };
        source.load(&all, &never, &mut |_| {}).expect("all load")
    };
    let open = |spec: &InputSpec, segmenter: &str| {
        let geometry = Geometry {
            spec,
            masks: false,
            segmenter: Some(segmenter),
        };
        InputCache::open(root.path(), DEFAULT_LIMIT, &geometry)
    };
    for region in [Region::LungCrop { margin: 0.1 }, Region::LungMask] {
        let [small, large] = [32, 48].map(|side| part(region, side));
        let cache = open(&small, lungs.name());
        let later = [Later {
            spec: large.clone(),
            cache: open(&large, lungs.name()),
        }];
        let first = load(&small, Some(&cache), &later);
        assert_eq!(counts(&cache.stats()), (0, COUNT));
        assert!(first == load(&small, None, &[]), "{region}");
        // The other size was made of the same masks, and both are there in the next session.
        for (spec, expected) in [(&small, first), (&large, load(&large, None, &[]))] {
            let cache = open(spec, lungs.name());
            assert!(load(spec, Some(&cache), &[]) == expected, "{region}");
            assert_eq!(counts(&cache.stats()), (COUNT, 0), "{region}");
        }
        // What another segmenter finds lies apart.
        let other = open(&small, "0123456789abcdef0123456789abcdef");
        load(&small, Some(&other), &[]);
        assert_eq!(counts(&other.stats()), (0, COUNT), "{region}");
    }
    // Another margin is another input.
    let wider = part(Region::LungCrop { margin: 0.2 }, 32);
    let cache = open(&wider, lungs.name());
    load(&wider, Some(&cache), &[]);
    assert_eq!(cache.stats().hits, 0);
    // Safe to delete.
    fs::remove_dir_all(root.path()).expect("it can be deleted");
    let cache = open(&wider, lungs.name());
    assert!(load(&wider, Some(&cache), &[]) == load(&wider, None, &[]));
    assert_eq!(cache.stats().hits, 0);
}

/// As `inputs_are_what_the_cache_says_they_are`, of the lungs of a known mask.
#[test]
fn parts_are_what_the_cache_says_they_are() {
    let bytes = phantom::png_bytes(97, 71).expect("a phantom");
    let image = imaging::decode(Path::new("phantom.png"), &bytes).expect("it is a picture");
    let mask = phantom::lung_mask(97, 71).expect("a mask");
    let sums = [Region::LungCrop { margin: 0.1 }, Region::LungMask].map(|region| {
        let input = preprocess::grey_of_region(&image, &part(region, 32), &mask).expect("an input");
        let greys = input.pixels.iter().map(|value| (value * 255.0).round() as u64);
        greys.fold(0_u64, |sum, grey| sum.wrapping_mul(31).wrapping_add(grey))
    });
    assert_eq!(
        (PREPROCESSING, sums),
        (2, [247_411_604_300_001_794, 18_088_679_209_087_571_446]),
        "raise PREPROCESSING if this was meant"
    );
}

/// Greys that differ from those of earlier versions must not be mixed with them: raise `PREPROCESSING` with this number.
#[test]
fn inputs_are_what_the_cache_says_they_are() {
    let bytes = phantom::png_bytes(97, 71).expect("a phantom");
    let image = imaging::decode(Path::new("phantom.png"), &bytes).expect("it is a picture");
    let mut sum = 0_u64;
    for aspect in [Aspect::Stretch, Aspect::Pad, Aspect::Crop] {
        let input = preprocess::grey(&image, &InputSpec { aspect, ..spec() }).expect("an input");
        // Eight bits: rounding of the last place may differ between machines.
        let greys = input.pixels.iter().map(|value| (value * 255.0).round() as u64);
        sum = greys.fold(sum, |sum, grey| sum.wrapping_mul(31).wrapping_add(grey));
    }
    assert_eq!(
        (PREPROCESSING, sum),
        (2, 5_737_274_561_514_905_397),
        "raise PREPROCESSING if this was meant"
    );
}
