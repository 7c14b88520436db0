//! A request as ClickHouse's HTTP interface has it → one statement to run.
//!
//! Invariant: what cannot be honoured is refused, never ignored, where a program could rely on it (sessions, roles,
//! packed answers); and names that become SQL (settings) are checked to be names.

use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Query};
use axum::http::{HeaderMap, Method, Request, header};

use super::answer::Refusal;

/// Longest text of a statement. Data of an INSERT that come as a body of their own are streamed and have no limit.
pub(super) const SQL_BYTES_MAX: usize = 16 << 20;
const FORMAT_DEFAULT: &str = "TabSeparated";

/// A statement with all that it depends on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sql: String,
    /// Of the answer, unless the SQL names one; of the data for an INSERT with a body.
    pub(super) format: String,
    pub(super) database: Option<String>,
    pub(super) settings: Vec<(String, String)>,
    /// Values for `{name:Type}` in the SQL.
    pub(super) parameters: Vec<(String, String)>,
}

/// What there is to do.
pub(super) enum Job {
    Query(Statement),
    Insert { statement: Statement, data: Body, packing: Packing },
}

/// How the data of an INSERT come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Packing {
    #[default]
    Plain,
    /// `decompress=1`: blocks of [`super::blocks`].
    Blocks,
}

/// Reads a request up to the data of an INSERT.
pub(super) async fn read(request: Request<Body>) -> Result<Job, Refusal> {
    let Url { query, mut statement, packing } = Url::read(&request)?;
    if is_multipart(request.headers()) {
        let in_body = read_multipart(request, &mut statement).await?;
        statement.sql = join(query, in_body);
        return Ok(Job::Query(statement));
    }
    if let Some((sql, format)) = query.as_deref().and_then(split_insert) {
        if !statement.parameters.is_empty() {
            return Err(Refusal::NotOffered(
                "parameters of an INSERT with a body are not offered here".to_owned(),
            ));
        }
        (statement.sql, statement.format) = (sql.to_owned(), format.to_owned());
        return Ok(Job::Insert { statement, data: request.into_body(), packing });
    }
    if packing == Packing::Blocks {
        let text = "decompress=1 is offered for INSERT … FORMAT … in `query` with the data as the body only";
        return Err(Refusal::NotOffered(text.to_owned()));
    }
    statement.sql = join(query, read_text(request.into_body()).await?);
    Ok(Job::Query(statement))
}

/// What the URL says.
#[derive(Default)]
struct Url {
    query: Option<String>,
    statement: Statement,
    packing: Packing,
}

impl Url {
    fn read(request: &Request<Body>) -> Result<Self, Refusal> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(request.uri())
            .map_err(|error| Refusal::Request(format!("the URL's query is not readable: {error}")))?;
        let statement = Statement { format: FORMAT_DEFAULT.to_owned(), ..Statement::default() };
        let mut url = Self { statement, ..Self::default() };
        for (name, value) in pairs.0 {
            url.take(name, value)?;
        }
        if request.method() == Method::GET {
            // As servers do: a link that is followed changes nothing.
            url.statement.settings.push(("readonly".to_owned(), "2".to_owned()));
        }
        Ok(url)
    }

    fn take(&mut self, name: String, value: String) -> Result<(), Refusal> {
        let statement = &mut self.statement;
        match name.as_str() {
            "query" => self.query = Some(value),
            "database" => statement.database = (!value.is_empty()).then_some(value),
            "default_format" => statement.format = value,
            "decompress" if is_on(&value) => self.packing = Packing::Blocks,
            "compress" | "session_id" | "role" if is_on(&value) => {
                return Err(Refusal::NotOffered(format!(
                    "`{name}` is not offered by this endpoint: use a ClickHouse server"
                )));
            }
            // Who asks does not matter here, answers are always whole, and answers are never packed.
            "user"
            | "password"
            | "quota_key"
            | "query_id"
            | "decompress"
            | "compress"
            | "session_id"
            | "role"
            | "wait_end_of_query"
            | "buffer_size"
            | "enable_http_compression"
            | "client_protocol_version" => {}
            _ => self.take_named(name, value)?,
        }
        Ok(())
    }

    fn take_named(&mut self, name: String, value: String) -> Result<(), Refusal> {
        if let Some(parameter) = name.strip_prefix("param_") {
            self.statement.parameters.push((parameter.to_owned(), value));
        } else if is_name(&name) {
            self.statement.settings.push((name, value));
        } else {
            return Err(Refusal::Request(format!("`{name}` in the URL is not the name of a setting")));
        }
        Ok(())
    }
}

fn is_on(value: &str) -> bool {
    !matches!(value, "" | "0" | "false")
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_multipart(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("multipart/form-data"))
}

/// The fields of a form: `query`, and `param_NAME` for each parameter.
async fn read_multipart(request: Request<Body>, statement: &mut Statement) -> Result<String, Refusal> {
    let bad = |error: &dyn std::fmt::Display| Refusal::Request(format!("the form is not readable: {error}"));
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| bad(&error))?;
    let mut sql = String::new();
    while let Some(field) = form.next_field().await.map_err(|error| bad(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let value = field.text().await.map_err(|error| bad(&error))?;
        match (name.as_str(), name.strip_prefix("param_")) {
            ("query", _) => sql = value,
            (_, Some(parameter)) => statement.parameters.push((parameter.to_owned(), value)),
            _ => {
                return Err(Refusal::NotOffered(format!(
                    "the form's field `{name}`: external tables are not offered here"
                )));
            }
        }
    }
    Ok(sql)
}

async fn read_text(body: Body) -> Result<String, Refusal> {
    let bytes =
        axum::body::to_bytes(body, SQL_BYTES_MAX).await.map_err(|error| Refusal::Cut(error.to_string()))?;
    let not_text = "the statement is not UTF-8: binary data go into a body of their own, with INSERT … FORMAT … in `query`";
    String::from_utf8(bytes.into()).map_err(|_| Refusal::Request(not_text.to_owned()))
}

/// The URL's part of a statement comes first, the body continues it.
fn join(query: Option<String>, body: String) -> String {
    match query {
        Some(query) if body.is_empty() => query,
        Some(query) => query + "\n" + &body,
        None => body,
    }
}

/// An INSERT that ends in `FORMAT name` awaits its data: → the statement without that clause, and the name.
fn split_insert(sql: &str) -> Option<(&str, &str)> {
    let sql = sql.trim();
    let verb = sql.split_ascii_whitespace().next()?;
    let (rest, format) = sql.rsplit_once(|letter: char| letter.is_ascii_whitespace())?;
    let (rest, keyword) =
        rest.trim_end().rsplit_once(|letter: char| letter.is_ascii_whitespace() || letter == ')')?;
    let awaits_data =
        verb.eq_ignore_ascii_case("INSERT") && keyword.eq_ignore_ascii_case("FORMAT") && is_name(format);
    awaits_data.then(|| (&sql[..=rest.len()], format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_that_awaits_data_is_told_from_one_that_does_not() {
        let cases = [
            ("INSERT INTO t(a, b) FORMAT RowBinary", Some(("INSERT INTO t(a, b) ", "RowBinary"))),
            ("insert into t (a)format CSV ", Some(("insert into t (a)", "CSV"))),
            ("INSERT INTO t\nFORMAT\n JSONEachRow\n", Some(("INSERT INTO t\n", "JSONEachRow"))),
            ("INSERT INTO t VALUES (1)", None),
            ("INSERT INTO t SELECT 1", None),
            ("INSERT INTO t FORMAT CSV 1,2", None),
            ("SELECT 1 FORMAT CSV", None),
            ("INSERT", None),
            ("", None),
        ];
        for (sql, expected) in cases {
            assert_eq!(split_insert(sql), expected, "{sql}");
        }
    }

    fn url(text: &str) -> Result<Statement, Refusal> {
        Url::read(&Request::builder().method("POST").uri(text).body(Body::empty()).unwrap())
            .map(|url| url.statement)
    }

    #[test]
    fn settings_and_parameters_are_told_from_the_interfaces_own_words() {
        let statement =
            url("/?database=d&default_format=CSV&max_threads=2&param_card=7&user=u&decompress=0").unwrap();
        let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!((statement.database.as_deref(), statement.format.as_str()), (Some("d"), "CSV"));
        assert_eq!((statement.settings, statement.parameters), (pair("max_threads", "2"), pair("card", "7")));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        for text in ["/?session_id=s", "/?compress=1", "/?role=r", "/?a%3D1%2C%20b=1"] {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
