//! The blocking side: one connection a request, set up, used for one statement, closed, all on one thread.
//!
//! Invariant: an INSERT is finished only by [`Piece::End`], which its feeder sends only after the whole body was
//! read and proved. Whatever else ends the pieces (a client that went away, a damaged block) cancels it.

use tokio::sync::mpsc::Receiver;

use super::answer::Refusal;
use super::ffi::{Answer, Connection, Engine};
use super::request::Statement;

/// One step of an INSERT's data.
pub(super) enum Piece {
    Data(bytes::Bytes),
    End,
}

pub(super) fn query(engine: &'static Engine, statement: &Statement) -> Result<Answer, Refusal> {
    let mut connection = connect(engine, statement)?;
    connection.query(&statement.sql, &statement.format, &statement.parameters).map_err(Refusal::Engine)
}

pub(super) fn insert(
    engine: &'static Engine,
    statement: &Statement,
    mut pieces: Receiver<Piece>,
) -> Result<Answer, Refusal> {
    let mut connection = connect(engine, statement)?;
    let mut insert = connection.insert(&statement.sql, &statement.format).map_err(Refusal::Engine)?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Data(bytes)) => insert.append(&bytes).map_err(Refusal::Engine)?,
            Some(Piece::End) => return insert.finish().map_err(Refusal::Engine),
            None => return Err(Refusal::Cut("its sender is gone".to_owned())),
        }
    }
}

fn connect(engine: &'static Engine, statement: &Statement) -> Result<Connection, Refusal> {
    let mut connection = engine.connect()?;
    for sql in preparations(statement) {
        connection.query(&sql, "Null", &[]).map_err(Refusal::Engine)?;
    }
    Ok(connection)
}

/// Database first: one of the settings may be `readonly`.
fn preparations(statement: &Statement) -> impl Iterator<Item = String> {
    let database = statement.database.as_ref().map(|name| format!("USE {}", quoted(name, '`')));
    let settings: Vec<_> =
        statement.settings.iter().map(|(name, value)| format!("{name} = {}", quoted(value, '\''))).collect();
    let settings = (!settings.is_empty()).then(|| format!("SET {}", settings.join(", ")));
    database.into_iter().chain(settings)
}

fn quoted(text: &str, quote: char) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|letter| (letter == quote || letter == '\\').then_some('\\').into_iter().chain([letter]))
        .collect();
    format!("{quote}{escaped}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_cannot_leave_their_quotes() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let statement = Statement {
            database: Some("a`b".to_owned()),
            settings: vec![pair("max_threads", "2"), pair("log_comment", r"it's \ here")],
            ..Statement::default()
        };
        let expected = [r"USE `a\`b`", r"SET max_threads = '2', log_comment = 'it\'s \\ here'"];
        assert_eq!(preparations(&statement).collect::<Vec<_>>(), expected);
    }
}
