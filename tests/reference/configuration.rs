//! `docs/reference/configuration.md`, of the keys that `config schema` prints.

use std::fmt::Write as _;

use tidegauge::config::said::{KEYS, Key};

use crate::{Reference, head, row};

const INTRODUCTION: &str = "\
`tidegauge.toml`, then `/etc/tidegauge/tidegauge.toml`, or the file that `--config` or `TIDEGAUGE_CONFIG` names. Variables win
over the file; `TIDEGAUGE__KAFKA__BROKERS` is the same as `TIDEGAUGE_KAFKA_BROKERS`. All errors of file and variables are told
at once, with line and column, and a key that does not exist is one; then what is wrong in the file of `api.tokens`, and with
`log.level`. A variable that no key has is a warning. `tidegauge config check` looks and says what it has read, `config show`
prints what is meant, without secrets; `config schema --toml` makes a file to begin with. What the meter goes by (carriers, plans,
rules) is not here but in the [catalogue](catalogue.md).

";

const REFERENCE: Reference = Reference { name: "configuration", title: "Configuration" };

fn text(keys: &[Key]) -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut section = None;
    for key in keys {
        let of = key.name.rsplit_once('.').map_or("", |(of, _)| of);
        if section != Some(of) {
            let title = match of {
                "" => "Top level".to_owned(),
                list if list.ends_with("[]") => format!("[[{}]]", list.trim_end_matches("[]")),
                table => format!("[{table}]"),
            };
            write!(text, "\n## {title}\n\n{}", head(&["key", "what", "default", "variable", "meaning"]))
                .expect("a string");
            section = Some(of);
        }
        let name = key.name.rsplit('.').next().unwrap_or_default();
        let variable = format!("`TIDEGAUGE_{}`", key.name.to_uppercase().replace('.', "_"));
        let variable = if of.ends_with("[]") { "" } else { &variable };
        text += &row(&[&format!("`{name}`"), key.kind, key.default, variable, key.means]);
    }
    text
}

#[test]
fn configuration() {
    REFERENCE.assert(&text(KEYS));
}

#[test]
fn a_key_that_changes_is_noticed() {
    for change in [
        |key: &mut Key| key.name = "other",
        |key: &mut Key| key.kind = "something else",
        |key: &mut Key| key.default = "something else",
        |key: &mut Key| key.means = "something else",
    ] {
        let mut keys = KEYS.to_vec();
        change(&mut keys[0]);
        REFERENCE.assert_notices(&text(KEYS), &text(&keys));
    }
    REFERENCE.assert_notices(&text(KEYS), &text(&KEYS[1..]));
}
