//! The window. Only `apply(Command)` changes its state; no file, network or model work on its thread.
