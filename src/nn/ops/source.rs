//! What an operation reads: a feature map as it lies in memory, or the parts of a normalised one that was never
//! written, with what is to be applied to them on the way.

use super::cpu::conv::{Affine, Input, Part};
use super::cpu::{Element, Host};
use crate::nn::Result;
use crate::nn::tape::{Normalised, Value};

/// Read access to the elements behind a value.
pub(super) struct Source<'a, T> {
    /// Each with its channels.
    hosts: Vec<(Host<'a>, usize)>,
    affine: Option<(Vec<T>, Vec<T>, bool)>,
}

impl<'a, T: Element> Source<'a, T> {
    /// Opens a value; nothing is written.
    pub(super) fn of(value: &'a Value) -> Result<Self> {
        match value.normalised() {
            Some(normalised) => Self::of_normalised(normalised),
            None => Self::of_parts(std::slice::from_ref(value)),
        }
    }

    /// Opens the parts of a normalised map.
    pub(super) fn of_normalised(normalised: &'a Normalised) -> Result<Self> {
        let cast = |values: &[f64]| values.iter().map(|v| T::from_f64(*v)).collect();
        Ok(Self {
            affine: Some((cast(&normalised.scale), cast(&normalised.shift), normalised.relu)),
            ..Self::of_parts(&normalised.parts)?
        })
    }

    /// Opens feature maps that follow each other along the channels.
    pub(super) fn of_parts(parts: &'a [Value]) -> Result<Self> {
        let host = |part: &'a Value| Ok((Host::of(part.read())?, part.dims().last().copied().unwrap_or(1)));
        Ok(Self {
            hosts: parts.iter().map(host).collect::<Result<_>>()?,
            affine: None,
        })
    }

    /// The parts' elements.
    pub(super) fn parts(&self) -> Result<Vec<Part<'_, T>>> {
        self.hosts
            .iter()
            .map(|(host, channels)| {
                Ok(Part {
                    values: host.slice::<T>()?,
                    channels: *channels,
                    pixel: *channels,
                })
            })
            .collect()
    }

    /// The parts with what is applied to them.
    pub(super) fn input<'b>(&'b self, parts: &'b [Part<'b, T>]) -> Input<'b, T> {
        Input {
            parts,
            affine: self.affine.as_ref().map(|(scale, shift, relu)| Affine {
                scale,
                shift,
                relu: *relu,
            }),
        }
    }
}
