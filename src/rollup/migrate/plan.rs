//! Which migrations are to be applied: those that the database has not recorded, in their order.
//!
//! Invariant: what was applied does not change. A migration whose text is another than the one recorded is refused: edit
//! history and two databases with the same number differ for ever.

/// One numbered text of `schemas/clickhouse/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    pub number: u32,
    /// The file's name without `.sql`.
    pub name: &'static str,
    pub sql: &'static str,
}

/// All of them, in order.
pub const MIGRATIONS: [Migration; 4] = [
    Migration {
        number: 1,
        name: "0001_rollups",
        sql: include_str!("../../../schemas/clickhouse/0001_rollups.sql"),
    },
    Migration {
        number: 2,
        name: "0002_history",
        sql: include_str!("../../../schemas/clickhouse/0002_history.sql"),
    },
    Migration {
        number: 3,
        name: "0003_usage_records",
        sql: include_str!("../../../schemas/clickhouse/0003_usage_records.sql"),
    },
    Migration {
        number: 4,
        name: "0004_carrier_state",
        sql: include_str!("../../../schemas/clickhouse/0004_carrier_state.sql"),
    },
];

impl Migration {
    /// xxh3-128 of the text, 32 hexadecimal digits.
    #[must_use]
    pub fn checksum(&self) -> String {
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128(self.sql.as_bytes()))
    }
}

/// A migration as the database has recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub number: u32,
    pub name: String,
    pub checksum: String,
}

/// Why the migrations at hand do not fit the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(
        "migration {name} was applied with checksum {recorded}, the program has {found}: an applied migration must not \
         change; restore its text and add a new one"
    )]
    Changed { name: &'static str, recorded: String, found: String },
    #[error(
        "migration {missing} was never applied, though the later {later} was: another program's numbers? \
         Nothing was changed; use a database of its own"
    )]
    Gap { missing: &'static str, later: String },
}

/// What is left to apply. Numbers beyond the known ones are a newer program's: its columns have defaults, so this one
/// goes on writing.
///
/// # Errors
/// A changed text, or a hole.
pub fn plan<'a>(known: &'a [Migration], recorded: &[Recorded]) -> Result<Vec<&'a Migration>, PlanError> {
    let mut left = Vec::new();
    for migration in known {
        match recorded.iter().find(|r| r.number == migration.number) {
            Some(applied) => unchanged(migration, applied)?,
            None => left.push(migration),
        }
    }
    match left.first().and_then(|first| Some((first, later_than(first.number, recorded)?))) {
        Some((first, later)) => Err(PlanError::Gap { missing: first.name, later: later.name.clone() }),
        None => Ok(left),
    }
}

fn unchanged(migration: &Migration, recorded: &Recorded) -> Result<(), PlanError> {
    let found = migration.checksum();
    if found == recorded.checksum {
        return Ok(());
    }
    Err(PlanError::Changed { name: migration.name, recorded: recorded.checksum.clone(), found })
}

fn later_than(number: u32, recorded: &[Recorded]) -> Option<&Recorded> {
    recorded.iter().find(|r| r.number > number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration = Migration { number: 1, name: "0001_one", sql: "CREATE 1" };
    const TWO: Migration = Migration { number: 2, name: "0002_two", sql: "CREATE 2" };

    fn recorded(migration: &Migration) -> Recorded {
        Recorded { number: migration.number, name: migration.name.to_owned(), checksum: migration.checksum() }
    }

    #[test]
    fn what_is_not_recorded_is_left_in_order() {
        assert_eq!(plan(&[ONE, TWO], &[]), Ok(vec![&ONE, &TWO]));
        assert_eq!(plan(&[ONE, TWO], &[recorded(&ONE)]), Ok(vec![&TWO]));
        assert_eq!(plan(&[ONE, TWO], &[recorded(&TWO), recorded(&ONE)]), Ok(vec![]));
    }

    #[test]
    fn a_newer_programs_migrations_are_left_alone() {
        assert_eq!(plan(&[ONE], &[recorded(&ONE), recorded(&TWO)]), Ok(vec![]));
    }

    #[test]
    fn a_changed_text_is_refused_by_name() {
        let edited = Migration { sql: "CREATE 1 ", ..ONE };
        let error = plan(&[edited, TWO], &[recorded(&ONE)]).unwrap_err().to_string();
        assert!(error.contains("0001_one") && error.contains(&ONE.checksum()), "{error}");
    }

    #[test]
    fn a_hole_is_refused() {
        let gap = PlanError::Gap { missing: "0001_one", later: "0002_two".to_owned() };
        assert_eq!(plan(&[ONE, TWO], &[recorded(&TWO)]), Err(gap));
    }

    #[test]
    fn the_directory_and_the_list_are_the_same() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/clickhouse");
        let files =
            std::fs::read_dir(directory).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = files.collect();
        files.sort();
        let listed: Vec<_> = MIGRATIONS.iter().map(|m| format!("{}.sql", m.name)).collect();
        assert_eq!(files, listed);
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.number as usize, at + 1);
            assert!(migration.name.starts_with(&format!("{:04}_", at + 1)), "{}", migration.name);
        }
    }

    #[test]
    fn a_column_added_later_has_a_default_so_that_an_older_program_goes_on_writing() {
        for migration in MIGRATIONS {
            for line in migration.sql.lines().filter(|line| line.contains("ADD COLUMN")) {
                assert!(
                    line.contains("IF NOT EXISTS") && line.contains(" DEFAULT "),
                    "{}: {line}",
                    migration.name
                );
            }
        }
    }
}
