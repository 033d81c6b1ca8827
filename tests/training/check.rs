//! The check before training: planted copies are found, different chests are not, bad files are named, and training
//! waits for its verdict.

use std::sync::atomic::{AtomicBool, Ordering};

use image::GrayImage;
use proptest::prelude::*;
use recovnet::training::check::align::{Compared, Likeness, Warp, compare};
use recovnet::training::check::gate::{self, OnLeakage, Request, gate};
use recovnet::training::check::hash::{Describer, Frequencies, Medians, dot};
use recovnet::training::check::plane::{Plane, SIDE};
use recovnet::training::check::report::{CopyPair, OddKind};
use recovnet::training::check::{self, CheckReport, Options, Stage, html, words};
use recovnet::training::manifest::{Manifest, Row};
use recovnet::training::split::{Part, Split, SplitRule, file as split_file, keep_together};

use crate::chests::{Folder, chest, cropped, group_in, jpeg, with_gamma};

fn plane(picture: &GrayImage) -> Plane {
    let side = SIDE as u32;
    let small = image::imageops::resize(picture, side, side, image::imageops::FilterType::Triangle);
    Plane::new(SIDE, small.as_raw())
}

/// As the check compares two pictures: from the crop of the first that is most like the second.
fn likeness(a: &Plane, b: &Plane) -> Option<Likeness> {
    let describer = Describer::default();
    let there = describer.describe(b)?;
    let crops = describer.describe_crops(a);
    let (_, guess) = crops
        .iter()
        .max_by(|one, two| dot(&one.0, &there).total_cmp(&dot(&two.0, &there)))?;
    compare(&Compared::new(a.clone()), &Compared::new(b.clone()), *guess)
}

fn is_copy(a: &Plane, b: &Plane) -> bool {
    likeness(a, b).is_some_and(|likeness| likeness.is_copy())
}

fn checked(folder: &Folder) -> CheckReport {
    let rows = rows(folder);
    check::run(&rows, &Options::default(), &AtomicBool::new(false), &mut |_| {}).expect("a report")
}

fn rows(folder: &Folder) -> Vec<Row> {
    Manifest::read(folder.path()).expect("a manifest").rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_copy_is_known_whatever_was_done_to_it(
        number in 0_u64..10_000,
        crop in prop::array::uniform4(0.0..0.05),
        gamma in 0.5..2.0_f64,
        quality in 50_u8..95,
    ) {
        let picture = chest(number, 200);
        let copy = jpeg(&with_gamma(&cropped(&picture, crop), gamma), quality);
        let (one, other) = (plane(&picture), plane(&copy));
        // One direction is enough: the check looks every picture up.
        let found = [likeness(&one, &other), likeness(&other, &one)];
        prop_assert!(found.iter().flatten().any(Likeness::is_copy), "{crop:?} {gamma} {quality}: {found:?}");
    }

    #[test]
    fn the_hash_proposes_a_copy(
        number in 0_u64..10_000,
        crop in prop::array::uniform4(0.0..0.05),
        gamma in 0.5..2.0_f64,
    ) {
        let describer = Describer::default();
        let medians = Medians::of(&population(&describer));
        let picture = chest(number, 200);
        let copy = plane(&jpeg(&with_gamma(&cropped(&picture, crop), gamma), 50));
        let hash = medians.hash(&describer.describe(&copy).expect("it has structure"));
        let crops = describer.describe_crops(&plane(&picture));
        let nearest = crops.iter().map(|(crop, _)| (medians.hash(crop) ^ hash).count_ones()).min();
        prop_assert!(nearest.is_some_and(|bits| bits <= 12), "{nearest:?} bits apart");
    }

    #[test]
    fn different_chests_are_no_copies(one in 0_u64..10_000, other in 10_000_u64..20_000) {
        let (one, other) = (plane(&chest(one, 128)), plane(&chest(other, 128)));
        prop_assert!(!is_copy(&one, &other), "{:?}", likeness(&one, &other));
    }
}

fn population(describer: &Describer) -> Vec<Option<Frequencies>> {
    (20_000..20_064)
        .map(|number| describer.describe(&plane(&chest(number, 96))))
        .collect()
}

#[test]
fn a_negative_or_flat_plane_is_handled() {
    let flat = Plane::new(SIDE, &[7; SIDE * SIDE]);
    assert!(Describer::default().describe(&flat).is_none());
    assert!(Describer::default().describe_crops(&flat).is_empty());
    let picture = plane(&chest(1, 128));
    let compared = compare(&Compared::new(flat.clone()), &Compared::new(picture), Warp::IDENTITY);
    assert!(compared.is_none_or(|likeness| !likeness.is_copy()));
    let both = compare(&Compared::new(flat.clone()), &Compared::new(flat), Warp::IDENTITY);
    assert!(both.is_none_or(|likeness| !likeness.is_copy()));
}

/// `count` chests in all parts, each its own group.
fn chests(count: usize, side: u32) -> Folder {
    let mut folder = Folder::new();
    for number in 0..count {
        folder.add(
            &format!("chest{number}.png"),
            &chest(number as u64, side),
            &format!("p{number}"),
        );
    }
    folder
}

#[test]
fn planted_copies_across_parts_are_found() {
    let mut folder = chests(40, 160);
    let original = |number| chest(number, 160);
    let other_part = |number: usize| {
        let own = Part::of(&format!("p{number}"));
        let other = if own == Part::Test { Part::Train } else { Part::Test };
        group_in(other, number)
    };
    folder.add("jpeg.png", &jpeg(&original(1), 50), &other_part(1));
    folder.add("crop.png", &cropped(&original(2), [0.05; 4]), &other_part(2));
    folder.add(
        "corner.png",
        &cropped(&original(3), [0.05, 0.05, 0.0, 0.0]),
        &other_part(3),
    );
    folder.add("gamma.png", &with_gamma(&original(4), 1.8), &other_part(4));
    let all = jpeg(&with_gamma(&cropped(&original(5), [0.03, 0.02, 0.02, 0.03]), 0.6), 50);
    folder.add("all.png", &all, &other_part(5));
    // The same pixels in another format.
    original(6)
        .save(folder.path().join("exact.bmp"))
        .expect("a picture is written");
    folder.add_row("exact.bmp", &other_part(6));
    let report = checked(&folder);
    let found: Vec<(&str, &str)> = report
        .copies
        .first
        .iter()
        .map(|copy| (copy.first.file.as_str(), copy.second.file.as_str()))
        .collect();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    let expected = [
        ("chest1.png", "jpeg.png"),
        ("chest2.png", "crop.png"),
        ("chest3.png", "corner.png"),
        ("chest4.png", "gamma.png"),
        ("chest5.png", "all.png"),
        ("chest6.png", "exact.bmp"),
    ];
    assert_eq!(sorted, expected);
    assert_eq!(found[0], ("chest6.png", "exact.bmp"), "the surest first");
    let leakage = report.leakage();
    assert_eq!((leakage.exact, leakage.near, leakage.groups), (1, 5, 0));
    assert!(report.copies.first.iter().all(|copy| copy.thumbnails.is_some()));
    let page = html::html(&report);
    assert!(
        page.contains("leakage: 1 exact copy, 5 near copies in more than one part")
            && page.contains("data:image/png;base64,")
    );
    assert!(words::markdown(&report).contains("| chest2.png (") && words::text(&report).contains("crop.png"));
}

#[test]
fn a_copy_within_a_group_is_no_leakage() {
    let mut folder = chests(20, 128);
    folder.add("again.png", &jpeg(&chest(3, 128), 50), "p3");
    folder.add("exact.png", &chest(4, 128), "p4");
    let report = checked(&folder);
    assert!(report.leakage().is_none(), "{}", report.leakage());
    assert_eq!((report.exact.pairs, report.near.pairs), (1, 1));
    assert!(report.copies.first.iter().all(|copy| copy.same_group));
}

#[test]
fn a_large_set_is_searched_by_hash() {
    // Above the size up to which all pairs are compared.
    let count = 1100;
    let mut folder = Folder::new();
    let mut pictures = Vec::new();
    for number in 0..count {
        pictures.push((
            format!("chest{number}.png"),
            chest(number as u64, 64),
            format!("p{number}"),
        ));
    }
    for number in 0..20_usize {
        let share = [number & 1, number >> 1 & 1, number >> 2 & 1, number >> 3 & 1].map(|bit| bit as f64 * 0.05);
        let copy = with_gamma(
            &cropped(&chest(number as u64 * 50, 64), share),
            0.6 + 0.07 * number as f64,
        );
        pictures.push((format!("copy{number}.png"), copy, format!("q{number}")));
    }
    // Pictures that differ by less than a hash sees, and pictures without anything.
    for number in 0..60 {
        let mut nearly = chest(777, 64);
        nearly.put_pixel(number, 3, image::Luma([9]));
        pictures.push((format!("same{number}.png"), nearly, format!("s{number}")));
    }
    for number in 0..60_u32 {
        let black = GrayImage::from_fn(64, 64, |x, y| image::Luma([u8::from(x * 64 + y == number)]));
        pictures.push((format!("black{number}.png"), black, format!("b{number}")));
    }
    let mut table = "file,label,group\n".to_owned();
    for (name, picture, group) in &pictures {
        picture.save(folder.path().join(name)).expect("a picture is written");
        let line = format!("{name},covid,{group}\n");
        table.push_str(&line);
    }
    folder.add_row("unused.png", "x");
    std::fs::write(folder.path().join("manifest.csv"), table).expect("a table is written");
    let report = checked(&folder);
    let sets: Vec<u32> = (0..20)
        .filter_map(|number| {
            let name = format!("copy{number}.png");
            let pair = report.copies.first.iter().find(|copy| copy.second.file == name)?;
            (pair.first.file == format!("chest{}.png", number * 50)).then_some(pair.set)
        })
        .collect();
    assert!(sets.len() >= 19, "{} of 20 copies found", sets.len());
    let same: Vec<u32> = (report.copies.first.iter())
        .filter(|copy| copy.second.file.starts_with("same"))
        .map(|copy| copy.set)
        .collect();
    assert!(
        same.len() >= 59 && same.iter().all(|set| *set == same[0]),
        "one set, with chest777 in it"
    );
    let stray = |name: &str| !name.starts_with("copy") && !name.starts_with("same") && !name.starts_with("black");
    assert!(
        !report.copies.first.iter().any(|copy| stray(&copy.second.file)),
        "{:?}",
        report.copies.first
    );
    let flat = report.odd.first.iter().filter(|odd| odd.kind == OddKind::Flat).count();
    assert_eq!(flat, 60);
}

#[test]
fn files_that_cannot_be_used_are_named_with_their_cause() {
    let mut folder = chests(4, 64);
    std::fs::write(folder.path().join("empty.png"), b"").expect("written");
    std::fs::write(folder.path().join("words.png"), b"no picture at all").expect("written");
    let bytes = std::fs::read(folder.path().join("chest1.png")).expect("read");
    std::fs::write(folder.path().join("short.png"), &bytes[..bytes.len() / 2]).expect("written");
    let colour = image::RgbImage::from_fn(20, 20, |x, y| image::Rgb([x as u8 * 9, y as u8 * 9, 200]));
    colour.save(folder.path().join("colour.png")).expect("written");
    for (i, name) in ["empty.png", "words.png", "short.png", "colour.png", "gone.png"]
        .iter()
        .enumerate()
    {
        folder.add_row(name, &format!("bad{i}"));
    }
    let report = checked(&folder);
    let reason = |name: &str| {
        let found = report.unreadable.first.iter().find(|bad| bad.file == name);
        found.unwrap_or_else(|| panic!("{name} is not named")).reason.clone()
    };
    assert_eq!((report.unreadable.total, report.images), (5, 9));
    assert!(reason("empty.png").contains("empty"), "{}", reason("empty.png"));
    assert!(reason("words.png").contains("no DICOM"), "{}", reason("words.png"));
    assert!(reason("short.png").contains("decoded"), "{}", reason("short.png"));
    assert!(reason("colour.png").contains("colour"), "{}", reason("colour.png"));
    assert!(reason("gone.png").contains("cannot be read"), "{}", reason("gone.png"));
    assert_eq!(report.counts.iter().map(|count| count.images).sum::<usize>(), 9);
    let histogram = &report.histograms[0];
    let counted: u64 = histogram.bins.iter().map(|bin| bin.control + bin.covid19).sum();
    assert_eq!((counted, histogram.bins[0].control + histogram.bins[0].covid19), (4, 4));
}

#[test]
fn what_is_rare_in_shape_or_size_is_odd() {
    let mut folder = chests(20, 130);
    folder.add("small.png", &chest(90, 60), "small");
    folder.add(
        "long.png",
        &image::imageops::crop_imm(&chest(91, 400), 0, 0, 130, 300).to_image(),
        "long",
    );
    folder.add("flat.png", &GrayImage::from_pixel(140, 140, image::Luma([90])), "flat");
    let mut negative = chest(1, 130);
    image::imageops::invert(&mut negative);
    folder.add("negative.png", &negative, "negative");
    let report = checked(&folder);
    let odd: Vec<(&str, OddKind)> = (report.odd.first.iter())
        .map(|odd| (odd.place.file.as_str(), odd.kind))
        .collect();
    for expected in [
        ("flat.png", OddKind::Flat),
        ("negative.png", OddKind::Inverted),
        ("long.png", OddKind::Long),
        ("small.png", OddKind::Small),
    ] {
        assert!(odd.contains(&expected), "{odd:?}");
    }
    assert!(report.odd.first.iter().all(|odd| odd.thumbnail.is_some()));
    // Where all are small, none is odd for it.
    assert_eq!(checked(&chests(20, 64)).odd.total, 0);
}

#[test]
fn bad_masks_and_missing_ones_are_told() {
    let folder = crate::phantoms::folder(6);
    let mask = folder.path().join("mask2.png");
    GrayImage::new(5, 5).save(&mask).expect("written");
    std::fs::write(folder.path().join("mask3.png"), b"x").expect("written");
    let rows = Manifest::read(folder.path()).expect("a manifest").rows;
    let report = check::run(&rows, &Options::default(), &AtomicBool::new(false), &mut |_| {}).expect("a report");
    assert_eq!(report.unreadable.total, 2);
    assert!(report.unreadable.first.iter().all(|bad| bad.mask));
    assert!(
        report.unreadable.first[0].reason.contains("5x5"),
        "{:?}",
        report.unreadable
    );
    assert_eq!((report.masks[0].lung_field, report.without_mask.total), (6, 0));
    assert_eq!(checked(&chests(3, 64)).without_mask.first.len(), 3);
}

#[test]
fn a_check_stops_at_once_when_asked() {
    let folder = chests(20, 64);
    let rows = rows(&folder);
    for stage in [Stage::Reading, Stage::Searching, Stage::Comparing] {
        let cancel = AtomicBool::new(false);
        let mut reached = false;
        let outcome = check::run(&rows, &Options::default(), &cancel, &mut |progress| {
            assert!(progress.done <= progress.total);
            if progress.stage == stage {
                reached = true;
                cancel.store(true, Ordering::Relaxed);
            }
        });
        if reached {
            assert!(matches!(outcome, Err(check::Error::Cancelled)), "{stage:?}");
        }
    }
    let never = check::run(&rows, &Options::default(), &AtomicBool::new(true), &mut |_| {});
    assert!(matches!(never, Err(check::Error::Cancelled)));
    assert!(matches!(
        check::run(&[], &Options::default(), &AtomicBool::new(false), &mut |_| {}),
        Err(check::Error::Empty)
    ));
}

#[test]
fn patients_in_two_predefined_parts_are_found() {
    let folder = chests(6, 96);
    let lines = [
        "chest0.png,covid,p1,train",
        "chest1.png,normal,p1,test",
        "chest2.png,covid,p2,train",
        "chest3.png,normal,p2,train",
        "chest4.png,covid,p3,val",
        "chest5.png,normal,p1,train",
    ];
    let table = format!("file,label,patient,part\n{}\n", lines.join("\n"));
    std::fs::write(folder.path().join("manifest.csv"), table).expect("a table is written");
    let mut rows = rows(&folder);
    Split::assign(&mut rows, SplitRule::Predefined, 0).expect("every row has a part");
    let never = AtomicBool::new(false);
    let report = check::run(&rows, &Options::default(), &never, &mut |_| {}).expect("a report");
    assert_eq!((report.leakage().groups, report.leakage().near), (1, 0));
    let shared = &report.shared_groups.first[0];
    let files: Vec<&str> = shared.files.iter().map(|place| place.file.as_str()).collect();
    assert_eq!((files, shared.images), (vec!["chest0.png", "chest1.png"], 3));

    let ask = |on_leakage| {
        let request = Request {
            rows: &rows,
            uses: &|_| true,
            on_leakage,
            reports: None,
            options: &Options::default(),
        };
        gate(&request, &never, &mut |_| {})
    };
    let refused = ask(OnLeakage::Refuse).expect_err("a patient is in two parts");
    assert!(refused.to_string().contains("1 "), "{refused}");
    let record = ask(OnLeakage::LeaveOut).expect("the others can be used");
    let left_out: Vec<&str> = record.left_out.iter().map(String::as_str).collect();
    assert_eq!(
        left_out,
        ["chest0.png", "chest5.png"],
        "the test part keeps the patient"
    );
}

#[test]
fn groups_that_share_a_picture_are_put_into_one_part() {
    let mut folder = chests(40, 96);
    // A chain: a training group, one of the validation part and one of the test part.
    let [train, validation, test] =
        [Part::Train, Part::Validation, Part::Test].map(|part| (part, group_in(part, 1000)));
    folder.add("a.png", &chest(500, 96), &train.1);
    folder.add("b.png", &jpeg(&chest(500, 96), 60), &validation.1);
    folder.add("c.png", &chest(501, 96), &validation.1);
    folder.add("d.png", &with_gamma(&chest(501, 96), 1.6), &test.1);
    folder.add("e.png", &chest(502, 96), &test.1);
    let mut rows = rows(&folder);
    let never = AtomicBool::new(false);
    let report = check::run(&rows, &Options::default(), &never, &mut |_| {}).expect("a report");
    assert_eq!(report.leakage().near, 2);
    let before = rows.clone();
    let pairs = report.copies.first.iter().map(CopyPair::files);
    let split = keep_together(&mut rows, pairs, 7).expect("something is left of every part");
    for (row, before) in rows.iter().zip(&before) {
        let chained = [&train.1, &validation.1, &test.1].contains(&&row.group);
        let expected = if chained { Part::Train } else { before.part() };
        assert_eq!(row.part(), expected, "{}", row.file);
        assert!(
            row.part() != Part::Test || before.part() == Part::Test,
            "no image becomes a test image"
        );
    }
    let report = check::run(&rows, &Options::default(), &never, &mut |_| {}).expect("a report");
    assert!(report.leakage().is_none(), "{}", report.leakage());
    assert!(
        split.id.starts_with("together-seed-7-") && split.leakage.is_none(),
        "{split:?}"
    );
    // A file brings it back; the rule alone does not.
    let kept = tempfile::tempdir().expect("a temporary folder");
    let file = kept.path().join("split.json");
    split_file::write(&file, &rows, &split).expect("written");
    let mut again = before.clone();
    assert_eq!(split_file::read(&file, &mut again).expect("read"), split);
    assert_eq!(again, rows);
    let refused = Split::assign(&mut again, SplitRule::Together, 7).expect_err("no copies are known");
    assert!(refused.to_string().contains("--together"), "{refused}");
    // Without copies the parts and their name stay.
    let mut plain = before.clone();
    let same = keep_together(&mut plain, [], 7).expect("every part stays");
    assert_eq!(same.id, Split::default().id);
}

#[test]
fn a_part_that_would_lose_all_its_images_is_refused() {
    let mut folder = Folder::new();
    let groups = [Part::Train, Part::Validation, Part::Test].map(|part| group_in(part, 1000));
    for (number, group) in groups.iter().enumerate() {
        folder.add(&format!("{number}.png"), &chest(600 + number as u64, 96), group);
    }
    let rows = rows(&folder);
    let files: Vec<&str> = rows.iter().map(|row| row.file.as_str()).collect();
    for (pair, part) in [((files[0], files[1]), "val"), ((files[1], files[2]), "test")] {
        let mut parted = rows.clone();
        let refused = keep_together(&mut parted, [pair], 7).expect_err("nothing is left of a part");
        assert!(refused.to_string().contains(&format!("the part {part};")), "{refused}");
        assert_eq!(parted, rows, "no row was moved");
    }
}

#[test]
fn training_waits_for_the_verdict() {
    let mut folder = chests(12, 96);
    folder.add("copy.png", &jpeg(&chest(0, 96), 60), &group_in(Part::Test, 0));
    folder.add("other.png", &jpeg(&chest(0, 96), 80), &group_in(Part::Train, 1));
    let rows = rows(&folder);
    let reports = tempfile::tempdir().expect("a temporary folder");
    let options = Options::default();
    let mut asked = 0;
    let mut ask = |on_leakage: OnLeakage, uses: &dyn Fn(&Row) -> bool| {
        let request = Request {
            rows: &rows,
            uses,
            on_leakage,
            reports: Some(reports.path()),
            options: &options,
        };
        let mut checks = 0;
        let outcome = gate(&request, &AtomicBool::new(false), &mut |_| checks = 1);
        asked += checks;
        (outcome, asked)
    };
    let (refused, _) = ask(OnLeakage::Refuse, &|_| true);
    let refused = refused.expect_err("leakage").to_string();
    assert!(
        refused.contains("copy.png") && refused.contains("allow leakage"),
        "{refused}"
    );
    let (allowed, checks) = ask(OnLeakage::Allow, &|_| true);
    let allowed = allowed.expect("it was allowed");
    assert!(allowed.left_out.is_empty() && !allowed.leakage.is_none());
    assert_eq!(checks, 1, "the report was kept");
    // A run that uses none of the copies may start; one that uses two of three may not.
    let (clean, _) = ask(OnLeakage::Refuse, &|row| {
        row.file != "copy.png" && row.file != "chest0.png"
    });
    assert!(clean.expect("no leakage").leakage.is_none());
    // What is left out is what the test part does not need.
    let (parted, _) = ask(OnLeakage::LeaveOut, &|_| true);
    let left_out = parted.expect("copies can be left out").left_out;
    assert!(
        left_out.contains("other.png") && !left_out.contains("copy.png"),
        "{left_out:?}"
    );
    let (rest, _) = ask(OnLeakage::Refuse, &|row| !left_out.contains(&row.file));
    assert!(rest.is_ok(), "{rest:?}");
    let (joined, _) = ask(OnLeakage::Refuse, &|row| row.file != "chest0.png");
    assert!(joined.is_err());
    // Another file under the same name is another data set.
    let before = check::fingerprint(&rows);
    chest(500, 96).save(folder.path().join("copy.png")).expect("written");
    assert_ne!(check::fingerprint(&rows), before);
    let (fresh, checks) = ask(OnLeakage::Refuse, &|row| {
        row.file != "other.png" || Part::of(&row.group) == Part::of("p0")
    });
    assert_eq!(checks, 2, "{fresh:?}");
    let mut turned = rows.clone();
    turned.reverse();
    assert_eq!(check::fingerprint(&turned), check::fingerprint(&rows));
    let kept = gate::kept(reports.path(), &check::fingerprint(&rows)).expect("a kept report");
    let path = gate::report_path(reports.path(), &kept.fingerprint);
    std::fs::write(path, b"{").expect("written");
    assert!(
        gate::kept(reports.path(), &kept.fingerprint).is_none(),
        "a damaged report is none"
    );
}

#[test]
fn the_report_stands_beside_the_papers_counts() {
    // Three images of COVID-19 and three of Montgomery, all with lung masks.
    let folder = crate::phantoms::folder(6);
    let table = folder.path().join("manifest.csv");
    let text = std::fs::read_to_string(&table).expect("a table");
    std::fs::write(&table, text.replace(",phantom", ",montgomery")).expect("written");
    let rows = Manifest::read(folder.path()).expect("a manifest").rows;
    let report = check::run(&rows, &Options::default(), &AtomicBool::new(false), &mut |_| {}).expect("a report");
    let phases: Vec<u8> = report.paper.iter().map(|table| table.phase).collect();
    assert_eq!(phases, [1, 2]);
    let line = |table: usize, title: &str| {
        let found = report.paper[table].lines.iter().find(|line| line.title == title);
        found.unwrap_or_else(|| panic!("no {title}"))
    };
    let (montgomery, covid) = (line(0, "Montgomery"), line(1, "COVID-19"));
    assert_eq!(montgomery.train + montgomery.test, 3);
    assert_eq!((montgomery.paper_train, montgomery.paper_test), (Some(110), Some(28)));
    assert_eq!(covid.train + covid.test, 3);
    assert_eq!((covid.paper_train, covid.augmented), (Some(3553), Some(10_000)));
    assert_eq!(line(1, "Total").paper_train, Some(96_169));
    let forms = [html::html(&report), words::markdown(&report), words::text(&report)];
    for form in &forms {
        for word in ["Lung masks for phase I", "Table 1", "Montgomery", "3553", "96169"] {
            assert!(form.contains(word), "{word} is not in: {form}");
        }
    }
    assert!(forms[1].contains("| Montgomery | "), "{}", forms[1]);
    // Where there is nothing that the paper counts, nothing is beside it; earlier reports have no such tables.
    let mut json = serde_json::to_value(report.without_thumbnails()).expect("JSON");
    assert_eq!(json["paper"][1]["lines"][0]["paper_train"], 3553);
    json.as_object_mut().expect("an object").remove("paper");
    let earlier: CheckReport = serde_json::from_value(json).expect("an earlier report");
    assert!(earlier.paper.is_empty() && !html::html(&earlier).contains("Table 1"));
    let others: Vec<Row> = (0..3)
        .map(|number| Row::new(folder.path(), &format!("chest{number}.png"), "normal"))
        .collect();
    let report = check::run(&others, &Options::default(), &AtomicBool::new(false), &mut |_| {}).expect("a report");
    assert!(report.paper.is_empty(), "{:?}", report.paper);
}

#[test]
fn names_in_a_report_are_escaped() {
    let mut folder = chests(2, 64);
    folder.add("a&b <i>ü.png", &chest(9, 64), "x");
    folder.add("again.png", &chest(9, 64), "y");
    let page = html::html(&checked(&folder));
    assert!(page.contains("a&amp;b &lt;i&gt;ü.png") && !page.contains("<i>"));
    assert!(page.contains("Research use only, not a diagnosis") && page.contains("<svg"));
}

/// Every pair was looked at: each shows one picture twice, with the same devices, cables or marks, cut differently.
#[test]
fn the_real_folder_has_no_copies_but_those_that_were_looked_at() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cxr");
    if !folder.is_dir() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} must be there in CI",
            folder.display()
        );
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let rows = Manifest::read(&folder).expect("a manifest").rows;
    let report = check::run(&rows, &Options::default(), &AtomicBool::new(false), &mut |_| {}).expect("a report");
    assert_eq!(
        (report.unreadable.total, report.exact.pairs, report.shared_groups.total),
        (0, 0, 0)
    );
    let mut across: Vec<(&str, &str)> = (report.copies.first.iter())
        .filter(|copy| copy.is_across_parts())
        .map(|copy| (copy.first.file.as_str(), copy.second.file.as_str()))
        .collect();
    across.sort_unstable();
    let name = |number: &str| format!("images/c{number}.jpg");
    let looked_at = [
        ("00180", "00778"),
        ("00415", "01439"),
        ("00588", "01110"),
        ("00767", "00792"),
        ("01216", "03283"),
        ("01714", "03436"),
        ("02598", "02810"),
    ]
    .map(|(one, other)| (name(one), name(other)));
    let looked_at: Vec<(&str, &str)> = looked_at.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(across, looked_at);
    assert_eq!((report.near.pairs, report.near.across_groups), (13, 5));
    // Without the training or validation copy of each, the parts are independent.
    let left_out = gate::left_out(&report, &rows, &|_| true).expect("all copies are listed");
    assert_eq!(left_out.len(), 7);
    let (leakage, _) = gate::leakage_of(&report, &rows, &|row| !left_out.contains(&row.file));
    assert!(leakage.is_none(), "{leakage}");
    // So they are with the groups of each pair in one part.
    let mut rows = rows;
    let pairs = report.copies.first.iter().map(CopyPair::files);
    keep_together(&mut rows, pairs, 0).expect("something is left of every part");
    let report = check::run(&rows, &Options::default(), &AtomicBool::new(false), &mut |_| {}).expect("a report");
    assert!(report.leakage().is_none(), "{}", report.leakage());
    assert_eq!(report.near.pairs, 13);
}
