//! The program's own log: text on a terminal, JSON otherwise, always on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, ConfigError, LogFormat};

/// What is logged.
///
/// # Errors
/// A filter that cannot be read.
pub(super) fn filter(config: &Config) -> Result<EnvFilter, ConfigError> {
    EnvFilter::try_new(&config.log_level).map_err(|e| ConfigError::Value {
        key: "log.level",
        problem: format!("{:?} is no filter such as \"info,tidegauge::worker=debug\": {e}", config.log_level),
    })
}

/// Starts logging. Once a process.
///
/// # Errors
/// A filter that cannot be read.
pub(super) fn start(config: &Config) -> Result<(), ConfigError> {
    let filter = filter(config)?;
    let terminal = std::io::stderr().is_terminal();
    let format = config.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(terminal).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
