//! A file opened as a stream: plain, `.gz` or `.zst`, in constant memory.
//!
//! Bounds against bombs: a zstd window of at most [`ZSTD_WINDOW_LOG_MAX`], and what comes out is at most
//! [`INFLATED_TIMES_MAX`] times what went in, once it is more than [`INFLATED_FREE_BYTES`]. An error of the disk is told
//! from one of the content: the first passes, the second does not.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;

use crate::ingest::formats::names::COMPRESSED;
use crate::limits::{INFLATED_FREE_BYTES, INFLATED_TIMES_MAX, ZSTD_WINDOW_LOG_MAX};

/// The content of a file.
pub(super) struct Source {
    form: Form,
    disk: Rc<Seen>,
    made: u64,
}

enum Form {
    Plain(Disk),
    Gzip(MultiGzDecoder<BufReader<Disk>>),
    Zstd(zstd::Decoder<'static, BufReader<Disk>>),
}

/// The file itself, and what was seen of it.
struct Disk {
    file: File,
    seen: Rc<Seen>,
}

#[derive(Default)]
struct Seen {
    bytes: Cell<u64>,
    failed: Cell<bool>,
}

impl Read for Disk {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into);
        match &read {
            Ok(len) => self.seen.bytes.set(self.seen.bytes.get() + *len as u64),
            Err(_) => self.seen.failed.set(true),
        }
        read
    }
}

impl Source {
    /// Opens a file by the ending of its name.
    pub(super) fn new(file: File, name: &str) -> io::Result<Self> {
        let seen = Rc::new(Seen::default());
        let disk = Disk { file, seen: Rc::clone(&seen) };
        let [in_gzip, in_zstd] = COMPRESSED;
        let form = if is(name, in_gzip) {
            Form::Gzip(MultiGzDecoder::new(BufReader::new(disk)))
        } else if is(name, in_zstd) {
            let mut decoder = zstd::Decoder::with_buffer(BufReader::new(disk))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Form::Zstd(decoder)
        } else {
            Form::Plain(disk)
        };
        Ok(Self { form, disk: seen, made: 0 })
    }

    /// How far it has been read, from now on.
    pub(super) fn progress(&self) -> Progress {
        Progress(Rc::clone(&self.disk))
    }
}

/// All of a file's content, decompressed by the ending of its name, within the same bounds.
///
/// # Errors
/// Of the disk, or what is wrong with the archive.
pub fn content(path: &Path) -> io::Result<Vec<u8>> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut content = Vec::new();
    Source::new(File::open(path)?, &name)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Whether a file is compressed.
pub(super) fn is_compressed(name: &str) -> bool {
    COMPRESSED.iter().any(|ending| is(name, ending))
}

fn is(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, found)| found.eq_ignore_ascii_case(ending))
}

/// How much of a file was read from the disk.
pub(super) struct Progress(Rc<Seen>);

impl Progress {
    /// Bytes, with those of it that are still to be taken.
    pub(super) fn read(&self) -> u64 {
        self.0.bytes.get()
    }
}

/// What went wrong: with the disk, or with what stands on it.
#[derive(Debug)]
pub(super) enum Trouble {
    Disk(io::Error),
    Content(String),
}

/// A content that cannot be right, marked so within an error of reading.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Wrong(String);

impl Trouble {
    /// Tells which it was.
    pub(super) fn of(error: io::Error) -> Self {
        match error.downcast::<Wrong>() {
            Ok(Wrong(why)) => Self::Content(why),
            Err(error) => Self::Disk(error),
        }
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.form {
            Form::Plain(disk) => return disk.read(into),
            Form::Gzip(decoder) => decoder.read(into),
            Form::Zstd(decoder) => decoder.read(into),
        };
        let wrong = |why: String| io::Error::other(Wrong(why));
        let len = read.map_err(|error| {
            if self.disk.failed.get() { error } else { wrong(format!("cannot be decompressed: {error}")) }
        })?;
        self.made = self.made.saturating_add(len as u64);
        let most = self.disk.bytes.get().saturating_mul(INFLATED_TIMES_MAX).max(INFLATED_FREE_BYTES);
        if self.made > most {
            return Err(wrong(format!(
                "decompresses to more than {INFLATED_TIMES_MAX} times its size: no file of records does"
            )));
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(name: &str, content: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut all = Vec::new();
        let mut source = Source::new(file, name).map_err(Trouble::of)?;
        // In pieces, as a stream is read: nobody asks for all of a bomb.
        let mut piece = vec![0; 1 << 20];
        loop {
            match source.read(&mut piece).map_err(Trouble::of)? {
                0 => return Ok(all),
                len => all.extend(piece.iter().take(len.min(1 << 10))),
            }
        }
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn parts_compressed_one_after_another_are_one_file() {
        let (a, b) = (b"first\n".as_slice(), b"second\n".as_slice());
        let both = [a, b].concat();
        assert_eq!(read("x.gz", &[gzip(a), gzip(b)].concat()).unwrap(), both);
        assert_eq!(read("X.GZ", &gzip(&both)).unwrap(), both);
        let zstd = |content| zstd::encode_all(content, 3).unwrap();
        assert_eq!(read("x.zst", &[zstd(a), zstd(b)].concat()).unwrap(), both);
        assert_eq!(read("x.dat", &both).unwrap(), both);
    }

    #[test]
    fn what_is_cut_short_or_no_archive_is_told_as_content() {
        let whole = gzip(b"some text that is longer than a header");
        for content in [&whole[..whole.len() - 9], b"no archive".as_slice()] {
            assert!(matches!(read("x.gz", content), Err(Trouble::Content(_))));
        }
        assert!(matches!(read("x.zst", b"no archive"), Err(Trouble::Content(_))));
        let whole = zstd::encode_all(b"some text that is longer than a header".as_slice(), 3).unwrap();
        assert!(matches!(read("x.zst", &whole[..whole.len() - 5]), Err(Trouble::Content(_))));
    }

    #[test]
    fn all_of_a_file_is_read_by_its_ending() {
        let directory = tempfile::tempdir().unwrap();
        for (name, bytes) in [("a.csv", b"text".to_vec()), ("a.csv.gz", gzip(b"text"))] {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(content(&path).unwrap(), b"text", "{name}");
        }
        std::fs::write(directory.path().join("b.gz"), b"no archive").unwrap();
        let error = content(&directory.path().join("b.gz")).unwrap_err().to_string();
        assert!(error.starts_with("cannot be decompressed"), "{error}");
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_large() {
        let zeros = vec![0; 64 << 20];
        let bombs = [("x.gz", gzip(&zeros)), ("x.zst", zstd::encode_all(zeros.as_slice(), 3).unwrap())];
        for (name, bomb) in bombs {
            let Err(Trouble::Content(why)) = read(name, &bomb) else { panic!("{name} was read") };
            assert!(why.contains("times its size"), "{why}");
        }
    }
}
