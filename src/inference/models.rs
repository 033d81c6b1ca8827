//! Finds, verifies and loads weights with their model cards, and chooses the device.

use std::path::{Path, PathBuf};

use crate::findings::ModelId;
use crate::nn::card::Task;
use crate::nn::{self, BackboneKind, ModelCard};

use super::device::{self, DeviceChoice};
use super::names::{how_to_train_segmenter, task_name};

pub use super::device::Opened;
pub use super::names::ClassifierName;

/// The segmenter whose mask goes with every classifier, so that their in-lung activations can be compared.
pub const SEGMENTER: &str = "segmenter-densenet121";

/// Why the models cannot be loaded: one sentence with the cause and, where there is one, the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No weights file in any folder.
    #[error("no weights of {name}: looked for {name}.safetensors in {}; put the file with its model card \
             {name}.json into one of these folders, name another with --weights or RECOVNET_WEIGHTS, or {how_to_train}", list(.folders))]
    Missing {
        /// Name of the network.
        name: String,
        /// What makes one.
        how_to_train: String,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
    },
    /// The folder that was named for weights is not there; others would be a surprise.
    #[error("{}: no such folder; --weights names a folder with weights and their model cards", .0.display())]
    NoFolder(PathBuf),
    /// The bytes are not those that the card was written for.
    #[error("{cause}")]
    WrongHash {
        /// Which hash the file has, and which the card names.
        cause: Box<nn::Error>,
    },
    /// The card describes another network than the file's name.
    #[error("{}: the model card describes another network ({found}), expected {expected}", .path.display())]
    OtherNetwork {
        /// The weights file.
        path: PathBuf,
        /// Task and backbone in the card.
        found: String,
        /// Task and backbone that were asked for.
        expected: String,
    },
    /// The card cannot be right.
    #[error("{}: {reason}", .path.display())]
    Card {
        /// The weights file.
        path: PathBuf,
        /// One sentence with the cause.
        reason: String,
    },
    /// The file cannot be read, or the network refuses its tensors.
    #[error("the weights cannot be used: {cause}")]
    Refused {
        /// What the network said.
        cause: Box<nn::Error>,
    },
    /// The networks cannot be brought to the GPU.
    #[error("the networks cannot be brought to the GPU: {cause}")]
    NoRoom {
        /// What the GPU said.
        cause: Box<nn::Error>,
    },
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] device::Error),
}

impl From<nn::Error> for Error {
    fn from(cause: nn::Error) -> Self {
        match cause {
            nn::Error::WrongHash { .. } => Self::WrongHash { cause: Box::new(cause) },
            cause => Self::Refused { cause: Box::new(cause) },
        }
    }
}

/// Why a device takes no weights.
fn refused(cause: nn::Error) -> Error {
    match cause {
        nn::Error::Gpu { .. } => Error::NoRoom { cause: Box::new(cause) },
        cause => cause.into(),
    }
}

/// Loads on the device of a choice; where a GPU that computes has no room for the networks, on the CPU, if `auto` chose.
fn load_where_room_is<T>(
    choice: DeviceChoice,
    load: impl Fn(Opened, DeviceChoice) -> Result<T, Error>,
) -> Result<T, Error> {
    match load(choice.open()?, choice) {
        Err(Error::NoRoom { cause }) => match choice.instead_of_gpu(&cause.to_string()) {
            Some(cpu) => load(cpu, DeviceChoice::Cpu),
            None => Err(Error::NoRoom { cause }),
        },
        loaded => loaded,
    }
}

fn list(folders: &[PathBuf]) -> String {
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    names.join(", ")
}

/// Phase I network and its card.
pub type LoadedSegmenter = (nn::Segmenter, ModelCard);
/// Phase II network and its card.
pub type LoadedClassifier = (nn::Classifier, ModelCard);

/// A segmenter and one classifier or more on one device, verified and ready.
pub struct Models {
    /// Its mask goes with every classifier.
    pub segmenter: LoadedSegmenter,
    /// The classifier; the first, where there are several.
    pub classifier: LoadedClassifier,
    /// Further classifiers, in the order they were asked for.
    pub others: Vec<LoadedClassifier>,
    /// Where both run.
    pub device: nn::Device,
    /// What that is, in words for the window: `CPU, 2 threads`.
    pub device_label: String,
    /// What they were read from.
    files: Files,
    /// What was asked for; the CPU, once they had to go there.
    choice: DeviceChoice,
}

/// Weights files of a segmenter and its classifiers.
#[derive(Clone)]
struct Files {
    segmenter: WeightsFile,
    classifiers: Vec<WeightsFile>,
}

impl Models {
    /// Finds, verifies and loads the segmenter and one classifier.
    ///
    /// `weights` is searched first; `device` is `auto`, `cpu` or `cuda:N`. With `auto`, a CUDA device on which the
    /// networks cannot run is left for the CPU, and the label says why.
    ///
    /// # Errors
    /// If weights are missing, do not match their card or the network, or the device cannot be used.
    pub fn load(weights: Option<&Path>, classifier: ClassifierName, device: &str) -> Result<Self, Error> {
        Self::load_several(weights, &[classifier], device)
    }

    /// As [`Models::load`], with several classifiers beside one segmenter.
    ///
    /// # Errors
    /// As [`Models::load`]; naming the first classifier that is missing or refused.
    ///
    /// # Panics
    /// If no classifier is named.
    pub fn load_several(weights: Option<&Path>, classifiers: &[ClassifierName], device: &str) -> Result<Self, Error> {
        Self::load_with(weights, device, |folders| {
            classifiers.iter().map(|name| find_classifier(folders, *name)).collect()
        })
    }

    /// As [`Models::load`], with a classifier's weights from any file; its card must lie beside it.
    ///
    /// # Errors
    /// As [`Models::load`], and if the card is a segmenter's.
    pub fn load_file(weights: Option<&Path>, classifier: &Path, device: &str) -> Result<Self, Error> {
        Self::load_with(weights, device, |_| Ok(vec![WeightsFile::classifier_at(classifier)?]))
    }

    /// A segmenter's weights from any file, alone, with the device they are on; its card must lie beside it.
    ///
    /// # Errors
    /// If they are missing, of a classifier, or refused, or the device cannot be used.
    pub fn load_segmenter_file(path: &Path, device: &str) -> Result<(LoadedSegmenter, Opened), Error> {
        let choice: DeviceChoice = device.parse()?;
        let card = card_beside(path)?;
        check_card(path, &card, (Task::Segmenter, card.backbone))?;
        load_where_room_is(choice, |opened, _| {
            let device = &opened.device;
            let network = nn::Segmenter::load_verified(path, &card.sha256, card.backbone, card.graph, device);
            Ok(((network.map_err(refused)?, card.clone()), opened))
        })
    }

    fn load_with(
        weights: Option<&Path>,
        device: &str,
        classifiers: impl FnOnce(&[PathBuf]) -> Result<Vec<WeightsFile>, Error>,
    ) -> Result<Self, Error> {
        if let Some(folder) = weights.filter(|folder| !folder.is_dir()) {
            return Err(Error::NoFolder(folder.to_owned()));
        }
        let folders = weights_folders(weights);
        let choice: DeviceChoice = device.parse()?;
        let files = Files {
            segmenter: find_segmenter(&folders)?,
            classifiers: classifiers(&folders)?,
        };
        load_where_room_is(choice, |opened, choice| Self::load_on(&files, opened, choice))
    }

    /// The same networks on the CPU, for a GPU that failed; `None` unless it was the choice of `auto`.
    pub(super) fn on_cpu(&self, cause: &str) -> Option<Result<Self, Error>> {
        let cpu = self.choice.instead_of_gpu(cause)?;
        Some(Self::load_on(&self.files, cpu, DeviceChoice::Cpu))
    }

    fn load_on(files: &Files, opened: Opened, choice: DeviceChoice) -> Result<Self, Error> {
        let Opened { device, label } = opened;
        let WeightsFile { path, card } = &files.segmenter;
        let segmenter = nn::Segmenter::load_verified(path, &card.sha256, card.backbone, card.graph, &device);
        let segmenter = (segmenter.map_err(refused)?, card.clone());
        let classifier = |WeightsFile { path, card }: &WeightsFile| -> Result<LoadedClassifier, Error> {
            let network = nn::Classifier::load_verified(path, &card.sha256, card.backbone, card.graph, &device);
            Ok((network.map_err(refused)?, card.clone()))
        };
        let (first, others) = files.classifiers.split_first().expect("a classifier is named");
        Ok(Self {
            segmenter,
            classifier: classifier(first)?,
            others: others.iter().map(classifier).collect::<Result<_, _>>()?,
            device,
            device_label: label,
            files: files.clone(),
            choice,
        })
    }

    /// Every classifier, the first first.
    pub fn classifiers(&self) -> impl Iterator<Item = &LoadedClassifier> {
        std::iter::once(&self.classifier).chain(&self.others)
    }

    /// Which segmenter this is.
    pub fn segmenter_id(&self) -> ModelId {
        model_id(&self.segmenter.1)
    }

    /// Which classifier this is.
    pub fn classifier_id(&self) -> ModelId {
        model_id(&self.classifier.1)
    }
}

/// Which weights a card stands for.
pub(super) fn model_id(card: &ModelCard) -> ModelId {
    ModelId {
        name: card.name.clone(),
        version: card.version.clone(),
        weights_sha256: card.sha256.clone(),
    }
}

/// A weights file and the card beside it, which says what was asked for.
#[derive(Debug, Clone)]
pub struct WeightsFile {
    /// The weights file.
    pub path: PathBuf,
    /// The card beside it.
    pub card: ModelCard,
}

impl WeightsFile {
    /// A classifier's weights file of any name, with the card beside it.
    ///
    /// # Errors
    /// If there is no file or no card, the card is a segmenter's or cannot be right.
    pub fn classifier_at(path: &Path) -> Result<Self, Error> {
        let card = card_beside(path)?;
        if card.task == Task::Segmenter {
            return Err(Error::OtherNetwork {
                path: path.to_owned(),
                found: words(card.task, card.backbone),
                expected: "a classifier".to_owned(),
            });
        }
        check_card(path, &card, (card.task, card.backbone))?;
        Ok(Self {
            path: path.to_owned(),
            card,
        })
    }

    /// Compares the bytes with the card without loading them.
    fn verified(self) -> Result<Self, Error> {
        nn::weights::verify(&self.path, &self.card.sha256)?;
        Ok(self)
    }
}

/// Finds and verifies the segmenter's weights without loading them.
///
/// # Errors
/// If they are missing or do not match their card.
pub fn verified_segmenter(folders: &[PathBuf]) -> Result<WeightsFile, Error> {
    find_segmenter(folders)?.verified()
}

/// Finds and verifies a classifier's weights without loading them.
///
/// # Errors
/// If they are missing or do not match their card.
pub fn verified_classifier(folders: &[PathBuf], name: ClassifierName) -> Result<WeightsFile, Error> {
    find_classifier(folders, name)?.verified()
}

pub(super) fn find_segmenter(folders: &[PathBuf]) -> Result<WeightsFile, Error> {
    find(folders, SEGMENTER, (Task::Segmenter, BackboneKind::DenseNet121))
}

pub(super) fn find_classifier(folders: &[PathBuf], name: ClassifierName) -> Result<WeightsFile, Error> {
    find(folders, name.name(), name.network())
}

/// The first weights of a name, with a card that fits; their bytes are compared when they are read.
fn find(folders: &[PathBuf], name: &str, expected: (Task, BackboneKind)) -> Result<WeightsFile, Error> {
    let file = format!("{name}.safetensors");
    let found = folders
        .iter()
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file());
    let path = found.ok_or_else(|| Error::Missing {
        name: name.to_owned(),
        how_to_train: name
            .parse()
            .map_or_else(|_| how_to_train_segmenter(), ClassifierName::how_to_train),
        folders: folders.to_vec(),
    })?;
    let card = card_beside(&path)?;
    check_card(&path, &card, expected)?;
    Ok(WeightsFile { path, card })
}

fn card_beside(path: &Path) -> Result<ModelCard, Error> {
    ModelCard::beside(path).map_err(|e| Error::Card {
        path: path.to_owned(),
        reason: e.to_string(),
    })
}

/// Task and backbone in words.
fn words(task: Task, backbone: BackboneKind) -> String {
    format!("{} on {backbone}", task_name(task))
}

/// Largest rows or columns that a card may ask for.
const LARGEST_SIDE: usize = 4096;

fn check_card(path: &Path, card: &ModelCard, (task, backbone): (Task, BackboneKind)) -> Result<(), Error> {
    if (card.task, card.backbone) != (task, backbone) {
        let (found, expected) = (words(card.task, card.backbone), words(task, backbone));
        return Err(Error::OtherNetwork {
            path: path.to_owned(),
            found,
            expected,
        });
    }
    let fail = |reason: &str| {
        Err(Error::Card {
            path: path.to_owned(),
            reason: reason.to_owned(),
        })
    };
    let input = &card.input;
    let sides = backbone.smallest_side()..=LARGEST_SIDE;
    if !sides.contains(&input.width) || !sides.contains(&input.height) {
        return fail(&format!(
            "the model card's input size is not between {} and {LARGEST_SIDE} pixels",
            sides.start()
        ));
    }
    if input.std.iter().any(|std| !(std.is_finite() && *std > 0.0)) || input.mean.iter().any(|m| !m.is_finite()) {
        return fail("the model card's normalisation is not finite or divides by 0");
    }
    if !(0.0..=1.0).contains(&card.threshold) {
        return fail("the model card's threshold is not between 0 and 1");
    }
    Ok(())
}

/// Folders searched for weights, in order: `given`, `RECOVNET_WEIGHTS`, the user's model list, beside the program (and
/// `weights` there), `./weights`. The list comes before the weights that a program brings along, so that a model that
/// was promoted is the one that is used.
pub fn weights_folders(given: Option<&Path>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = given.map(Path::to_owned).into_iter().collect();
    folders.extend(
        std::env::var_os("RECOVNET_WEIGHTS")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from),
    );
    folders.extend(user_folder());
    if let Some(beside) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.extend([beside.to_owned(), beside.join("weights")]);
    }
    folders.push(PathBuf::from("weights"));
    folders
}

/// The user's model list: where promoted models lie; `None` where the system knows no home.
pub fn user_folder() -> Option<PathBuf> {
    let user = directories::ProjectDirs::from("", "", "recovnet");
    user.map(|user| user.data_dir().join("weights"))
}
