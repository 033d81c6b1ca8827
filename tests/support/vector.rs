//! The smallest network: one vector.

use recovnet::nn::{Network, Role, Tensor};

/// A network of one vector.
pub struct Vector(pub Tensor);

impl Network for Vector {
    fn visit(&self, f: &mut dyn FnMut(&str, &Tensor, Role)) {
        f("vector", &self.0, Role::Bias);
    }

    fn visit_mut(&mut self, f: &mut dyn FnMut(&str, &mut Tensor, Role)) {
        f("vector", &mut self.0, Role::Bias);
    }
}
