//! Whether the tables are as this program writes them, asked at start until ClickHouse answers: a wrong column is named
//! before a row is lost sight of in retries.
//!
//! Invariant: what is missing, of another type or of another engine holds the rollup up until it is set right; what is there
//! beside is a newer program's and does no harm, if it has a default.

use std::collections::BTreeMap;

use super::rows::{Activation, Alert, CardDay, CardMonth, Columns, Lifecycle, Quarantine, UsageRecord};

/// A table as the program writes it.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, &'static str)],
}

/// The tables that are written.
pub const TABLES: [Table; 7] = [
    table::<CardMonth>(),
    table::<CardDay>(),
    table::<Alert>(),
    table::<Activation>(),
    table::<Lifecycle>(),
    table::<Quarantine>(),
    table::<UsageRecord>(),
];

const fn table<R: Columns>() -> Table {
    Table { name: R::TABLE, columns: R::COLUMNS }
}

/// A table as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundTable {
    pub engine: String,
    pub columns: BTreeMap<String, FoundColumn>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundColumn {
    pub kind: String,
    pub has_default: bool,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaProblem {
    #[error("table {table} is not there")]
    NoTable { table: &'static str },
    #[error(
        "table {table} has the engine {found}, a ReplacingMergeTree is expected: repeats would count twice"
    )]
    Engine { table: &'static str, found: String },
    #[error("table {table} has no column {column} ({expected})")]
    NoColumn { table: &'static str, column: &'static str, expected: &'static str },
    #[error("table {table}, column {column}: {expected} is expected, {found} was found")]
    Type { table: &'static str, column: &'static str, expected: &'static str, found: String },
    #[error("table {table}, column {column} ({found}) is not known to this program and has no DEFAULT")]
    NoDefault { table: &'static str, column: String, found: String },
}

/// Why the rollup does not start yet.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[cfg(feature = "full")]
    #[error("cannot read the schema of database {database}: {failure}")]
    Server { database: String, failure: super::Failure },
    #[error(
        "the tables in database {database} are not those of this program: {}; run `tidegauge migrate`, or set the columns right by hand",
        list(problems)
    )]
    Wrong { database: String, problems: Vec<SchemaProblem> },
}

fn list(problems: &[SchemaProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Everything that is wrong, in the order of [`TABLES`].
#[must_use]
pub fn problems(found: &BTreeMap<String, FoundTable>) -> Vec<SchemaProblem> {
    TABLES.iter().flat_map(|table| table_problems(table, found.get(table.name))).collect()
}

fn table_problems(table: &Table, found: Option<&FoundTable>) -> Vec<SchemaProblem> {
    let Some(found) = found else { return vec![SchemaProblem::NoTable { table: table.name }] };
    let mut problems: Vec<_> = engine_problem(table, found).into_iter().collect();
    problems.extend(table.columns.iter().filter_map(|column| column_problem(table, *column, found)));
    problems.extend(found.columns.iter().filter_map(|(name, column)| surplus_problem(table, name, column)));
    problems
}

/// `Replicated…` and `Shared…` are as good.
fn engine_problem(table: &Table, found: &FoundTable) -> Option<SchemaProblem> {
    let wrong = !found.engine.ends_with("ReplacingMergeTree");
    wrong.then(|| SchemaProblem::Engine { table: table.name, found: found.engine.clone() })
}

fn column_problem(
    table: &Table,
    (column, expected): (&'static str, &'static str),
    found: &FoundTable,
) -> Option<SchemaProblem> {
    let table = table.name;
    match found.columns.get(column) {
        None => Some(SchemaProblem::NoColumn { table, column, expected }),
        Some(found) if found.kind != expected => {
            Some(SchemaProblem::Type { table, column, expected, found: found.kind.clone() })
        }
        Some(_) => None,
    }
}

fn surplus_problem(table: &Table, name: &str, found: &FoundColumn) -> Option<SchemaProblem> {
    let known = table.columns.iter().any(|(column, _)| *column == name);
    (!known && !found.has_default).then(|| SchemaProblem::NoDefault {
        table: table.name,
        column: name.to_owned(),
        found: found.kind.clone(),
    })
}

#[cfg(feature = "full")]
mod ask {
    use super::{BTreeMap, FoundColumn, FoundTable, SchemaError, problems};
    use crate::rollup::{Client, Failure};

    impl From<SchemaError> for Failure {
        fn from(error: SchemaError) -> Self {
            match error {
                SchemaError::Server { failure, .. } => failure,
                wrong @ SchemaError::Wrong { .. } => Self::schema(wrong.to_string()),
            }
        }
    }

    /// Compares the tables with what the program writes.
    ///
    /// # Errors
    /// ClickHouse does not answer, or the tables are wrong: all that is wrong is named.
    pub async fn check_schema(client: &Client) -> Result<(), SchemaError> {
        let database = client.database().to_owned();
        match found(client).await {
            Err(failure) => Err(SchemaError::Server { database, failure }),
            Ok(found) => match problems(&found) {
                problems if problems.is_empty() => Ok(()),
                problems => Err(SchemaError::Wrong { database, problems }),
            },
        }
    }

    async fn found(client: &Client) -> Result<BTreeMap<String, FoundTable>, Failure> {
        let sql = "SELECT t.name, t.engine, c.name, c.type, c.default_kind FROM system.tables AS t \
                   INNER JOIN system.columns AS c ON c.database = t.database AND c.table = t.name \
                   WHERE t.database = currentDatabase()";
        let mut tables = BTreeMap::<String, FoundTable>::new();
        for (table, engine, column, kind, default) in
            client.rows::<(String, String, String, String, String)>(sql).await?
        {
            let table = tables.entry(table).or_default();
            table.engine = engine;
            table.columns.insert(column, FoundColumn { kind, has_default: !default.is_empty() });
        }
        Ok(tables)
    }
}

#[cfg(feature = "full")]
pub use ask::check_schema;

#[cfg(test)]
mod tests {
    use super::*;

    fn right() -> BTreeMap<String, FoundTable> {
        let column = |(name, kind): &(&str, &str)| {
            ((*name).to_owned(), FoundColumn { kind: (*kind).to_owned(), has_default: false })
        };
        let found = |table: &Table| FoundTable {
            engine: "ReplacingMergeTree".to_owned(),
            columns: table.columns.iter().map(column).collect(),
        };
        TABLES.iter().map(|table| (table.name.to_owned(), found(table))).collect()
    }

    fn problem_after(change: impl FnOnce(&mut BTreeMap<String, FoundTable>)) -> String {
        let mut found = right();
        change(&mut found);
        list(&problems(&found))
    }

    fn card_day(found: &mut BTreeMap<String, FoundTable>) -> &mut FoundTable {
        found.get_mut("card_day").unwrap()
    }

    #[test]
    fn the_right_tables_have_no_problem() {
        assert_eq!(problem_after(|_| ()), "");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(problem_after(|found| drop(found.remove("alerts"))), "table alerts is not there");
        assert_eq!(
            problem_after(|found| card_day(found).columns.get_mut("used").unwrap().kind = "UInt32".to_owned()),
            "table card_day, column used: UInt64 is expected, UInt32 was found"
        );
        assert_eq!(
            problem_after(|found| drop(card_day(found).columns.remove("used"))),
            "table card_day has no column used (UInt64)"
        );
        assert_eq!(
            problem_after(|found| card_day(found).engine = "MergeTree".to_owned()),
            "table card_day has the engine MergeTree, a ReplacingMergeTree is expected: repeats would count twice"
        );
    }

    #[test]
    fn a_surplus_column_needs_a_default() {
        let add = |has_default| {
            problem_after(|found| {
                let column = FoundColumn { kind: "UInt8".to_owned(), has_default };
                card_day(found).columns.insert("extra".to_owned(), column);
            })
        };
        assert_eq!(add(true), "");
        assert_eq!(
            add(false),
            "table card_day, column extra (UInt8) is not known to this program and has no DEFAULT"
        );
    }

    #[test]
    fn replicated_engines_are_as_good() {
        let replicated = |found: &mut BTreeMap<String, FoundTable>| {
            card_day(found).engine = "ReplicatedReplacingMergeTree".to_owned();
        };
        assert_eq!(problem_after(replicated), "");
    }
}
