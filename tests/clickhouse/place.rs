//! Where a test runs: on a real server when `TIDEGAUGE_CLICKHOUSE_URL` names one, else on an engine of its own. Without
//! either the test says SKIPPED.

use std::sync::atomic::{AtomicU32, Ordering};

use tidegauge::rollup::migrate::{MIGRATIONS, migrate};
use tidegauge::rollup::{Client, Server, Timeouts};

use crate::engine::Engine;

/// Says why a test has not run, and ends it.
macro_rules! skipped {
    ($($why:tt)*) => {{
        println!("SKIPPED: {}", format_args!($($why)*));
        return;
    }};
}
pub(crate) use skipped;

/// The named server, if there is one.
pub(crate) fn server_url() -> Option<String> {
    std::env::var_os("TIDEGAUGE_CLICKHOUSE_URL").map(|url| url.into_string().expect("a URL is text"))
}

/// A place to test on: keeps the engine running as long as it lives.
pub(crate) struct Place {
    server: Server,
    _engine: Option<Engine>,
}

impl Place {
    /// A new database on the named server or on an engine of its own; `None` when there is neither.
    pub(crate) fn find() -> Option<Self> {
        if let Some(url) = server_url() {
            return Some(Self { server: server(url), _engine: None });
        }
        let engine = Engine::start()?;
        Some(Self { server: server(engine.url.clone()), _engine: Some(engine) })
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.server, Timeouts::default())
    }

    /// A client whose tables are there.
    pub(crate) async fn migrated(&self) -> Client {
        let client = self.client();
        migrate(&client, &MIGRATIONS).await.expect("migrations apply");
        client
    }
}

/// As the default user, in a database that no other test has.
pub(crate) fn server(url: String) -> Server {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let database = format!("tidegauge_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let password = std::env::var_os("TIDEGAUGE_CLICKHOUSE_PASSWORD").unwrap_or_default();
    Server { url, database, user: "default".to_owned(), password: password.into_string().expect("text") }
}
