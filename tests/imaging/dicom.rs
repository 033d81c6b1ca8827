//! What DICOM attributes do to a picture, on files made here; and which files are refused, in which words.

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use recovnet::imaging::{ModalityLut, Polarity, Radiograph, Scope, SpacingSource, VoiTransform};

use crate::fixture::{Dicom, SAMPLES, open_bytes, open_frame_of, stored};

fn expected(shift: i32) -> Vec<i32> {
    SAMPLES.iter().map(|&sample| i32::from(sample) + shift).collect()
}

fn strings(values: &[&str]) -> PrimitiveValue {
    PrimitiveValue::Strs(values.iter().map(|&value| value.to_owned()).collect())
}

fn scope_reason(dicom: Dicom) -> String {
    match dicom.open().expect("is shown").scope {
        Scope::InScope => String::new(),
        Scope::OutOfScope(reason) => reason,
    }
}

#[test]
fn stored_values_are_read_as_they_are() {
    let radiograph = Dicom::new().open().expect("opens");
    assert_eq!(stored(&radiograph), expected(0));
    assert_eq!(
        (radiograph.width, radiograph.height, radiograph.bits_stored),
        (4, 3, 12)
    );
    assert_eq!(radiograph.identity.patient_name.as_deref(), Some("DOE, JANE Q"));
    assert_eq!(radiograph.scope, Scope::InScope);
}

#[test]
fn bits_above_the_stored_ones_are_ignored() {
    let junk: Vec<u16> = SAMPLES.iter().map(|&sample| sample | 0xa000).collect();
    let radiograph = Dicom::new().words(tags::PIXEL_DATA, &junk).open().expect("opens");
    assert_eq!(stored(&radiograph), expected(0));
}

#[test]
fn signed_values_are_extended_from_their_own_sign_bit() {
    let signed: Vec<u16> = SAMPLES
        .iter()
        .map(|&sample| sample.wrapping_sub(2048) & 0x0fff)
        .collect();
    let radiograph = Dicom::new()
        .number(tags::PIXEL_REPRESENTATION, 1)
        .words(tags::PIXEL_DATA, &signed)
        .open()
        .expect("opens");
    assert_eq!(stored(&radiograph), expected(-2048));
}

#[test]
fn polarity_is_inverted_once() {
    let polarity = |photometric, shape| {
        Dicom::new()
            .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric)
            .text(tags::PRESENTATION_LUT_SHAPE, VR::CS, shape)
            .open()
            .expect("opens")
    };
    assert_eq!(polarity("MONOCHROME2", "IDENTITY").polarity, Polarity::Normal);
    assert_eq!(polarity("MONOCHROME2", "INVERSE").polarity, Polarity::Inverse);
    assert_eq!(polarity("MONOCHROME1", "IDENTITY").polarity, Polarity::Inverse);
    let both = polarity("MONOCHROME1", "INVERSE");
    assert_eq!(both.polarity, Polarity::Inverse);
    let shown = both.display(&both.default_voi());
    assert_eq!((shown[0], shown[11]), (255, 0));
}

#[test]
fn rescale_and_the_first_window_are_applied() {
    let radiograph = Dicom::new()
        .text(tags::RESCALE_SLOPE, VR::DS, "2")
        .text(tags::RESCALE_INTERCEPT, VR::DS, "-1000")
        .with(tags::WINDOW_CENTER, VR::DS, strings(&["0", "3000"]))
        .with(tags::WINDOW_WIDTH, VR::DS, strings(&["400", "100"]))
        .with(
            tags::WINDOW_CENTER_WIDTH_EXPLANATION,
            VR::LO,
            strings(&["LUNG", "BONE"]),
        )
        .open()
        .expect("opens");
    let names: Vec<&str> = radiograph.voi_luts.iter().map(|voi| voi.explanation.as_str()).collect();
    assert_eq!(names, ["LUNG", "BONE"]);
    let shown = radiograph.display(&radiograph.default_voi());
    // Modality values -1000, -800 … 0, 1000 …: 0 lies at (0 + 0.5) / 399 + 0.5 of the window.
    assert_eq!(&shown[..7], &[0, 0, 0, 0, 0, 128, 255]);
}

#[test]
fn voi_tables_come_before_windows() {
    let table = Dicom::new()
        .text(tags::WINDOW_CENTER, VR::DS, "2048")
        .text(tags::WINDOW_WIDTH, VR::DS, "4096")
        .sequence(tags::VOILUT_SEQUENCE, |item| {
            item.with(
                tags::LUT_DESCRIPTOR,
                VR::US,
                PrimitiveValue::U16([4, 100, 8].into_iter().collect()),
            )
            .text(tags::LUT_EXPLANATION, VR::LO, "STEPS")
            .words(tags::LUT_DATA, &[0, 50, 100, 255])
        })
        .open()
        .expect("opens");
    assert_eq!(table.voi_luts.len(), 2);
    assert!(matches!(table.default_voi(), VoiTransform::Table(_)));
    let shown = table.display(&table.default_voi());
    assert_eq!(
        &shown[..3],
        &[0, 0, 255],
        "below the first value the first entry, above the last the last"
    );
}

#[test]
fn useless_windows_are_left_out_and_the_range_is_shown() {
    for (center, width) in [
        ("100", "0"),
        ("100", "-5"),
        ("", ""),
        ("100", "NaN"),
        ("1e400", "10"),
        ("1,5", "3"),
    ] {
        let radiograph = Dicom::new()
            .text(tags::WINDOW_CENTER, VR::DS, center)
            .text(tags::WINDOW_WIDTH, VR::DS, width)
            .open()
            .expect("opens");
        assert_eq!(radiograph.voi_luts, [], "{center} / {width}");
        let shown = radiograph.display(&radiograph.default_voi());
        assert_eq!((shown[0], shown[11]), (0, 255));
        assert_eq!(center.is_empty(), radiograph.warnings.is_empty(), "{center} / {width}");
    }
    let one = Dicom::new()
        .text(tags::WINDOW_CENTER, VR::DS, "1000.5")
        .text(tags::WINDOW_WIDTH, VR::DS, "1");
    let one = one.open().expect("opens");
    assert_eq!(
        one.display(&one.default_voi())[5..8],
        [0, 0, 255],
        "a width of 1 is a threshold"
    );
}

#[test]
fn padding_stays_out_of_the_range() {
    let mut samples = SAMPLES;
    samples[0] = 4095;
    samples[11] = 3000;
    samples[10] = 3000;
    samples[9] = 3000;
    let radiograph = Dicom::new()
        .words(tags::PIXEL_DATA, &samples)
        .number(tags::PIXEL_PADDING_VALUE, 4095)
        .open()
        .expect("opens");
    assert_eq!(radiograph.padding, Some((4095.0, 4095.0)));
    let shown = radiograph.display(&radiograph.default_voi());
    assert_eq!((shown[1], shown[8]), (0, 255), "100 to 3000 fill the range");
}

#[test]
fn spacing_remembers_where_it_comes_from() {
    let spacing = |pixel: Option<&str>, imager: Option<&str>| {
        let mut dicom = Dicom::new();
        if let Some(pixel) = pixel {
            dicom = dicom.with(tags::PIXEL_SPACING, VR::DS, strings(&[pixel, "0.2"]));
        }
        if let Some(imager) = imager {
            dicom = dicom.with(tags::IMAGER_PIXEL_SPACING, VR::DS, strings(&[imager, "0.2"]));
        }
        dicom
            .open()
            .expect("opens")
            .spacing
            .map(|spacing| (spacing.row_mm, spacing.column_mm, spacing.source))
    };
    assert_eq!(spacing(None, None), None);
    assert_eq!(
        spacing(Some("0.1"), None),
        Some((0.1, 0.2, SpacingSource::PixelSpacing))
    );
    assert_eq!(
        spacing(None, Some("0.15")),
        Some((0.15, 0.2, SpacingSource::ImagerPixelSpacing))
    );
    assert_eq!(
        spacing(Some("0.1"), Some("0.15")),
        Some((0.1, 0.2, SpacingSource::Calibrated))
    );
    assert_eq!(
        spacing(Some("0.15"), Some("0.15")),
        Some((0.15, 0.2, SpacingSource::ImagerPixelSpacing))
    );
    assert_eq!(spacing(Some("0"), None), None);
    assert_eq!(
        spacing(Some("-1"), Some("0.15")),
        Some((0.15, 0.2, SpacingSource::ImagerPixelSpacing))
    );
}

#[test]
fn film_and_magnification_have_their_say_on_lengths() {
    let with = |dicom: Dicom, factor: &str| {
        let dicom = dicom.with(
            tags::ESTIMATED_RADIOGRAPHIC_MAGNIFICATION_FACTOR,
            VR::DS,
            strings(&[factor]),
        );
        let spacing = dicom.open().expect("opens").spacing.expect("has a spacing");
        (spacing.row_mm, spacing.source, spacing.label())
    };
    let scanned = Dicom::new().with(tags::NOMINAL_SCANNED_PIXEL_SPACING, VR::DS, strings(&["0.2", "0.2"]));
    let imager = Dicom::new().with(tags::IMAGER_PIXEL_SPACING, VR::DS, strings(&["0.15", "0.15"]));
    assert_eq!(
        with(scanned, "1"),
        (0.2, SpacingSource::NominalScannedPixelSpacing, "At detector")
    );
    assert_eq!(
        with(imager.clone(), "1.5"),
        (0.15 / 1.5, SpacingSource::Magnified { factor: 1.5 }, "Magnified")
    );
    // Calibrated lengths lie in the patient already.
    let both = imager.with(tags::PIXEL_SPACING, VR::DS, strings(&["0.1", "0.1"]));
    assert_eq!(with(both, "1.5"), (0.1, SpacingSource::Calibrated, "Calibrated"));
    let sectional =
        Dicom::new()
            .text(tags::MODALITY, VR::CS, "CT")
            .with(tags::PIXEL_SPACING, VR::DS, strings(&["0.7", "0.7"]));
    assert_eq!(with(sectional, "1"), (0.7, SpacingSource::Sectional, "Calibrated"));
}

#[test]
fn orientation_comes_from_letters_or_from_cosines_and_is_not_guessed() {
    let orientation = |dicom: Dicom| {
        let found = dicom.open().expect("opens").acquisition.patient_orientation;
        found.map(|[row, column]| format!("{row} {column}"))
    };
    assert_eq!(orientation(Dicom::new()), None);
    let cosines = |cosines: [&str; 6]| Dicom::new().with(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, strings(&cosines));
    assert_eq!(
        orientation(cosines(["1", "0", "0", "0", "0", "-1"])).as_deref(),
        Some("L F")
    );
    assert_eq!(
        orientation(cosines(["0.8", "0.6", "0", "0", "0", "1"])).as_deref(),
        Some("LP H")
    );
    assert_eq!(orientation(cosines(["0", "0", "0", "0", "0", "0"])), None);
    let both = cosines(["1", "0", "0", "0", "0", "-1"]).with(tags::PATIENT_ORIENTATION, VR::CS, strings(&["R", "F"]));
    assert_eq!(orientation(both).as_deref(), Some("R F"));
}

#[test]
fn pixels_are_as_high_as_the_file_says() {
    let aspect = |dicom: Dicom| dicom.open().expect("opens").pixel_aspect;
    let ratio =
        |vertical, horizontal| Dicom::new().with(tags::PIXEL_ASPECT_RATIO, VR::IS, strings(&[vertical, horizontal]));
    assert_eq!(aspect(Dicom::new()), 1.0);
    assert_eq!(aspect(ratio("3", "2")), 1.5);
    assert_eq!(aspect(ratio("0", "2")), 1.0);
    assert_eq!(aspect(ratio("1000", "1")), 1.0);
    // A spacing says more than a ratio.
    let both = ratio("3", "2").with(tags::PIXEL_SPACING, VR::DS, strings(&["0.1", "0.2"]));
    assert_eq!(aspect(both), 0.5);
}

#[test]
fn other_pictures_are_shown_but_not_predicted() {
    assert_eq!(scope_reason(Dicom::new()), "");
    assert_eq!(
        scope_reason(Dicom::new().without(tags::MODALITY).without(tags::SOP_CLASS_UID)),
        ""
    );
    assert_eq!(scope_reason(Dicom::new().text(tags::VIEW_POSITION, VR::CS, "AP")), "");
    for modality in ["CT", "MR", "US", "MG"] {
        assert!(scope_reason(Dicom::new().text(tags::MODALITY, VR::CS, modality)).contains(modality));
    }
    let class = Dicom::new()
        .without(tags::MODALITY)
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
    assert!(scope_reason(class).contains("storage class"));
    assert!(scope_reason(Dicom::new().text(tags::VIEW_POSITION, VR::CS, "LL")).contains("lateral"));
    let sideways = Dicom::new().with(tags::PATIENT_ORIENTATION, VR::CS, strings(&["A", "F"]));
    assert!(scope_reason(sideways).contains("lateral"));
    assert!(scope_reason(Dicom::new().text(tags::BODY_PART_EXAMINED, VR::CS, "HAND")).contains("HAND"));
    let by_code = Dicom::new().sequence(tags::VIEW_CODE_SEQUENCE, |code| {
        code.text(tags::CODE_MEANING, VR::LO, "lateral")
    });
    assert!(scope_reason(by_code.clone()).contains("lateral"));
    assert_eq!(scope_reason(by_code.text(tags::VIEW_POSITION, VR::CS, "PA")), "");
    let frames = Dicom::new().text(tags::NUMBER_OF_FRAMES, VR::IS, "2");
    let frames = frames.words(tags::PIXEL_DATA, &[SAMPLES, SAMPLES].concat());
    assert!(scope_reason(frames).contains("2 frames"));
}

#[test]
fn frames_are_counted_from_one() {
    let mut second = SAMPLES;
    second.reverse();
    let bytes = Dicom::new()
        .text(tags::NUMBER_OF_FRAMES, VR::IS, "2")
        .words(tags::PIXEL_DATA, &[SAMPLES, second].concat())
        .bytes();
    assert_eq!(stored(&open_frame_of(&bytes, 1).expect("opens")), expected(0));
    let last = open_frame_of(&bytes, 2).expect("opens");
    assert_eq!((last.frame, last.frames), (2, 2));
    assert_eq!(stored(&last), second.map(i32::from));
    assert!(open_frame_of(&bytes, 0).is_err());
    assert!(open_frame_of(&bytes, 3).is_err());
}

#[test]
fn colour_is_shown_and_grey_in_colour_is_grey() {
    let rgb = |bytes: Vec<u8>, planar: u16| {
        Dicom::new()
            .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB")
            .number(tags::SAMPLES_PER_PIXEL, 3)
            .number(tags::PLANAR_CONFIGURATION, planar)
            .number(tags::BITS_ALLOCATED, 8)
            .number(tags::BITS_STORED, 8)
            .number(tags::HIGH_BIT, 7)
            .with(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(bytes.into()))
            .open()
            .expect("opens")
    };
    let interleaved: Vec<u8> = (0..12).flat_map(|i| [i, 100 + i, 200 + i]).collect();
    let by_plane: Vec<u8> = (0..12).chain(100..112).chain(200..212).collect();
    let colour = rgb(interleaved.clone(), 0);
    assert_eq!(colour.display(&colour.default_voi()), interleaved);
    assert!(matches!(colour.scope, Scope::OutOfScope(_)));
    let colour = rgb(by_plane, 1);
    assert_eq!(colour.display(&colour.default_voi()), interleaved);
    let grey = rgb((0..36).map(|i| i / 3 * 20).collect(), 0);
    assert_eq!(stored(&grey), (0..12).map(|i| i * 20).collect::<Vec<_>>());
    assert_eq!(grey.scope, Scope::InScope);
}

#[test]
fn run_lengths_are_unpacked_across_fragments() {
    // High bytes: a literal and a run; low bytes: literals. The frame is cut into two fragments.
    let high: Vec<u8> = SAMPLES.iter().map(|sample| (sample >> 8) as u8).collect();
    let low: Vec<u8> = SAMPLES.iter().map(|sample| *sample as u8).collect();
    let mut frame = [0_u32; 16];
    let pack = |plane: &[u8]| [&[plane.len() as u8 - 1][..], plane].concat();
    let first = [&[0xff_u8, high[0]][..], &pack(&high[2..])].concat();
    frame[..3].copy_from_slice(&[2, 64, 64 + first.len() as u32]);
    let mut frame: Vec<u8> = frame.iter().flat_map(|word| word.to_le_bytes()).collect();
    frame.extend(first);
    frame.extend(pack(&low));
    let fragments = [&frame[..70], &frame[70..]];
    let mut bytes = Dicom::new().encapsulated("1.2.840.10008.1.2.5", &fragments);
    assert_eq!(stored(&open_bytes(&bytes).expect("opens")), expected(0));
    // Cut in the middle of a plane, it is refused.
    bytes.truncate(bytes.len() - 16);
    assert!(open_bytes(&bytes).is_err());
}

#[test]
fn the_mark_behind_the_preamble_counts_before_anything_else() {
    let mut bytes = Dicom::new().bytes();
    bytes[..8].copy_from_slice(b"II*\0\x08\0\0\0");
    assert_eq!(stored(&open_bytes(&bytes).expect("opens")), expected(0));
    assert_eq!(
        stored(&open_bytes(&bytes[132..]).expect("opens without a preamble")),
        expected(0)
    );
}

#[test]
fn what_is_not_surely_right_is_refused_with_its_name() {
    let has = |dicom: Dicom, words: &str| {
        let sentence = dicom.refusal();
        assert!(sentence.contains(words), "{sentence:?} lacks {words:?}");
    };
    has(Dicom::new().transfer_syntax("1.2.3.4.5"), "1.2.3.4.5");
    has(Dicom::new().transfer_syntax("1.2.840.10008.1.2.4.102"), "video");
    has(Dicom::new().without(tags::PIXEL_DATA), "no picture");
    has(Dicom::new().without(tags::ROWS), "Rows");
    has(Dicom::new().number(tags::ROWS, 0), "4 x 0");
    has(Dicom::new().number(tags::COLUMNS, 60_000), "cut short");
    has(Dicom::new().number(tags::BITS_ALLOCATED, 24), "24 bits");
    has(Dicom::new().number(tags::BITS_ALLOCATED, 32), "cut short");
    has(Dicom::new().number(tags::BITS_STORED, 0), "Bits Stored");
    has(Dicom::new().number(tags::BITS_STORED, 17), "Bits Stored");
    has(
        Dicom::new().number(tags::PIXEL_REPRESENTATION, 2),
        "Pixel Representation",
    );
    has(
        Dicom::new().text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR"),
        "palette",
    );
    has(Dicom::new().text(tags::RESCALE_SLOPE, VR::DS, "0"), "Rescale Slope");
    has(
        Dicom::new()
            .number(tags::SAMPLES_PER_PIXEL, 3)
            .words(tags::PIXEL_DATA, &[1; 36]),
        "Samples per Pixel",
    );
    has(
        Dicom::new().text(tags::NUMBER_OF_FRAMES, VR::IS, "-1"),
        "Number of Frames",
    );
    has(Dicom::new().words(tags::PIXEL_DATA, &SAMPLES[..11]), "cut short");
    let pdf = Dicom::new()
        .without(tags::PIXEL_DATA)
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.104.1");
    has(pdf, "PDF");
}

#[test]
fn what_is_plainly_there_is_shown_and_what_was_wrong_is_said() {
    let shown = |dicom: Dicom, words: &str| {
        let radiograph = dicom.open().expect("opens");
        assert_eq!(stored(&radiograph), expected(0), "{words}");
        let said = radiograph.warnings.iter().any(|warning| warning.contains(words));
        assert!(said, "{words:?} is not in {:?}", radiograph.warnings);
        radiograph
    };
    for high in [0, 3, 16, u16::MAX] {
        shown(Dicom::new().number(tags::HIGH_BIT, high), "High Bit (0028,0102)");
    }
    // The length of the pixels tells how many samples they have.
    for samples in [0, 3, 4, u16::MAX] {
        let words = "Samples per Pixel (0028,0002)";
        shown(Dicom::new().number(tags::SAMPLES_PER_PIXEL, samples), words);
    }
    for (tag, number) in [(tags::RESCALE_SLOPE, "abc"), (tags::RESCALE_INTERCEPT, "NaN")] {
        let dicom = Dicom::new()
            .text(tags::RESCALE_SLOPE, VR::DS, "2")
            .text(tags::RESCALE_INTERCEPT, VR::DS, "-1000")
            .text(tag, VR::DS, number);
        let radiograph = shown(dicom, "rescale is left out");
        assert_eq!(radiograph.modality_lut, ModalityLut::IDENTITY);
    }
    let dicom = Dicom::new()
        .text(tags::RESCALE_SLOPE, VR::DS, "abc")
        .text(tags::RESCALE_INTERCEPT, VR::DS, "NaN");
    shown(dicom, "(0028,1053) and (0028,1052) are no numbers");
    // A High Bit that is none says nothing of the bits stored.
    let dicom = Dicom::new().without(tags::BITS_STORED).number(tags::HIGH_BIT, 16);
    shown(dicom, "Bits Stored (0028,0101) is missing; 16 was assumed");
}

/// How many samples the pixels have is told by their length, as they are packed.
#[test]
fn halved_colours_and_single_bits_tell_their_samples() {
    let wrong = "Samples per Pixel (0028,0002)";
    let said = |radiograph: Radiograph| radiograph.warnings.iter().any(|warning| warning.contains(wrong));
    let halved = Dicom::new()
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "YBR_FULL_422")
        .number(tags::SAMPLES_PER_PIXEL, 2)
        .number(tags::PLANAR_CONFIGURATION, 0)
        .number(tags::BITS_ALLOCATED, 8)
        .number(tags::BITS_STORED, 8)
        .number(tags::HIGH_BIT, 7)
        .with(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(vec![128; 24].into()));
    assert!(said(halved.clone().open().expect("opens")));
    let longer = halved.with(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(vec![128; 36].into()));
    assert!(longer.refusal().contains(wrong), "these are whole colours");
    // Four frames of 12 bits without a gap.
    let bits = Dicom::new()
        .number(tags::SAMPLES_PER_PIXEL, 3)
        .number(tags::BITS_ALLOCATED, 1)
        .number(tags::BITS_STORED, 1)
        .number(tags::HIGH_BIT, 0)
        .text(tags::NUMBER_OF_FRAMES, VR::IS, "4")
        .with(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(vec![0xa5; 6].into()));
    assert!(said(bits.open().expect("opens")));
}

#[test]
fn encrypted_files_are_named_so() {
    let mut envelope = vec![0x30, 0x82, 0x10, 0x00];
    envelope.extend([6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3]);
    envelope.resize(5000, 0xa5);
    assert!(
        open_bytes(&envelope)
            .expect_err("is refused")
            .to_string()
            .contains("encrypted")
    );
}

#[test]
fn endless_nesting_is_refused() {
    for closed in [true, false] {
        let mut bytes = Dicom::new().without(tags::PIXEL_DATA).bytes();
        for _ in 0..100_000 {
            bytes.extend(b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff");
        }
        if closed {
            for _ in 0..100_000 {
                bytes.extend(b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0");
            }
        }
        assert!(
            open_bytes(&bytes)
                .expect_err("is refused")
                .to_string()
                .contains("nested")
        );
    }
}
