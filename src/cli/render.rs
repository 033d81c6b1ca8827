//! `recovnet render`: a frame as it is shown, as it is stored, and in modality values, for scripts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use crate::imaging::{self, Radiograph, Samples, VoiLutFunction, VoiTransform, Window};
use crate::report;

use super::{Usage, output};

/// Options of `recovnet render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Frame, counted from 1
    #[arg(long, default_value_t = 1, value_name = "N")]
    frame: u32,
    /// How values become grey: the file's own first window or VOI LUT (the full range where it has none), an automatic
    /// window, the file's Nth, or a centre and width
    #[arg(long, default_value = "file", value_name = "file|auto|N|C,W", value_parser = parse_voi, allow_hyphen_values = true)]
    voi: Voi,
    /// Write the display here: 8 bits, Rows x Columns, without overlays; RGB for a colour picture
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    /// Write the stored values here: int32, float64 for floating-point pixels, before any colour conversion
    #[arg(long, value_name = "FILE.npy")]
    stored: Option<PathBuf>,
    /// Write the modality values here: float64; colour pictures have none
    #[arg(long, value_name = "FILE.npy")]
    modality: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq)]
enum Voi {
    File,
    Auto,
    Nth(usize),
    Window(f64, f64),
}

fn parse_voi(text: &str) -> Result<Voi, String> {
    let number = |part: &str| part.trim().parse::<f64>().ok().filter(|value| value.is_finite());
    match text {
        "file" => Ok(Voi::File),
        "auto" => Ok(Voi::Auto),
        _ => match text.split_once(',') {
            Some((center, width)) => match (number(center), number(width)) {
                (Some(center), Some(width)) if width >= 1.0 => Ok(Voi::Window(center, width)),
                (Some(_), Some(_)) => Err("the width of a window is at least 1".to_owned()),
                _ => Err("a window is a centre and a width, as in 2048,4096".to_owned()),
            },
            None => match text.parse() {
                Ok(number) if number > 0 => Ok(Voi::Nth(number)),
                _ => Err("it is none of: file, auto, a number from 1, centre,width".to_owned()),
            },
        },
    }
}

/// Runs the command.
///
/// # Errors
/// If the file gives no picture, it has not what is asked for, or nothing can be written.
pub fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    if args.out.is_none() && args.stored.is_none() && args.modality.is_none() {
        return Err(Usage("nothing is asked for: give --out, --stored or --modality".to_owned()).into());
    }
    let radiograph = imaging::open_frame(&args.file, args.frame)?;
    if let Some(path) = &args.out {
        let display = radiograph.display(&transform(&args.voi, &radiograph)?);
        output::write(
            path,
            &report::display_png(&display, radiograph.width, radiograph.height)?,
        )?;
    }
    if let Some(path) = &args.stored {
        output::write(path, &stored_file(&radiograph))?;
    }
    if let Some(path) = &args.modality {
        output::write(path, &modality_file(&radiograph)?)?;
    }
    for warning in &radiograph.warnings {
        eprintln!("{}: {warning}", args.file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn transform(voi: &Voi, radiograph: &Radiograph) -> anyhow::Result<VoiTransform> {
    Ok(match *voi {
        Voi::File => radiograph.default_voi(),
        Voi::Auto => VoiTransform::Window(radiograph.auto_window()),
        Voi::Window(center, width) => VoiTransform::Window(Window {
            center,
            width,
            function: VoiLutFunction::Linear,
        }),
        Voi::Nth(number) => match radiograph.voi_luts.get(number - 1) {
            Some(voi) => voi.transform.clone(),
            None => bail!(
                "{}: it has {} windows and VOI LUTs, no number {number}",
                radiograph.file.display(),
                radiograph.voi_luts.len()
            ),
        },
    })
}

/// Rows and columns, and the channels where there are several.
fn shape(radiograph: &Radiograph, count: usize) -> Vec<usize> {
    let mut shape = vec![radiograph.height as usize, radiograph.width as usize];
    let channels = count / radiograph.pixel_count();
    if channels > 1 {
        shape.push(channels);
    }
    shape
}

fn stored_file(radiograph: &Radiograph) -> Vec<u8> {
    let stored = radiograph.stored_values();
    let shape = shape(radiograph, stored.len());
    let fits = |&value: &f64| value.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value);
    let integers = !matches!(&radiograph.samples, Samples::Wide(wide) if !wide.integers) && stored.iter().all(fits);
    if integers {
        let stored: Vec<i32> = stored.iter().map(|&value| value as i32).collect();
        report::npy(&stored, &shape)
    } else {
        report::npy(&stored, &shape)
    }
}

fn modality_file(radiograph: &Radiograph) -> anyhow::Result<Vec<u8>> {
    let stored = radiograph.stored_values();
    if stored.len() > radiograph.pixel_count() || radiograph.is_colour() {
        bail!("{}: a colour picture has no modality values", radiograph.file.display());
    }
    let modality = |stored: f64| radiograph.modality_lut.apply(stored);
    let values: Vec<f64> = stored.into_iter().map(modality).collect();
    Ok(report::npy(&values, &shape(radiograph, values.len())))
}
