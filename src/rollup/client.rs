//! The way to ClickHouse: one client of the `clickhouse` crate, set up as measured, with every wait bounded and every error
//! turned into a [`Failure`] that says whether to try again.
//!
//! Nagle is off: with it every insert up to 10,000 rows waits 50 ms for an acknowledgement.

use std::time::Duration;

use clickhouse::error::Error;
use clickhouse::{RowOwned, RowRead, RowWrite};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::Failure;
use super::rows::Columns;
use crate::limits::{CLICKHOUSE_ANSWER_MS, CLICKHOUSE_CONNECT_MS, CLICKHOUSE_IDLE_MS, CLICKHOUSE_SEND_MS};

/// Where ClickHouse is, and as whom to speak.
#[derive(Clone)]
pub struct Server {
    /// Of its HTTP interface, `http://host:8123`.
    pub url: String,
    pub database: String,
    pub user: String,
    pub password: String,
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For one piece of an insert to leave.
    pub send: Duration,
    /// For an answer.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(CLICKHOUSE_CONNECT_MS),
            send: Duration::from_millis(CLICKHOUSE_SEND_MS),
            answer: Duration::from_millis(CLICKHOUSE_ANSWER_MS),
        }
    }
}

/// A client for one database. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: clickhouse::Client,
    database: String,
    timeouts: Timeouts,
}

impl Client {
    #[must_use]
    pub fn new(server: &Server, timeouts: Timeouts) -> Self {
        let http = transport(server.url.starts_with("https:"), timeouts.connect)
            .with_url(&server.url)
            .with_user(&server.user)
            .with_password(&server.password)
            .with_database(&server.database);
        Self { http, database: server.database.clone(), timeouts }
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// For queries with parameters of the caller's own; bound them with a timeout.
    #[must_use]
    pub fn raw(&self) -> &clickhouse::Client {
        &self.http
    }

    /// Whether the server answers, database or not.
    ///
    /// # Errors
    /// As it does not.
    pub async fn ping(&self) -> Result<(), Failure> {
        self.without_database("SELECT 1").await
    }

    /// Runs a statement that gives no rows.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn execute(&self, sql: &str) -> Result<(), Failure> {
        self.answered(self.http.query_raw(sql).execute()).await
    }

    /// Makes the database if it is not there.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn create_database(&self) -> Result<(), Failure> {
        let name = self.database.replace('\\', "\\\\").replace('`', "\\`");
        self.without_database(&format!("CREATE DATABASE IF NOT EXISTS `{name}`")).await
    }

    /// A statement that does not rely on the database: it may not be there yet.
    async fn without_database(&self, sql: &str) -> Result<(), Failure> {
        let anywhere = self.http.clone().with_database("default");
        self.answered(anywhere.query_raw(sql).execute()).await
    }

    /// All rows of a query that gives few.
    ///
    /// # Errors
    /// As ClickHouse has it.
    pub async fn rows<R: RowOwned + RowRead>(&self, sql: &str) -> Result<Vec<R>, Failure> {
        self.answered(self.http.query_raw(sql).fetch_all::<R>()).await
    }

    /// Inserts rows as one block. On an error the rows may be there or not.
    ///
    /// # Errors
    /// As ClickHouse has it; [`Failure::verdict`] says how soon to try again.
    pub async fn insert<R>(&self, rows: &[R]) -> Result<(), Failure>
    where
        R: Columns + RowOwned + RowWrite,
    {
        let insert = self.answered(self.http.insert::<R>(R::TABLE)).await?;
        // An insert answers when its rows are on disk, and a repeat is written again: versions decide, not block hashes.
        let mut insert = insert
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "0")
            .with_timeouts(Some(self.timeouts.send), Some(self.timeouts.answer));
        for row in rows {
            insert.write(row).await.map_err(failure)?;
        }
        insert.end().await.map_err(failure)
    }

    /// Reads the tables' columns anew at the next insert: somebody may have migrated meanwhile.
    pub async fn forget_schema(&self) {
        self.http.clear_cached_metadata().await;
    }

    /// The client has no timeout of its own for queries.
    async fn answered<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        match timeout(self.timeouts.answer, answer).await {
            Ok(answer) => answer.map_err(failure),
            Err(_) => Err(Failure::timeout(format!("no answer in {:?}", self.timeouts.answer))),
        }
    }
}

/// A client over connections of the kind that the URL asks for.
fn transport(tls: bool, connect: Duration) -> clickhouse::Client {
    let mut pool = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    pool.pool_idle_timeout(Duration::from_millis(CLICKHOUSE_IDLE_MS));
    let plain = connector(connect);
    if !tls {
        return clickhouse::Client::with_http_client(pool.build(plain));
    }
    match trusting(plain.clone()) {
        Ok(secured) => clickhouse::Client::with_http_client(pool.build(secured)),
        Err(error) => {
            tracing::error!(%error, "this machine has no root certificates, so no server can be trusted: install them");
            clickhouse::Client::with_http_client(pool.build(plain))
        }
    }
}

/// Trusts whom the machine trusts.
fn trusting(mut connector: HttpConnector) -> std::io::Result<HttpsConnector<HttpConnector>> {
    connector.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_native_roots()?;
    Ok(builder.https_only().enable_http1().wrap_connector(connector))
}

fn connector(connect: Duration) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(connect));
    connector.set_keepalive(Some(Duration::from_mins(1)));
    connector
}

/// What the client's error means.
fn failure(error: Error) -> Failure {
    let text = with_sources(&error);
    match error {
        Error::BadResponse(text) => Failure::answer(text),
        Error::TimedOut => Failure::timeout("no answer in time"),
        Error::SchemaMismatch(_) | Error::InvalidColumnsHeader(_) => Failure::schema(text),
        // What came was cut off or damaged under way: as good as no answer.
        Error::Network(_) | Error::Decompression(_) | Error::NotEnoughData | Error::Other(_) => {
            Failure::network(text)
        }
        _ => Failure::client(text),
    }
}

/// The error with its causes: its own text often says no more than `client error`.
fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
