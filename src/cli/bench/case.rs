//! What is measured: a kind of work on one network, batch, number of threads and device.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::Serialize;

use crate::inference::models::ClassifierName;
use crate::nn::BackboneKind;

use super::super::options::PrecisionName;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// A batch through a network, batch-norm statistics as they were learned
    Inference,
    /// A whole step: forward, loss, backward, Adam, running statistics
    Training,
    /// Training from files: three epochs of 8 steps whose pictures are decoded, ready, and cached on disk; how long
    /// steps wait for them
    Loading,
    /// All of `predict` on the phantom in memory: decoding, both networks, activation map
    Pipeline,
    /// A picture from its file (--data) to grey bytes, without any network
    Opening,
}

impl Work {
    /// Whether it is done with every network that is asked for.
    fn takes_networks(self) -> bool {
        !matches!(self, Self::Pipeline | Self::Opening)
    }

    /// Whether it reads what `--data` names.
    pub fn takes_data(self) -> bool {
        matches!(self, Self::Loading | Self::Opening)
    }

    /// Images in a batch where nobody asks for another number.
    fn default_batch(self) -> usize {
        match self {
            Self::Inference | Self::Pipeline | Self::Opening => 1,
            Self::Training | Self::Loading => 8,
        }
    }
}

/// What stands on the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Two classes.
    Classifier,
    /// A mask.
    Segmenter,
}

/// A network by name: `resnet50` is the classifier, `segmenter-resnet50` the segmenter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkName {
    /// What stands on the encoder.
    pub head: Head,
    /// The encoder.
    pub backbone: BackboneKind,
}

const SEGMENTER: &str = "segmenter-";

impl NetworkName {
    /// Every network there is.
    pub fn all() -> Vec<Self> {
        let of = |head| BackboneKind::ALL.map(|backbone| Self { head, backbone });
        of(Head::Classifier).into_iter().chain(of(Head::Segmenter)).collect()
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.head == Head::Segmenter { SEGMENTER } else { "" };
        write!(f, "{prefix}{}", self.backbone)
    }
}

impl FromStr for NetworkName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = Self::all();
        let names = || all.iter().map(Self::to_string).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|network| network.to_string() == name);
        found
            .copied()
            .ok_or_else(|| format!("no network is called '{name}'; there are {}", names()))
    }
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What is done.
    pub work: Work,
    /// With which network; the pipeline has its own.
    pub network: NetworkName,
    /// Images in a batch.
    pub batch: usize,
    /// Threads that compute.
    pub threads: usize,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// What numbers it computes with; the pipeline computes in f32.
    pub precision: PrecisionName,
}

impl Case {
    /// Name of what computes: the pipeline has the classifier that `predict` uses by itself.
    pub fn network(&self) -> String {
        match self.work {
            Work::Pipeline => ClassifierName::RecovnetV1.name().to_owned(),
            Work::Inference | Work::Training | Work::Loading => self.network.to_string(),
            Work::Opening => "none".to_owned(),
        }
    }
}

/// Everything that is to be combined.
#[derive(Debug)]
pub struct Lists {
    /// Kinds of work.
    pub work: Vec<Work>,
    /// Networks; empty for all.
    pub networks: Vec<NetworkName>,
    /// Batch sizes; empty for those of each work.
    pub batches: Vec<usize>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// `cpu` or `cuda:N`.
    pub devices: Vec<String>,
    /// What numbers are computed with.
    pub precision: PrecisionName,
}

impl Lists {
    /// Every combination that makes a difference: the pipeline has one picture and its own networks, and a GPU does
    /// not care how many threads the CPU has.
    pub fn cases(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = Vec::new();
        let all = NetworkName::all();
        let asked = match self.networks.as_slice() {
            [] => &all[..],
            given => given,
        };
        for &work in &self.work {
            let batches = match self.batches.as_slice() {
                [] => &[work.default_batch()][..],
                _ if !work.takes_networks() => &[1][..],
                given => given,
            };
            let networks = if work.takes_networks() { asked } else { &asked[..1] };
            for &network in networks {
                for device in &self.devices {
                    for &batch in batches {
                        let threads = if device == "cpu" {
                            &self.threads[..]
                        } else {
                            &self.threads[self.threads.len() - 1..]
                        };
                        cases.extend(threads.iter().map(|&threads| Case {
                            work,
                            network,
                            batch,
                            threads,
                            device: device.clone(),
                            precision: self.precision,
                        }));
                    }
                }
            }
        }
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_its_name() {
        for network in NetworkName::all() {
            assert_eq!(network.to_string().parse(), Ok(network));
        }
        let error = "vgg16".parse::<NetworkName>().unwrap_err();
        for part in ["vgg16", "resnet50", "segmenter-densenet121"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }

    #[test]
    fn only_what_makes_a_difference_is_measured() {
        let lists = Lists {
            work: vec![Work::Inference, Work::Pipeline],
            networks: Vec::new(),
            batches: vec![1, 32],
            threads: vec![1, 2],
            devices: vec!["cpu".to_owned(), "cuda:0".to_owned()],
            precision: PrecisionName::F32,
        };
        let cases = lists.cases();
        let count = |work: Work, device: &str| {
            let same = |case: &&Case| case.work == work && case.device == device;
            cases.iter().filter(same).count()
        };
        let networks = 2 * BackboneKind::ALL.len();
        assert_eq!(count(Work::Inference, "cpu"), 4 * networks);
        assert_eq!(count(Work::Inference, "cuda:0"), 2 * networks);
        assert_eq!((count(Work::Pipeline, "cpu"), count(Work::Pipeline, "cuda:0")), (2, 1));
    }
}
