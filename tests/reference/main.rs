//! The references in `docs/reference` are what the program says of itself, and the command line says what it said before.
//!
//! `SNAPSHOTS=overwrite cargo test --test reference` writes them anew; the difference is what a review looks at.

#![cfg(feature = "full")]

mod catalogue;
mod commands;
mod configuration;
mod events;
mod http;
mod metrics;
mod said;
mod shown;

use std::path::{Path, PathBuf};

use snapbox::assert::Action;
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
pub(crate) struct Reference {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
}

impl Reference {
    fn whole(&self, text: &str) -> String {
        let made =
            "Made from the code by `SNAPSHOTS=overwrite cargo test --test reference`; change it there.";
        format!("# {}\n\n{made}\n\n{}\n", self.title, text.trim_end())
    }

    fn path(&self) -> String {
        format!("docs/reference/{}.md", self.name)
    }

    pub(crate) fn assert(&self, text: &str) {
        assert_file(&self.whole(text), &self.path());
    }

    /// That the very comparison of [`Self::assert`] takes the program as it is, and sees it when one thing is another there.
    pub(crate) fn assert_notices(&self, is: &str, would_be: &str) {
        let compare = |text: &str| {
            let committed = Data::read_from(&at(&self.path()), Some(DataFormat::Text)).raw();
            Assert::new().action(Action::Verify).try_eq(None, Data::text(self.whole(text)).raw(), committed)
        };
        compare(is).unwrap_or_else(|e| panic!("{} is not what is committed: {e}", self.name));
        assert!(compare(would_be).is_err(), "a change passes {} unseen", self.name);
    }
}

/// A row of a table: what would end a cell is escaped.
pub(crate) fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |\n", cells.join(" | "))
}

pub(crate) fn head(cells: &[&str]) -> String {
    format!("{}|{}\n", row(cells), "---|".repeat(cells.len()))
}
