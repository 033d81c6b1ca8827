//! Radiograph and findings to files, one file a format: pure functions to bytes. Identity is never written.
