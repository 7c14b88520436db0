//! The references in `docs/reference` are what the program says of itself, and the command line says what it said before.
//!
//! `SNAPSHOTS=overwrite cargo test --test reference` writes them anew; the difference is what a review looks at.

#![cfg(feature = "full")]

mod commands;
mod configuration;
mod events;
mod http;
mod metrics;
mod said;

use std::path::{Path, PathBuf};

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

pub(crate) fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a text with a file, or writes it there: see above.
pub(crate) fn assert_file(text: &str, path: &str) {
    let committed = Data::read_from(&at(path), Some(DataFormat::Text)).raw();
    Assert::new().action_env("SNAPSHOTS").eq(Data::text(text).raw(), committed);
}

/// A reference under its title, with a line that says where it comes from.
pub(crate) fn assert_reference(name: &str, title: &str, text: &str) {
    let made = "Made from the code by `SNAPSHOTS=overwrite cargo test --test reference`; change it there.";
    assert_file(
        &format!("# {title}\n\n{made}\n\n{}\n", text.trim_end()),
        &format!("docs/reference/{name}.md"),
    );
}

/// A row of a table: what would end a cell is escaped.
pub(crate) fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |\n", cells.join(" | "))
}

pub(crate) fn head(cells: &[&str]) -> String {
    format!("{}|{}\n", row(cells), "---|".repeat(cells.len()))
}
