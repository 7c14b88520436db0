//! A request's body in a content coding (RFC 9110 clause 8.4): gzip and zstd, within bounds.
//!
//! Invariant 5: what comes out is at most what a body may hold without a coding, whatever the coded one claims, and the
//! memory on the way is bounded: a zstd window of at most [`PUSH_ZSTD_WINDOW_LOG_MAX`], as RFC 9659 has it for HTTP.

use std::io::{self, Read};

use axum::http::{HeaderMap, header};

use super::problem::Problem;
use crate::limits::PUSH_ZSTD_WINDOW_LOG_MAX;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// Those that are taken, as `Accept-Encoding` lists them.
    pub(super) const TAKEN: &'static str = "gzip, zstd, identity";

    /// What the headers say.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut said = headers.get_all(header::CONTENT_ENCODING).iter();
        let first = said.next().map_or(Ok("identity"), |value| value.to_str());
        let refused = |coding: &str| {
            let taken = Self::TAKEN;
            Problem::ContentCoding(format!("Content-Encoding {coding:?} is not taken: send one of {taken}"))
        };
        let first = first.map_err(|_| refused("(no text)"))?.trim().to_ascii_lowercase();
        if said.next().is_some() {
            return Err(refused("(several)"));
        }
        match first.as_str() {
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            other => Err(refused(other)),
        }
    }

    /// The content of a body, at most so many bytes.
    pub(super) fn decode(self, body: Vec<u8>, most: usize) -> Result<Vec<u8>, Problem> {
        let decoded = match self {
            Self::Identity => return Ok(body),
            Self::Gzip => read(flate2::read::MultiGzDecoder::new(body.as_slice()), most),
            Self::Zstd => zstd(&body).and_then(|decoder| read(decoder, most)),
        };
        let wrong = |error: io::Error| {
            Problem::BadRequest(format!("the body is not whole, or not {}: {error}", self.name()))
        };
        let content = decoded.map_err(wrong)?;
        if content.len() > most { Err(Problem::TooLarge(most)) } else { Ok(content) }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

fn zstd(body: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::Decoder::with_buffer(body)?;
    decoder.window_log_max(PUSH_ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

/// Reads to the end, or to a byte more than there may be.
fn read(decoder: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    decoder.take(most as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;

    use super::*;

    fn headers(codings: &[&str]) -> HeaderMap {
        let value = |text: &&str| (header::CONTENT_ENCODING, text.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in codings.iter().map(value) {
            headers.append(name, value);
        }
        headers
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn refused(answer: Result<Vec<u8>, Problem>) -> StatusCode {
        answer.unwrap_err().into_response().status()
    }

    #[test]
    fn codings_are_known_by_name_and_others_are_refused_with_those_that_are_taken() {
        for (said, coding) in [
            (&[][..], Coding::Identity),
            (&["identity"], Coding::Identity),
            (&["GZIP"], Coding::Gzip),
            (&["x-gzip"], Coding::Gzip),
            (&["zstd"], Coding::Zstd),
        ] {
            assert_eq!(Coding::of(&headers(said)).unwrap(), coding);
        }
        for said in [&["br"][..], &["gzip, zstd"], &["gzip", "gzip"], &["deflate"], &[""]] {
            let response = Coding::of(&headers(said)).unwrap_err().into_response();
            assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{said:?}");
            assert_eq!(response.headers()[header::ACCEPT_ENCODING], Coding::TAKEN);
        }
    }

    #[test]
    fn a_body_comes_out_as_it_went_in_up_to_the_bound() {
        let content = b"one\ntwo\n".repeat(50);
        for (coding, coded) in [
            (Coding::Identity, content.clone()),
            (Coding::Gzip, gzip(&content)),
            (Coding::Gzip, [gzip(&content[..7]), gzip(&content[7..])].concat()),
            (Coding::Zstd, zstd::encode_all(content.as_slice(), 3).unwrap()),
        ] {
            assert_eq!(coding.decode(coded.clone(), content.len()).unwrap(), content, "{coding:?}");
            if coding != Coding::Identity {
                assert_eq!(refused(coding.decode(coded, content.len() - 1)), StatusCode::PAYLOAD_TOO_LARGE);
            }
        }
    }

    #[test]
    fn what_is_cut_short_no_archive_or_wants_too_much_memory_is_refused() {
        let whole = gzip(b"some text that is longer than a header");
        let (cut, plain) = (whole[..whole.len() - 9].to_vec(), b"no archive".to_vec());
        let mut long = zstd::Encoder::new(Vec::new(), 1).unwrap();
        long.window_log(PUSH_ZSTD_WINDOW_LOG_MAX + 1).unwrap();
        long.write_all(&[7; 100]).unwrap();
        let long = long.finish().unwrap();
        for (coding, body) in
            [(Coding::Gzip, cut), (Coding::Gzip, plain.clone()), (Coding::Zstd, plain), (Coding::Zstd, long)]
        {
            assert_eq!(refused(coding.decode(body, 1 << 20)), StatusCode::BAD_REQUEST, "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound() {
        let zeros = vec![0; 64 << 20];
        for (coding, bomb) in
            [(Coding::Gzip, gzip(&zeros)), (Coding::Zstd, zstd::encode_all(zeros.as_slice(), 3).unwrap())]
        {
            assert_eq!(refused(coding.decode(bomb, 4 << 20)), StatusCode::PAYLOAD_TOO_LARGE, "{coding:?}");
        }
    }
}
