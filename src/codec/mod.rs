//! Pure bytes ⇄ values.

pub mod directory;
