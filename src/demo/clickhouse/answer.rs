//! What goes back to the client: rows, or an exception with the code and status that a ClickHouse server would give.
//!
//! Invariant: a client can tell what to retry. Every failure carries `X-ClickHouse-Exception-Code` and a body of the
//! form `Code: N. DB::Exception: …`, the engine's own when it spoke.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};

use super::blocks::BlockError;
use super::ffi::{Answer, EngineError, Exception};

const SUMMARY: HeaderName = HeaderName::from_static("x-clickhouse-summary");
const FORMAT: HeaderName = HeaderName::from_static("x-clickhouse-format");
const EXCEPTION_CODE: HeaderName = HeaderName::from_static("x-clickhouse-exception-code");

/// Numbers of ClickHouse's `ErrorCodes` that are given out here.
mod code {
    pub(super) const CANNOT_PARSE_TEXT: u16 = 6;
    pub(super) const BAD_ARGUMENTS: u16 = 36;
    pub(super) const CHECKSUM_DOESNT_MATCH: u16 = 40;
    pub(super) const NOT_IMPLEMENTED: u16 = 48;
    pub(super) const CANNOT_DECOMPRESS: u16 = 271;
    pub(super) const UNKNOWN_EXCEPTION: u16 = 1002;
}

/// Why a request got no rows.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Engine(Exception),
    #[error("{0}")]
    NotOffered(String),
    #[error("{0}")]
    Request(String),
    #[error("{0}")]
    Blocks(#[from] BlockError),
    #[error("the body broke off, the insert was cancelled: {0}")]
    Cut(String),
    #[error("{0}")]
    Unavailable(#[from] EngineError),
    #[error("the request's thread panicked: see standard error")]
    Panicked,
}

impl Refusal {
    fn code(&self) -> u16 {
        match self {
            Self::Engine(exception) => exception_code(exception).unwrap_or(code::UNKNOWN_EXCEPTION),
            Self::NotOffered(_) => code::NOT_IMPLEMENTED,
            Self::Request(_) => code::BAD_ARGUMENTS,
            Self::Blocks(BlockError::Checksum { .. }) => code::CHECKSUM_DOESNT_MATCH,
            Self::Blocks(_) => code::CANNOT_DECOMPRESS,
            Self::Cut(_) => code::CANNOT_PARSE_TEXT,
            Self::Unavailable(_) | Self::Panicked => code::UNKNOWN_EXCEPTION,
        }
    }

    fn message(&self, code: u16) -> String {
        let text = self.to_string();
        // The engine may put words of its own before the part that servers send.
        match text.find("Code: ") {
            Some(start) if matches!(self, Self::Engine(_)) => text[start..].trim_end().to_owned() + "\n",
            _ => format!("Code: {code}. DB::Exception: {text}\n"),
        }
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let code = self.code();
        let mut response = Response::new(Body::from(self.message(code)));
        *response.status_mut() = status(code);
        response.headers_mut().insert(EXCEPTION_CODE, HeaderValue::from(code));
        response
    }
}

/// The number in `Code: 60. DB::Exception: …`.
fn exception_code(exception: &str) -> Option<u16> {
    let (_, rest) = exception.split_once("Code: ")?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The HTTP status that a server sends with an exception: what the client got wrong is 4xx, all else 500.
fn status(code: u16) -> StatusCode {
    match code {
        // unknown identifier, function, type, storage, table, database, setting, format
        46 | 47 | 50 | 56 | 60 | 63 | 73 | 75 | 81 | 115 => StatusCode::NOT_FOUND,
        // parsing, syntax, types, arguments, wrong columns
        6 | 16 | 20 | 26 | 27 | 36 | 38 | 40 | 41 | 43 | 44 | 53 | 62 | 70 | 72 | 130 | 131 | 207 | 271
        | 386 | 456 | 457 => StatusCode::BAD_REQUEST,
        code::NOT_IMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
        164 => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer to a statement that was carried out.
pub(super) fn done(answer: Answer, format: &str) -> Response<Body> {
    let summary = format!(
        r#"{{"read_rows":"{}","written_rows":"{}","result_bytes":"{}"}}"#,
        answer.rows_read,
        answer.rows_written,
        answer.body.len()
    );
    let mut response = Response::new(Body::from(answer.body));
    let headers = [(SUMMARY, HeaderValue::try_from(summary)), (FORMAT, HeaderValue::try_from(format))];
    for (name, value) in headers {
        // Both are ASCII: a format that is not never got past the engine.
        if let Ok(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_code_is_found_and_its_preamble_dropped() {
        let cases = [
            ("Code: 60. DB::Exception: Unknown table", 60, "Code: 60. DB::Exception: Unknown table\n"),
            ("Error: Code: 241. DB::Exception: Memory", 241, "Code: 241. DB::Exception: Memory\n"),
            (
                "Invalid or closed connection",
                1002,
                "Code: 1002. DB::Exception: Invalid or closed connection\n",
            ),
        ];
        for (exception, code, message) in cases {
            let refusal = Refusal::Engine(exception.to_owned());
            assert_eq!((refusal.code(), refusal.message(code)), (code, message.to_owned()));
        }
    }

    #[test]
    fn a_status_tells_the_clients_fault_from_the_servers() {
        for (code, expected) in [(60, 404), (62, 400), (48, 501), (241, 500), (159, 500)] {
            assert_eq!(status(code).as_u16(), expected, "code {code}");
        }
    }
}
