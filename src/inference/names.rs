//! Names of the networks: what the command line calls them, what their cards must say, and how one is trained.

use std::fmt;
use std::str::FromStr;

use crate::nn::BackboneKind;
use crate::nn::card::Task;

/// Name of a classifier on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClassifierName {
    /// `recovnet-v1`: the DenseNet-121 encoder of a trained segmenter.
    RecovnetV1,
    /// `recovnet-v2`: the ResNet-50 encoder of a trained segmenter.
    RecovnetV2,
    /// `recovnet-inception_v3`: the Inception-v3 encoder of a trained segmenter.
    RecovnetInceptionV3,
    /// `recovnet-inception_resnet_v2`: the Inception-ResNet-v2 encoder of a trained segmenter.
    RecovnetInceptionResnetV2,
    /// `densenet121`: plain baseline.
    Densenet121,
    /// `resnet50`: plain baseline.
    Resnet50,
    /// `inception_v3`: plain baseline.
    InceptionV3,
    /// `inception_resnet_v2`: plain baseline.
    InceptionResnetV2,
}

impl ClassifierName {
    /// Every name: the paper's two networks, the same on the other encoders, the baselines.
    pub const ALL: [Self; 8] = [
        Self::RecovnetV1,
        Self::RecovnetV2,
        Self::RecovnetInceptionV3,
        Self::RecovnetInceptionResnetV2,
        Self::Densenet121,
        Self::Resnet50,
        Self::InceptionV3,
        Self::InceptionResnetV2,
    ];

    /// Name on the command line and of the weights file.
    pub fn name(self) -> &'static str {
        match self {
            Self::RecovnetV1 => "recovnet-v1",
            Self::RecovnetV2 => "recovnet-v2",
            Self::RecovnetInceptionV3 => "recovnet-inception_v3",
            Self::RecovnetInceptionResnetV2 => "recovnet-inception_resnet_v2",
            Self::Densenet121 => "densenet121",
            Self::Resnet50 => "resnet50",
            Self::InceptionV3 => "inception_v3",
            Self::InceptionResnetV2 => "inception_resnet_v2",
        }
    }

    /// All names, for a message.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The commands that make one, as the end of a sentence.
    pub fn how_to_train(self) -> String {
        let (task, encoder) = self.network();
        let train = format!(
            "recovnet train {} --encoder {encoder} --recipe scratch --data FOLDER",
            task_name(task)
        );
        let promote = "'recovnet runs promote RUN --data FOLDER'";
        match task {
            Task::Recovnet => format!(
                "train one: 'recovnet train segmenter --encoder {encoder} --recipe scratch --data FOLDER --run-dir \
                 SEGMENTER', then '{train} --init SEGMENTER/best.safetensors --run-dir RUN', then {promote}"
            ),
            _ => format!("train one: '{train} --run-dir RUN', then {promote}"),
        }
    }

    /// What the card beside its weights must say.
    pub(crate) fn network(self) -> (Task, BackboneKind) {
        match self {
            Self::RecovnetV1 => (Task::Recovnet, BackboneKind::DenseNet121),
            Self::RecovnetV2 => (Task::Recovnet, BackboneKind::ResNet50),
            Self::RecovnetInceptionV3 => (Task::Recovnet, BackboneKind::InceptionV3),
            Self::RecovnetInceptionResnetV2 => (Task::Recovnet, BackboneKind::InceptionResNetV2),
            Self::Densenet121 => (Task::Baseline, BackboneKind::DenseNet121),
            Self::Resnet50 => (Task::Baseline, BackboneKind::ResNet50),
            Self::InceptionV3 => (Task::Baseline, BackboneKind::InceptionV3),
            Self::InceptionResnetV2 => (Task::Baseline, BackboneKind::InceptionResNetV2),
        }
    }
}

impl fmt::Display for ClassifierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ClassifierName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|classifier| classifier.name() == name);
        found.ok_or_else(|| format!("no classifier is called '{name}'; there are {}", Self::names()))
    }
}

/// The commands that make the segmenter, as the end of a sentence.
pub(super) fn how_to_train_segmenter() -> String {
    "train one: 'recovnet train segmenter --encoder densenet121 --recipe scratch --data FOLDER --run-dir RUN', then \
     'recovnet runs promote RUN'"
        .to_owned()
}

/// A task in a word.
pub(super) fn task_name(task: Task) -> &'static str {
    match task {
        Task::Segmenter => "segmenter",
        Task::Recovnet => "recovnet",
        Task::Baseline => "baseline",
    }
}
