//! Radiograph to network input and back: one implementation for training and inference.
