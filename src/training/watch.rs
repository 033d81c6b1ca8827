//! A few images that are looked at after every epoch: what the network makes of them, as small pictures and numbers in
//! the run folder.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::findings::Mask;
use crate::imaging;
use crate::inference::activation;
use crate::nn::{Device, InputSpec, Precision};
use crate::preprocess::{self, GreyInput};

use super::Error;
use super::event::Watched;
use super::lungs::Lungs;
use super::manifest::{Class, Manifest, Row};
use super::phase::Phase;
use super::sample;
use super::split::Part;

/// Where the pictures lie in the run folder.
pub const FOLDER: &str = "watch";
/// The numbers of an epoch, beside its pictures.
pub const NUMBERS: &str = "watch.json";
/// More images would take longer than an epoch is worth.
const MOST: usize = 64;

/// Which images are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchList {
    /// Images by their names in the data.
    pub files: Vec<String>,
    /// Further images of the validation part, chosen by the seed, both classes alike.
    pub chosen: usize,
}

impl WatchList {
    /// The rows of the list: those that are named, then those that are chosen of `rows`, which a run uses.
    ///
    /// # Errors
    /// If the data have no image of a name, or the list is too long.
    pub fn rows(&self, manifest: &Manifest, rows: &[Row], seed: u64) -> Result<Vec<Row>, Error> {
        if self.files.len() + self.chosen > MOST {
            return Err(Error::Usage(format!(
                "the watch-list has {} images; at most {MOST} can be looked at after every epoch",
                self.files.len() + self.chosen
            )));
        }
        let mut listed = Vec::new();
        for name in &self.files {
            let found = manifest.rows.iter().find(|row| row.file == *name);
            listed.push(found.cloned().ok_or_else(|| {
                Error::Usage(format!(
                    "the watch-list names {name}, but the data have no image of that name; name it as they do, relative \
                     to their folder"
                ))
            })?);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut of_class = |class| {
            let is_candidate = |row: &&Row| row.part() == Part::Validation && row.class == class;
            let mut rows: Vec<&Row> = rows.iter().filter(is_candidate).collect();
            rows.retain(|row| !self.files.contains(&row.file));
            rows.shuffle(&mut rng);
            rows.into_iter()
        };
        let (mut covid, mut control) = (of_class(Class::Covid19), of_class(Class::Control));
        let mut chosen: Vec<&Row> = Vec::new();
        while chosen.len() < self.chosen {
            let before = chosen.len();
            chosen.extend(covid.next().into_iter().chain(control.next()));
            if chosen.len() == before {
                break;
            }
        }
        chosen.truncate(self.chosen);
        listed.extend(chosen.into_iter().cloned());
        Ok(listed)
    }
}

/// What a network makes of an image, on its input.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Phase I: probability of lung, as large as the input; phase II: cells of the activation map, at least 0.
    pub map: Vec<f32>,
    /// Columns and rows of the map.
    pub grid: (usize, usize),
    /// Phase II: probability of COVID-19.
    pub probability: Option<f64>,
}

/// An image of the list at one size.
struct Item {
    row: Row,
    input: GreyInput,
    /// Phase I: the manual mask on the input, if there is one.
    truth: Option<Vec<u8>>,
    /// Phase II: the segmenter's mask in image pixels.
    lungs: Option<Mask>,
}

/// The list at one image size.
pub struct Watch {
    folder: PathBuf,
    spec: InputSpec,
    items: Vec<Item>,
}

impl Watch {
    /// Opens the images, and writes them as the network is given them.
    ///
    /// # Errors
    /// Naming a file that cannot be used or written.
    pub fn open<P: Phase>(run: &Path, rows: &[Row], spec: &InputSpec, lungs: Option<&Lungs>) -> Result<Self, Error> {
        let mut items = Vec::new();
        for row in rows {
            items.push(item::<P>(row, spec, lungs)?);
        }
        let watch = Self {
            folder: run.to_owned(),
            spec: spec.clone(),
            items,
        };
        let inputs = watch.inputs();
        watch.make(&inputs)?;
        for (number, item) in watch.items.iter().enumerate() {
            let size = item.input.placement.input_size();
            let levels: Vec<u16> = item.input.pixels.iter().map(|grey| level(*grey)).collect();
            watch.write(&inputs.join(format!("{number:02}.png")), &png16(&levels, size))?;
            if let Some(mask) = &item.lungs {
                let mask = preprocess::mask(&mask.pixels, &item.input.placement);
                watch.write(&inputs.join(format!("{number:02}-lungs.png")), &png8(&mask, size))?;
            }
        }
        Ok(watch)
    }

    /// Side of the images.
    pub fn size(&self) -> usize {
        self.spec.width
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn inputs(&self) -> PathBuf {
        Path::new(FOLDER).join(format!("inputs-{:04}", self.spec.width))
    }

    /// Looks at every image after an epoch (from 1), and writes what there is to see.
    ///
    /// # Errors
    /// If the network fails, or a file cannot be written.
    ///
    /// # Panics
    /// Never: what is written is plain data.
    pub fn look<P: Phase>(
        &self,
        network: &P::Network,
        epoch: usize,
        (precision, device): (Precision, &Device),
    ) -> Result<Vec<Watched>, Error> {
        let folder = Path::new(FOLDER).join(format!("epoch-{epoch:03}"));
        self.make(&folder)?;
        let mut watched = Vec::new();
        for (number, item) in self.items.iter().enumerate() {
            let tensor = preprocess::tensor(&item.input, &self.spec, device).map_err(|cause| sample::Error::Input {
                path: item.row.path.clone(),
                cause,
            })?;
            let look = P::look(network, &precision.of_input(&tensor)?)?;
            watched.push(self.record(number, item, &look, &folder)?);
        }
        let text = serde_json::to_string_pretty(&watched).expect("numbers are plain data");
        self.write(&folder.join(NUMBERS), text.as_bytes())?;
        Ok(watched)
    }

    fn record(&self, number: usize, item: &Item, look: &Look, folder: &Path) -> Result<Watched, Error> {
        let size = item.input.placement.input_size();
        let map = preprocess::bilinear(&look.map, look.grid, size);
        let largest = map.iter().copied().fold(0.0, f32::max);
        let is_activation = look.probability.is_some();
        let scale = if is_activation && largest > 0.0 {
            1.0 / largest
        } else {
            1.0
        };
        let levels: Vec<u16> = map.iter().map(|value| level(value * scale)).collect();
        let path = folder.join(format!("{number:02}-map.png"));
        self.write(&path, &png16(&levels, size))?;
        let mut watched = Watched {
            number,
            file: item.row.file.clone(),
            covid19: item.row.class == Class::Covid19,
            image: self.inputs().join(format!("{number:02}.png")),
            map: path,
            mask: None,
            score: look.probability,
            largest: is_activation.then_some(f64::from(largest)),
            in_lung: None,
            chance: None,
        };
        if is_activation {
            if let Some(lungs) = &item.lungs {
                let (_, inside) = activation::in_image(look.map.clone(), look.grid, &item.input.placement, lungs);
                (watched.in_lung, watched.chance) = (inside.ratio, inside.chance);
                watched.mask = Some(self.inputs().join(format!("{number:02}-lungs.png")));
            }
            return Ok(watched);
        }
        let mask: Vec<u8> = map.iter().map(|&p| u8::from(p >= 0.5)).collect();
        let path = folder.join(format!("{number:02}-mask.png"));
        self.write(&path, &png8(&mask, size))?;
        watched.mask = Some(path);
        let truth = item.truth.as_ref();
        watched.score = truth.and_then(|truth| super::metrics::Confusion::of_masks(&mask, truth).dice());
        Ok(watched)
    }

    fn make(&self, folder: &Path) -> Result<(), Error> {
        let path = self.folder.join(folder);
        std::fs::create_dir_all(&path).map_err(|e| cannot_write(path, &e))
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(file);
        atomic_file::write(&path, bytes).map_err(|e| cannot_write(path, &e))
    }
}

fn item<P: Phase>(row: &Row, spec: &InputSpec, lungs: Option<&Lungs>) -> Result<Item, Error> {
    let image = imaging::open(&row.path).map_err(sample::Error::from)?;
    let lungs = match lungs {
        Some(lungs) if !P::MASKS => Some(lungs.mask(&image).map_err(|cause| sample::Error::Lungs {
            path: row.path.clone(),
            cause: Box::new(cause),
        })?),
        _ => None,
    };
    let input = match &lungs {
        Some(lungs) if !spec.region.is_full() => preprocess::grey_of_region(&image, spec, &lungs.pixels),
        _ => preprocess::grey(&image, spec),
    };
    let input = input.map_err(|cause| sample::Error::Input {
        path: row.path.clone(),
        cause,
    })?;
    let truth = match &row.mask {
        Some(file) if P::MASKS && row.has_manual_lung_field() => {
            let mask = sample::read_masks(file, image.width, image.height)?;
            Some(preprocess::mask(&mask, &input.placement))
        }
        _ => None,
    };
    Ok(Item {
        row: row.clone(),
        input,
        truth,
        lungs,
    })
}

fn cannot_write(path: PathBuf, error: &std::io::Error) -> Error {
    Error::Run {
        path,
        reason: format!("cannot be written: {error}"),
    }
}

/// A value in 0..=1 as 16 bits.
fn level(value: f32) -> u16 {
    (value.clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as u16
}

fn png16(levels: &[u16], size: (usize, usize)) -> Vec<u8> {
    let bytes: Vec<u8> = levels.iter().flat_map(|level| level.to_ne_bytes()).collect();
    png(&bytes, size, ExtendedColorType::L16)
}

fn png8(mask: &[u8], size: (usize, usize)) -> Vec<u8> {
    let bytes: Vec<u8> = mask.iter().map(|&pixel| if pixel == 0 { 0 } else { u8::MAX }).collect();
    png(&bytes, size, ExtendedColorType::L8)
}

fn png(bytes: &[u8], (width, height): (usize, usize), kind: ExtendedColorType) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    PngEncoder::new(&mut file)
        .write_image(bytes, width as u32, height as u32, kind)
        .expect("the size is that of the plane, and memory takes all");
    file.into_inner()
}
