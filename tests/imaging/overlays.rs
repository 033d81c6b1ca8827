//! Overlay planes and shutters: what an independent reader found in real files, and files made here.

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use recovnet::imaging::{self, OverlayPlane, OverlayType, Radiograph, ShutterShape};
use serde_json::Value;

use crate::dicom_goldens::{folder, goldens};
use crate::fixture::{COLUMNS, Dicom, ROWS, SAMPLES, open_bytes, open_frame_of, stored};

const SIZE: [u32; 2] = [COLUMNS as u32, ROWS as u32];

/// A plane in group 0x6000 with Overlay Data.
fn with_plane(dicom: Dicom, [rows, columns]: [u16; 2], origin: [i16; 2], bits: &[u8]) -> Dicom {
    described(dicom, [rows, columns], origin).with(
        Tag(0x6000, 0x3000),
        VR::OB,
        PrimitiveValue::U8(bits.iter().copied().collect()),
    )
}

/// The same without its data.
fn described(dicom: Dicom, [rows, columns]: [u16; 2], origin: [i16; 2]) -> Dicom {
    dicom
        .number(Tag(0x6000, 0x0010), rows)
        .number(Tag(0x6000, 0x0011), columns)
        .text(Tag(0x6000, 0x0040), VR::CS, "G")
        .with(
            Tag(0x6000, 0x0050),
            VR::SS,
            PrimitiveValue::I16(origin.into_iter().collect()),
        )
        .number(Tag(0x6000, 0x0100), 1)
        .number(Tag(0x6000, 0x0102), 0)
}

/// Where a plane lies on a picture, a row a text.
fn on_picture(plane: &OverlayPlane, size: [u32; 2]) -> Vec<String> {
    let mut pixels = vec![0; (size[0] * size[1]) as usize];
    plane.mark(size, &mut pixels, 4);
    drawn(&pixels, size, 4)
}

fn drawn(pixels: &[u8], size: [u32; 2], mark: u8) -> Vec<String> {
    let row = |row: &[u8]| row.iter().map(|&pixel| if pixel == mark { '#' } else { '.' }).collect();
    pixels.chunks(size[0] as usize).map(row).collect()
}

fn opened(dicom: Dicom) -> Radiograph {
    dicom.open().expect("opens")
}

fn hidden(radiograph: &Radiograph) -> Vec<String> {
    let hidden = radiograph.hidden_by_shutter().expect("there is a shutter");
    drawn(&hidden, [radiograph.width, radiograph.height], 1)
}

/// The planes of a golden, as far as it says something of them.
fn compare(golden: &Value, radiograph: &Radiograph) -> usize {
    let file = golden["file"].as_str().expect("every golden names its file");
    let expected = golden["overlays"].as_array().expect("a list");
    assert_eq!(
        radiograph.overlay_planes.len(),
        expected.len(),
        "{file}: number of planes"
    );
    for (plane, golden) in radiograph.overlay_planes.iter().zip(expected) {
        let said = |key: &str| golden[key].as_i64();
        assert_eq!(
            Some(format!("{:#x}", plane.group).as_str()),
            golden["group"].as_str(),
            "{file}"
        );
        assert_eq!(
            [Some(i64::from(plane.rows)), Some(i64::from(plane.columns))],
            [said("rows"), said("cols")]
        );
        let origin: Vec<i64> = plane.origin.iter().map(|&at| i64::from(at)).collect();
        let golden_origin: Vec<i64> = golden["origin"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect();
        assert_eq!(origin, golden_origin, "{file}");
        assert_eq!(plane.kind == OverlayType::Region, golden["type"] == "R", "{file}");
        assert_eq!(
            Some(plane.in_pixels),
            golden["embedded_in_pixel_data"].as_bool(),
            "{file}"
        );
        match golden["set_pixels_frame0"].as_u64() {
            Some(count) => assert_eq!(plane.set_pixels(), count, "{file}"),
            // The reference does not look into the pixels; counted in their words by numpy.
            None => assert_eq!((file, plane.set_pixels()), ("syno_dx_overlay_embedded.dcm", 7200)),
        }
    }
    expected.len()
}

#[test]
fn golden_overlays_are_read() {
    let Some(folder) = folder() else { return };
    let mut compared = 0;
    for golden in goldens(&folder) {
        let file = golden["file"].as_str().expect("every golden names its file");
        if golden["expected"] == "show" {
            let radiograph = imaging::open(&folder.join("files").join(file)).expect(file);
            compared += compare(&golden, &radiograph);
            let about = |warning: &&String| warning.contains("verlay") || warning.contains("shutter");
            assert_eq!(radiograph.warnings.iter().find(about), None, "{file}");
        }
    }
    println!("{compared} planes compared");
    assert!(compared > 0, "no file has an overlay plane");
}

#[test]
fn what_is_said_of_a_plane_is_kept() {
    let dicom = with_plane(Dicom::new(), [3, 4], [1, 1], &[0b0010_0001, 0b1000]);
    let radiograph = opened(
        dicom
            .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100")
            .with(Tag(0x6000, 0x0022), VR::LO, PrimitiveValue::from("Marks"))
            .text(Tag(0x6000, 0x0040), VR::CS, "R")
            .text(Tag(0x6000, 0x0045), VR::LO, "USER")
            .text(Tag(0x6000, 0x1500), VR::LO, "First"),
    );
    let [plane] = &radiograph.overlay_planes[..] else {
        panic!("{:?}", radiograph.overlay_planes)
    };
    assert_eq!(
        (plane.group, plane.kind, plane.in_pixels),
        (0x6000, OverlayType::Region, false)
    );
    assert_eq!(plane.description.as_deref(), Some("Marks"));
    assert_eq!(plane.subtype.as_deref(), Some("USER"));
    assert_eq!(plane.label.as_deref(), Some("First"));
    assert_eq!(on_picture(plane, SIZE), ["#...", ".#..", "...#"]);
    assert!(plane.is_set(1, 1) && !plane.is_set(1, 2) && !plane.is_set(0, 5) && !plane.is_set(9, 0));
    assert_eq!(plane.set_pixels(), 3);
    assert_eq!(radiograph.warnings, [""; 0]);
}

#[test]
fn planes_partly_outside_are_cut_at_the_edge() {
    // A ring of 3 x 3 pixels.
    let ring = [0b1110_1111, 0b1];
    let at = |origin| {
        let radiograph = opened(with_plane(Dicom::new(), [3, 3], origin, &ring));
        on_picture(&radiograph.overlay_planes[0], SIZE)
    };
    assert_eq!(at([1, 1]), ["###.", "#.#.", "###."]);
    assert_eq!(at([0, 0]), [".#..", "##..", "...."]);
    assert_eq!(at([-1, 2]), [".###", "....", "...."]);
    assert_eq!(at([2, 4]), ["....", "...#", "...#"]);
    for far in [
        [-2, 1],
        [4, 1],
        [1, -2],
        [1, 5],
        [i16::MIN, i16::MAX],
        [i16::MAX, i16::MIN],
    ] {
        assert_eq!(at(far), ["....", "....", "...."], "{far:?}");
    }
}

#[test]
fn bits_behind_the_last_pixel_are_none() {
    let radiograph = opened(with_plane(Dicom::new(), [3, 3], [1, 1], &[0xff, 0xff, 0xff, 0xff]));
    assert_eq!(radiograph.overlay_planes[0].set_pixels(), 9);
}

#[test]
fn a_plane_without_enough_data_is_left_out_with_a_word() {
    let left_out = |dicom: Dicom, says: &str| {
        let radiograph = opened(dicom);
        assert_eq!(radiograph.overlay_planes, []);
        assert_eq!(stored(&radiograph).len(), SAMPLES.len());
        let [warning] = &radiograph.warnings[..] else {
            panic!("{:?}", radiograph.warnings)
        };
        assert!(warning.contains("6000") && warning.contains(says), "{warning}");
    };
    left_out(
        with_plane(Dicom::new(), [3, 6], [1, 1], &[0xff, 0xff]),
        "end after 2 bytes",
    );
    left_out(
        with_plane(Dicom::new(), [u16::MAX; 2], [1, 1], &[0xff, 0xff]),
        "end after 2 bytes",
    );
    left_out(
        with_plane(Dicom::new(), [0, 3], [1, 1], &[0xff, 0xff]),
        "no rows and columns",
    );
    left_out(described(Dicom::new(), [3, 4], [1, 1]), "no Overlay Data");
    let in_pixels = |bit| described(Dicom::new(), [3, 4], [1, 1]).number(Tag(0x6000, 0x0102), bit);
    left_out(in_pixels(16), "no bit 16");
    left_out(in_pixels(11), "no Overlay Data");
    left_out(
        described(Dicom::new(), [2, 4], [1, 1]).number(Tag(0x6000, 0x0102), 12),
        "4 x 2 of 4 x 3",
    );
}

#[test]
fn planes_in_unused_bits_of_the_pixels_are_read_and_the_pixels_stay() {
    let mut words = SAMPLES;
    for (index, bit) in [(0, 12), (5, 12), (11, 12), (3, 15)] {
        words[index] |= 1 << bit;
    }
    let radiograph = opened(
        described(Dicom::new(), [3, 4], [1, 1])
            .number(Tag(0x6000, 0x0100), 16)
            .number(Tag(0x6000, 0x0102), 12)
            .number(Tag(0x601e, 0x0010), 3)
            .number(Tag(0x601e, 0x0011), 4)
            .number(Tag(0x601e, 0x0102), 15)
            .words(tags::PIXEL_DATA, &words),
    );
    let expected: Vec<i32> = SAMPLES.iter().map(|&sample| i32::from(sample)).collect();
    assert_eq!(stored(&radiograph), expected);
    let [low, high] = &radiograph.overlay_planes[..] else {
        panic!("{:?}", radiograph.overlay_planes)
    };
    assert!(low.in_pixels && high.in_pixels);
    assert_eq!(on_picture(low, SIZE), ["#...", ".#..", "...#"]);
    assert_eq!(on_picture(high, SIZE), ["...#", "....", "...."]);
}

#[test]
fn each_frame_has_its_own_overlay() {
    let twice: Vec<u16> = SAMPLES.iter().chain(&SAMPLES).copied().collect();
    let frames = || {
        Dicom::new()
            .text(tags::NUMBER_OF_FRAMES, VR::IS, "2")
            .words(tags::PIXEL_DATA, &twice)
    };
    // Twelve bits a frame: the second begins inside a byte.
    let bits = [0b0000_0001, 0b0010_0000, 0b1000_0000, 0];
    let planes = |dicom: &Dicom, frame| {
        let radiograph = open_frame_of(&dicom.clone().bytes(), frame).expect("opens");
        let planes = radiograph.overlay_planes.iter();
        planes.flat_map(|plane| on_picture(plane, SIZE)).collect::<Vec<_>>()
    };
    let first = ["#...", "....", "...."];
    let second = [".#..", "....", "...#"];
    let both = with_plane(frames(), [3, 4], [1, 1], &bits)
        .text(Tag(0x6000, 0x0015), VR::IS, "2")
        .number(Tag(0x6000, 0x0051), 1);
    assert_eq!(planes(&both, 1), first);
    assert_eq!(planes(&both, 2), second);
    let later = with_plane(frames(), [3, 4], [1, 1], &bits)
        .text(Tag(0x6000, 0x0015), VR::IS, "1")
        .number(Tag(0x6000, 0x0051), 2);
    assert_eq!(planes(&later, 1), [""; 0]);
    assert_eq!(planes(&later, 2), first);
    let always = with_plane(frames(), [3, 4], [1, 1], &bits);
    assert_eq!(planes(&always, 1), first);
    assert_eq!(planes(&always, 2), first);
    // More frames than data: those that are there are drawn.
    let cut = with_plane(frames(), [3, 4], [1, 1], &bits[..2]).text(Tag(0x6000, 0x0015), VR::IS, "2");
    assert_eq!(planes(&cut, 1), first);
    assert_eq!(planes(&cut, 2), [""; 0]);
}

fn shutter(shape: &str, values: &[(Tag, &str)]) -> Dicom {
    let dicom = Dicom::new().text(tags::SHUTTER_SHAPE, VR::CS, shape);
    values
        .iter()
        .fold(dicom, |dicom, &(tag, value)| dicom.text(tag, VR::IS, value))
}

const RECTANGLE: [(Tag, &str); 4] = [
    (tags::SHUTTER_LEFT_VERTICAL_EDGE, "2"),
    (tags::SHUTTER_RIGHT_VERTICAL_EDGE, "4"),
    (tags::SHUTTER_UPPER_HORIZONTAL_EDGE, "1"),
    (tags::SHUTTER_LOWER_HORIZONTAL_EDGE, "2"),
];
const CIRCLE: [(Tag, &str); 2] = [
    (tags::CENTER_OF_CIRCULAR_SHUTTER, "2\\2"),
    (tags::RADIUS_OF_CIRCULAR_SHUTTER, "1"),
];
const TRIANGLE: (Tag, &str) = (tags::VERTICES_OF_THE_POLYGONAL_SHUTTER, "1\\1\\3\\1\\3\\3");

#[test]
fn every_shape_of_a_shutter_hides_what_lies_outside() {
    assert_eq!(
        hidden(&opened(shutter("RECTANGULAR", &RECTANGLE))),
        ["#...", "#...", "####"]
    );
    assert_eq!(hidden(&opened(shutter("CIRCULAR", &CIRCLE))), ["#.##", "...#", "#.##"]);
    assert_eq!(
        hidden(&opened(shutter("POLYGONAL", &[TRIANGLE]))),
        [".###", "..##", "...#"]
    );
    // Several at once: what any of them hides.
    let all: Vec<(Tag, &str)> = RECTANGLE.into_iter().chain(CIRCLE).chain([TRIANGLE]).collect();
    let all = opened(shutter("RECTANGULAR\\CIRCULAR\\POLYGONAL", &all));
    assert_eq!(hidden(&all), ["####", "#.##", "####"]);
    assert_eq!(all.shutter.expect("a shutter").shapes.len(), 3);
}

#[test]
fn a_circle_follows_the_shape_of_the_pixels() {
    let spacing = |text| shutter("CIRCULAR", &CIRCLE).text(tags::PIXEL_SPACING, VR::DS, text);
    assert_eq!(hidden(&opened(spacing("0.2\\0.1"))), ["####", "...#", "####"]);
    assert_eq!(hidden(&opened(spacing("0.1\\0.1"))), ["#.##", "...#", "#.##"]);
}

#[test]
fn a_bitmap_hides_what_its_overlay_sets() {
    let dicom = with_plane(Dicom::new(), [3, 4], [1, 1], &[0b0000_1111, 0]);
    let dicom = dicom.text(tags::SHUTTER_SHAPE, VR::CS, "BITMAP");
    let radiograph = opened(dicom.clone().number(tags::SHUTTER_OVERLAY_GROUP, 0x6000));
    assert_eq!(hidden(&radiograph), ["####", "....", "...."]);
    let shutter = radiograph.shutter.expect("a shutter");
    assert_eq!(shutter.shapes, [ShutterShape::Bitmap { group: 0x6000 }]);
    assert!(shutter.takes(&radiograph.overlay_planes[0]), "it is not drawn as well");
    let elsewhere = opened(dicom.number(tags::SHUTTER_OVERLAY_GROUP, 0x6002));
    assert_eq!(elsewhere.shutter, None);
    assert_eq!(elsewhere.warnings.len(), 1, "{:?}", elsewhere.warnings);
}

#[test]
fn the_shutter_of_a_functional_group_counts_where_the_file_has_none() {
    let radiograph = opened(Dicom::new().sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, |item| {
        item.sequence(tags::FRAME_DISPLAY_SHUTTER_SEQUENCE, |item| {
            let item = item.text(tags::SHUTTER_SHAPE, VR::CS, "RECTANGULAR");
            RECTANGLE
                .iter()
                .fold(item, |item, &(tag, value)| item.text(tag, VR::IS, value))
        })
    }));
    assert_eq!(hidden(&radiograph), ["#...", "#...", "####"]);
}

#[test]
fn an_unusable_shutter_is_left_out_with_a_word() {
    let left_out = |dicom: Dicom, says: &str| {
        let radiograph = opened(dicom);
        assert_eq!(radiograph.shutter, None);
        let [warning] = &radiograph.warnings[..] else {
            panic!("{:?}", radiograph.warnings)
        };
        assert!(warning.contains(says), "{warning}");
    };
    left_out(shutter("RECTANGULAR", &RECTANGLE[..3]), "RECTANGULAR");
    left_out(shutter("CIRCULAR", &CIRCLE[..1]), "CIRCULAR");
    left_out(shutter("HEXAGONAL", &[]), "HEXAGONAL");
    for vertices in [
        "1\\1\\2\\2",
        "1\\1\\2\\2\\3",
        "1\\1\\x\\2\\3\\3",
        "1\\1\\2\\2\\3\\9999999",
    ] {
        left_out(
            shutter("POLYGONAL", &[(tags::VERTICES_OF_THE_POLYGONAL_SHUTTER, vertices)]),
            "POLYGONAL",
        );
    }
    let mut nothing = RECTANGLE;
    nothing[0].1 = "100";
    nothing[1].1 = "200";
    left_out(shutter("RECTANGULAR", &nothing), "whole picture");
}

#[test]
fn grey_and_colour_of_a_shutter_are_read() {
    let plain = || shutter("RECTANGULAR", &RECTANGLE);
    let shutter = |dicom: Dicom| opened(dicom).shutter.expect("a shutter");
    assert_eq!(shutter(plain()).colour(), [0.0; 3]);
    let white = plain().number(tags::SHUTTER_PRESENTATION_VALUE, u16::MAX);
    assert_eq!(shutter(white.clone()).colour(), [1.0; 3]);
    let cielab = PrimitiveValue::U16([0, 0x8080, 0x8080].into_iter().collect());
    let coloured = shutter(white.with(tags::SHUTTER_PRESENTATION_COLOR_CIE_LAB_VALUE, VR::US, cielab));
    assert!(
        coloured.colour().iter().all(|&part| part < 0.01),
        "{:?}",
        coloured.colour()
    );
}

/// Display values, hash and what networks see are those of the whole picture; only the automatic window looks away.
#[test]
fn only_the_screen_sees_overlays_and_shutters() {
    let plain = opened(Dicom::new());
    let graphics = with_plane(shutter("RECTANGULAR", &RECTANGLE), [3, 4], [1, 1], &[0xff, 0x0f]);
    let graphics = opened(graphics);
    assert!(graphics.shutter.is_some() && graphics.overlay_planes.len() == 1);
    let voi = plain.default_voi();
    assert_eq!(graphics.default_voi(), voi);
    assert_eq!(graphics.display(&voi), plain.display(&voi));
    assert_eq!(graphics.stored_values(), plain.stored_values());
    assert_eq!(graphics.content_hash, plain.content_hash);
    assert_eq!(graphics.network_voi(), plain.network_voi());
    // Shown are the samples 100, 200, 300, 500, 1000 and 2000.
    let seen = graphics.auto_window();
    assert_eq!(
        (plain.auto_window().center, plain.auto_window().width),
        (2047.5, 4095.0)
    );
    assert_eq!((seen.center, seen.width), (1050.0, 1900.0));
}

#[test]
fn graphics_without_sense_never_cost_the_picture() {
    // A polygon with more vertices than any collimator, and planes in all groups that claim more than there is.
    let polygon = |count| {
        let vertices: Vec<String> = (0..count).map(|at| format!("{}\\{}", at % 7, at % 5)).collect();
        let vertices = vertices.join("\\");
        shutter("POLYGONAL", &[(tags::VERTICES_OF_THE_POLYGONAL_SHUTTER, &vertices)])
    };
    let mut dicom = polygon(4000);
    for group in (0x6000..0x6020).step_by(2) {
        let two = PrimitiveValue::U8([1, 2].into_iter().collect());
        dicom = dicom
            .number(Tag(group, 0x0010), u16::MAX)
            .number(Tag(group, 0x0011), u16::MAX)
            .text(Tag(group, 0x0015), VR::IS, "2147483647")
            .with(Tag(group, 0x3000), VR::OB, two);
    }
    let radiograph = open_bytes(&dicom.bytes()).expect("the picture is shown");
    assert_eq!(radiograph.overlay_planes, []);
    assert_eq!(radiograph.shutter, None);
    assert_eq!(radiograph.warnings.len(), 17, "{:?}", radiograph.warnings);
    assert!(
        opened(polygon(1000)).shutter.is_some(),
        "it crosses itself, but has an inside"
    );
}
