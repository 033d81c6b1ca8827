//! The paper's two phases: data, augmentation, losses, metrics, the loop. Knows no window and no listener.
