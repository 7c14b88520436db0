//! One feed's folder: the file in hand, window by window, and what becomes of it.
//!
//! Invariant: a file is put aside, and a place in it kept, only after the log has acknowledged all that was read before. What
//! becomes of it is kept before it is put aside: whatever comes between, it goes where it belongs.

use std::fs::{self, File};
use std::io;

use super::kept::{Keeper, Kept, KeptError, Look, Place, Read};
use super::open::{Source, Trouble, is_compressed};
use super::reading::Open;
use super::scan::{Aside, Scan, put_aside};
use crate::ingest::file::{Out, Stream, StreamError};
use crate::ingest::formats::feed::Feed;
use crate::ingest::formats::folder::Folder;
use crate::ingest::gaps::{Gaps, Kind, Lost, Seen};
use crate::limits::{
    FOLDER_KEEP_EVERY_BYTES, FOLDER_KEEP_EVERY_MS, FOLDER_LOOK_EVERY_MS, FOLDER_RETRY_MS,
    FOLDER_TELL_EVERY_MS,
};
use crate::shell::{InHand, SharedDirectory};

/// What went wrong with a folder; the others go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error("{path}: {error}; {hint}")]
    Io { path: String, error: io::Error, hint: &'static str },
    #[error(
        "{path} was replaced or changed while it was read: it is read again from its beginning, what was in the log \
         already as duplicates. Have files written under another name and renamed when they are whole"
    )]
    Changed { path: String },
}

/// A feed's folder.
pub(super) struct One {
    pub(super) feed: Feed,
    folder: Folder,
    keeper: Option<Keeper>,
    file: Option<Place>,
    open: Option<Open>,
    pub(super) scan: Scan,
    next_look_ms: i64,
    kept_ms: i64,
    /// The byte up to which the place was kept last.
    kept_at: u64,
    pub(super) trouble: Option<String>,
    retry_ms: i64,
    /// The file as it was read when that panicked, and what was said: it is set aside unread.
    panicked: Option<(Place, String)>,
}

/// What reading goes by and where it goes.
pub(super) struct Reach<'a> {
    pub(super) out: &'a mut Out<SharedDirectory>,
    pub(super) gaps: &'a mut Gaps,
    pub(super) now_ms: i64,
    pub(super) supplied: bool,
}

impl One {
    pub(super) fn new(feed: Feed, folder: Folder) -> Self {
        Self {
            feed,
            folder,
            keeper: None,
            file: None,
            open: None,
            scan: Scan::default(),
            next_look_ms: 0,
            kept_ms: 0,
            kept_at: 0,
            trouble: None,
            retry_ms: 0,
            panicked: None,
        }
    }

    pub(super) fn id(&self) -> &str {
        self.feed.decoder.feed()
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The file in hand, and how far it has been read.
    pub(super) fn in_hand(&self) -> Option<InHand> {
        let (open, file) = (self.open.as_ref()?, self.file.as_ref()?);
        let (read, size) = (open.progress.read(), file.look.bytes);
        Some(InHand { name: file.name.clone(), byte: open.stream.position(), read, size })
    }

    /// Something was told of the folder: look at once.
    pub(super) fn wake(&mut self) {
        self.next_look_ms = 0;
    }

    /// A new log follows: what it has not acknowledged is read again.
    pub(super) fn anew(&mut self) {
        (self.open, self.keeper) = (None, None);
    }

    /// A turn of it has panicked, past what a decoder's panic costs. What was handed over in that turn is thrown away by
    /// whoever calls this; the file is set aside in the next, or it would only panic again.
    pub(super) fn condemn(&mut self, why: &str, now_ms: i64) {
        self.panicked = self.file.clone().map(|file| (file, why.to_owned()));
        self.say(Some(format!(
            "{}: reading it panicked ({why}); please report it",
            self.folder.path.display()
        )));
        self.retry_ms = now_ms.saturating_add(FOLDER_RETRY_MS);
    }

    /// Reads on by one window. Everything handed to `reach.out` must be acknowledged before [`Self::settle`] is called.
    /// Answers whether there was something to read.
    pub(super) fn step(&mut self, reach: &mut Reach<'_>) -> bool {
        if reach.now_ms < self.retry_ms {
            return false;
        }
        match self.read(reach) {
            Ok(moved) => {
                if self.keeper.is_some() {
                    self.say(self.scan.trouble(&self.folder));
                }
                moved
            }
            Err(error) => {
                self.fail(&error, reach.now_ms);
                false
            }
        }
    }

    /// What is wrong now, if anything is; told once.
    fn say(&mut self, trouble: Option<String>) {
        if let Some(said) = trouble.as_ref().filter(|said| self.trouble.as_ref() != Some(*said)) {
            tracing::error!(feed = self.id(), "{said}");
        }
        self.trouble = trouble;
    }

    fn fail(&mut self, error: &FolderError, now_ms: i64) {
        self.say(Some(error.to_string()));
        self.open = None;
        self.retry_ms = now_ms.saturating_add(FOLDER_RETRY_MS);
    }

    fn read(&mut self, reach: &mut Reach<'_>) -> Result<bool, FolderError> {
        self.take(reach)?;
        if self.open.is_none() && !self.begin(reach)? {
            return Ok(false);
        }
        self.window(reach)
    }

    /// Takes the folder and what is known of it, once.
    fn take(&mut self, reach: &mut Reach<'_>) -> Result<(), FolderError> {
        if self.keeper.is_some() {
            return Ok(());
        }
        // What cannot be listed cannot be taken: the folder itself is named, not what is to be made in it.
        self.scan.look(&self.folder, reach.now_ms).map_err(|error| self.io("", error))?;
        let keeper = Keeper::new(&self.folder.path)?;
        let kept = keeper.load()?;
        self.file = kept.file;
        reach.gaps.restore(self.feed.decoder.feed(), kept.watch);
        self.keeper = Some(keeper);
        tracing::info!(feed = self.id(), folder = %self.folder.path.display(), "watching the folder");
        Ok(())
    }

    fn io(&self, name: &str, error: io::Error) -> FolderError {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "let the user that runs ingest read, write and search the folder, and read what is in it"
            }
            io::ErrorKind::NotFound => "make it, or mount what it is on",
            io::ErrorKind::NotADirectory => "this is a file: name the folder that the files are in",
            _ => "it is tried again",
        };
        FolderError::Io { path: self.folder.path.join(name).display().to_string(), error, hint }
    }

    /// Opens the next complete file, at the place that it had reached.
    fn begin(&mut self, reach: &mut Reach<'_>) -> Result<bool, FolderError> {
        if reach.now_ms >= self.next_look_ms {
            self.next_look_ms = reach.now_ms.saturating_add(FOLDER_LOOK_EVERY_MS);
            self.scan.look(&self.folder, reach.now_ms).map_err(|error| self.io("", error))?;
        }
        // The file in hand first, whatever older ones have come since: its place would be lost.
        let in_hand = self.file.as_ref().filter(|file| self.scan.waits(&file.name, file.look));
        let in_hand = in_hand.map(|file| (file.name.clone(), file.look));
        let is_in_hand = in_hand.is_some();
        let next = in_hand.or_else(|| self.scan.next(reach.now_ms));
        let Some((name, seen)) = next else { return Ok(false) };
        let file = match File::open(self.folder.path.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.scan.forget(&name);
                return Ok(true);
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !is_in_hand => {
                let why = self.io(&name, error).to_string();
                self.scan.pass_over(&name, reach.now_ms.saturating_add(FOLDER_RETRY_MS), why);
                return Ok(true);
            }
            file => file.map_err(|error| self.io(&name, error))?,
        };
        self.scan.opens(&name);
        let metadata = file.metadata().map_err(|error| self.io(&name, error))?;
        let look = Look::of(&metadata);
        if look != seen && !self.scan.is_renamed(&name) {
            // It was written since the last look and nobody told, as on a mount of a network: it is not whole yet.
            self.scan.look_anew(&name);
            self.wake();
            return Ok(true);
        }
        let goes_on = self.file.take().filter(|file| file.name == name && file.look == look);
        let length = (!is_compressed(&name)).then_some(metadata.len());
        let source = Source::new(file, &name).map_err(|error| self.io(&name, error))?;
        let progress = source.progress();
        let stream = Stream::new(source, length);
        let (position, read) = goes_on.map_or((0, Read::default()), |file| (file.position, file.read));
        let mut open = Open { stream, progress, told_ms: reach.now_ms, read };
        if read.ended.is_none() {
            let skipped = open.stream.skip_to(position, &self.feed.decoder);
            skipped.map_err(|error| self.io(&name, error))?;
        }
        let is_it = |(file, _): &mut (Place, String)| file.name == name && file.look == look;
        let panicked = self.panicked.take_if(is_it).map(|(_, why)| why);
        tracing::info!(feed = self.id(), file = name, position, "reading a file");
        reach.gaps.arrival(self.feed.decoder.feed(), reach.now_ms);
        let file = Place { name, look, position, read };
        let is_given_up = panicked.is_some();
        if let Some(why) = panicked {
            let why = format!("the program panicked as it read on ({why}): please report it with the file");
            open.break_off(self.feed.decoder.feed(), &file, &why, reach);
        }
        (self.file, self.open, self.kept_at) = (Some(file), Some(open), position);
        if is_given_up {
            self.number(reach);
        }
        Ok(true)
    }

    fn window(&mut self, reach: &mut Reach<'_>) -> Result<bool, FolderError> {
        let (Some(open), Some(file)) = (&mut self.open, &self.file) else { return Ok(false) };
        if open.read.ended.is_some() {
            // Read to its end before, and not put aside.
            return Ok(true);
        }
        if let Err(error) = open.window(&self.feed, file, reach) {
            let why = match error {
                StreamError::Io(error) => Trouble::of(error),
                StreamError::TooLarge | StreamError::LongLine => Trouble::Content(error.to_string()),
            };
            match why {
                Trouble::Content(why) => open.break_off(self.feed.decoder.feed(), file, &why, reach),
                Trouble::Disk(error) => {
                    let name = file.name.clone();
                    return Err(self.io(&name, error));
                }
            }
        }
        if open.read.ended.is_some() {
            self.number(reach);
        }
        Ok(true)
    }

    /// The file in hand has come: by its number none is missing. Told before the place is kept, so that no gap is lost.
    fn number(&self, reach: &mut Reach<'_>) {
        let Some(file) = &self.file else { return };
        let named = self.folder.files.as_ref().and_then(|files| files.read(&file.name));
        let named = named.and_then(|named| Some((named.node.to_owned(), named.number?)));
        // Names that say none leave it to the header of the file, if it has one.
        let header = self.open.as_ref().and_then(|open| open.stream.file_header());
        let numbered = named.or_else(|| header.map(|header| (header.node(), u64::from(header.number))));
        if let Some((node, number)) = numbered {
            let seen = Seen { kind: Kind::Files, node: &node, number, at: None };
            reach.gaps.number(self.feed.decoder.feed(), seen, reach.now_ms);
        }
        let lost = header.and_then(|header| Some((header, header.lost()?)));
        if let Some((header, count)) = lost {
            let (number, opened) = (header.number, header.opened);
            let lost = Lost { node: header.node(), number, opened, count, noticed_ms: reach.now_ms };
            reach.gaps.lost(self.feed.decoder.feed(), lost);
        }
    }

    /// Everything read is acknowledged: keeps the place, and puts aside a file that is done.
    pub(super) fn settle(&mut self, gaps: &Gaps, now_ms: i64) {
        if let Err(error) = self.keep(gaps, now_ms) {
            self.fail(&error, now_ms);
        }
    }

    fn keep(&mut self, gaps: &Gaps, now_ms: i64) -> Result<(), FolderError> {
        if let (Some(open), Some(file)) = (&self.open, &mut self.file)
            && file.read.ended.is_none()
        {
            (file.position, file.read) = (open.stream.position(), open.read);
        }
        if let Some(aside) = self.open.as_ref().and_then(|open| open.read.ended) {
            // Before the file goes, or a crash between would take it for one that never came.
            self.save(gaps, now_ms)?;
            self.finish(aside)?;
        } else if !self.is_to_be_kept(now_ms) {
            return Ok(());
        }
        self.save(gaps, now_ms)?;
        self.tell(now_ms);
        Ok(())
    }

    fn is_to_be_kept(&self, now_ms: i64) -> bool {
        let behind = self.file.as_ref().map_or(0, |file| file.position.saturating_sub(self.kept_at));
        now_ms.saturating_sub(self.kept_ms) >= FOLDER_KEEP_EVERY_MS || behind >= FOLDER_KEEP_EVERY_BYTES
    }

    /// Tells now and then how far a long file has been read.
    fn tell(&mut self, now_ms: i64) {
        let Some(hand) = self.in_hand() else { return };
        let Some(open) = &mut self.open else { return };
        if now_ms.saturating_sub(open.told_ms) < FOLDER_TELL_EVERY_MS {
            return;
        }
        open.told_ms = now_ms;
        let (records, percent) = (open.read.records, hand.percent());
        tracing::info!(feed = self.id(), file = hand.name, byte = hand.byte, records, percent, "reading on");
    }

    /// Keeps what is known, at once.
    pub(super) fn save(&mut self, gaps: &Gaps, now_ms: i64) -> Result<(), FolderError> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let watch = gaps.known(self.feed.decoder.feed()).cloned().unwrap_or_default();
        keeper.save(&Kept { file: self.file.clone(), watch })?;
        (self.kept_ms, self.kept_at) = (now_ms, self.file.as_ref().map_or(0, |file| file.position));
        Ok(())
    }

    fn finish(&mut self, aside: Aside) -> Result<(), FolderError> {
        let (Some(file), Some(open)) = (self.file.clone(), self.open.take()) else { return Ok(()) };
        let path = self.folder.path.join(&file.name);
        // The name may stand for another file by now, which nobody has read.
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| Look::of(&metadata) == file.look) {
            self.scan.look_anew(&file.name);
            self.file = None;
            return Err(FolderError::Changed { path: path.display().to_string() });
        }
        self.scan.forget(&file.name);
        put_aside(&self.folder, &file.name, aside).map_err(|error| self.io(&file.name, error))?;
        self.file = None;
        tracing::info!(
            feed = self.id(),
            file = file.name,
            records = open.read.records,
            unreadable = open.read.broken,
            "the file is {}",
            aside.name()
        );
        Ok(())
    }
}
