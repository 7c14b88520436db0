//! The engine's C interface behind a safe one: load, connect, query, insert.
//!
//! Invariants, and all the unsafe code of the endpoint is here to keep them: the library is never unloaded (its
//! exit handlers would run on freed code), so every function pointer is valid for ever; a [`Connection`] stays on
//! the thread that opened it (raw pointers make it `!Send`) and carries one statement at a time (`&mut self`, and an
//! [`Insert`] borrows it); whatever the engine allocates is copied, then given back to the engine exactly once.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use libloading::Library;

/// Why there is no engine, or no connection to it.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    #[error("cannot load the ClickHouse engine {path}: {source}; get it with deploy/dev/clickhouse-get.sh")]
    Load { path: PathBuf, source: libloading::Error },
    #[error(
        "{path} is another version of the ClickHouse engine, it lacks {name}: get 26.7.3 with deploy/dev/clickhouse-get.sh"
    )]
    Symbol { path: PathBuf, name: &'static str },
    #[error("the data directory {0} has a NUL byte or is not UTF-8 in its name: choose another with --data")]
    DataPath(PathBuf),
    #[error(
        "the ClickHouse engine does not open {0}: see its message on standard error; is another process using it?"
    )]
    Connect(String),
}

/// What a statement did, copied out of the engine.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) rows_read: u64,
    pub(super) rows_written: u64,
}

/// The engine's own words about a statement that failed: `Code: 60. DB::Exception: …`.
pub(super) type Exception = String;

type RawConnection = *mut c_void;
type RawResult = *mut c_void;
type RawInsert = *mut c_void;

/// The functions used, each with the signature of the engine's `chdb.h`.
#[derive(Clone, Copy)]
struct Api {
    connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut RawConnection,
    close: unsafe extern "C" fn(*mut RawConnection),
    query: unsafe extern "C" fn(
        RawConnection,
        *const c_char,
        usize,
        *const c_char,
        usize,
        *const *const c_char,
        *const usize,
        *const *const c_char,
        *const usize,
        usize,
    ) -> RawResult,
    result_error: unsafe extern "C" fn(RawResult) -> *const c_char,
    result_buffer: unsafe extern "C" fn(RawResult) -> *mut c_char,
    result_length: unsafe extern "C" fn(RawResult) -> usize,
    result_rows_read: unsafe extern "C" fn(RawResult) -> u64,
    result_rows_written: unsafe extern "C" fn(RawResult) -> u64,
    result_destroy: unsafe extern "C" fn(RawResult),
    insert: unsafe extern "C" fn(RawConnection, *const c_char, usize, *const c_char, usize) -> RawInsert,
    insert_append: unsafe extern "C" fn(RawInsert, *const c_void, usize) -> c_int,
    insert_done: unsafe extern "C" fn(RawInsert) -> RawResult,
    insert_error: unsafe extern "C" fn(RawInsert) -> *const c_char,
    insert_destroy: unsafe extern "C" fn(RawInsert),
    signal_handlers: unsafe extern "C" fn(c_int),
}

impl Api {
    fn load(path: &Path) -> Result<Self, EngineError> {
        // SAFETY: the library's initialisers are those of the engine that the user named; it is leaked at once, so
        // that they run once and that no pointer taken from it can dangle.
        let library = unsafe { Library::new(path) };
        let library: &'static Library = Box::leak(Box::new(
            library.map_err(|source| EngineError::Load { path: path.to_owned(), source })?,
        ));
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the field's type is the signature that `chdb.h` declares for this name.
                *unsafe { library.get($name.as_bytes()) }
                    .map_err(|_| EngineError::Symbol { path: path.to_owned(), name: $name })?
            };
        }
        Ok(Self {
            connect: function!("chdb_connect"),
            close: function!("chdb_close_conn"),
            query: function!("chdb_query_with_params_n"),
            result_error: function!("chdb_result_error"),
            result_buffer: function!("chdb_result_buffer"),
            result_length: function!("chdb_result_length"),
            result_rows_read: function!("chdb_result_rows_read"),
            result_rows_written: function!("chdb_result_rows_written"),
            result_destroy: function!("chdb_destroy_query_result"),
            insert: function!("chdb_stream_insert_n"),
            insert_append: function!("chdb_stream_append"),
            insert_done: function!("chdb_stream_done"),
            insert_error: function!("chdb_stream_insert_error"),
            insert_destroy: function!("chdb_destroy_insert_stream"),
            signal_handlers: function!("chdb_set_signal_handlers_enabled"),
        })
    }
}

/// The loaded engine over one data directory. One a process: it can serve no second directory.
pub(super) struct Engine {
    api: Api,
    arguments: Vec<CString>,
}

impl Engine {
    /// Loads the library and boots the engine over `data`. `options` are server options without their dashes.
    ///
    /// # Errors
    /// When the library cannot be loaded, is another version, or does not open the directory.
    pub(super) fn load(
        library: &Path,
        data: &Path,
        options: &[String],
    ) -> Result<&'static Self, EngineError> {
        let api = Api::load(library)?;
        let bad_path = || EngineError::DataPath(data.to_owned());
        let path = format!("path={}", data.to_str().ok_or_else(bad_path)?);
        let arguments = std::iter::once("clickhouse".to_owned())
            .chain(std::iter::once(&path).chain(options).map(|option| format!("--{option}")))
            .map(|argument| CString::new(argument).map_err(|_| bad_path()))
            .collect::<Result<_, _>>()?;
        let engine: &'static Self = Box::leak(Box::new(Self { api, arguments }));
        // SAFETY: called before the first connection, as it asks. A crash must end the process at once and with its
        // own signal, and Ctrl-C is this program's to handle.
        unsafe { (api.signal_handlers)(0) };
        // The engine lives as long as some connection is open: this one is kept open for ever.
        std::mem::forget(engine.connect()?);
        Ok(engine)
    }

    /// A new connection: its own database, settings and statement. About 0.3 ms.
    pub(super) fn connect(&'static self) -> Result<Connection, EngineError> {
        let mut argv: Vec<*mut c_char> = self.arguments.iter().map(|text| text.as_ptr().cast_mut()).collect();
        // SAFETY: argc and argv describe NUL-terminated strings that outlive the call; the engine only reads them.
        let handle = unsafe { (self.api.connect)(argv.len() as c_int, argv.as_mut_ptr()) };
        // SAFETY: a handle that is not null points to the connection until it is closed.
        if handle.is_null() || unsafe { (*handle).is_null() } {
            let arguments: Vec<_> = self.arguments.iter().map(|text| text.to_string_lossy()).collect();
            return Err(EngineError::Connect(arguments.join(" ")));
        }
        Ok(Connection { api: &self.api, handle })
    }
}

/// One connection of one request.
pub(super) struct Connection {
    api: &'static Api,
    handle: *mut RawConnection,
}

impl Connection {
    /// Runs one statement to its end; `parameters` are values of `{name:Type}` in it.
    pub(super) fn query(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<Answer, Exception> {
        let (names, name_lens): (Vec<_>, Vec<_>) = parameters.iter().map(|(name, _)| text(name)).unzip();
        let (values, value_lens): (Vec<_>, Vec<_>) = parameters.iter().map(|(_, value)| text(value)).unzip();
        let ((sql, sql_len), (format, format_len)) = (text(sql), text(format));
        // SAFETY: the connection is open; all pointers come with their lengths and outlive the call; the four
        // arrays have as many entries as said.
        let result = unsafe {
            (self.api.query)(
                self.raw(),
                sql,
                sql_len,
                format,
                format_len,
                names.as_ptr(),
                name_lens.as_ptr(),
                values.as_ptr(),
                value_lens.as_ptr(),
                parameters.len(),
            )
        };
        self.api.take(result)
    }

    /// Begins an INSERT whose data follow in pieces. `sql` is without its FORMAT clause.
    pub(super) fn insert(&mut self, sql: &str, format: &str) -> Result<Insert<'_>, Exception> {
        let ((sql, sql_len), (format, format_len)) = (text(sql), text(format));
        // SAFETY: the connection is open, the strings come with their lengths and are copied by the engine.
        let handle = unsafe { (self.api.insert)(self.raw(), sql, sql_len, format, format_len) };
        let insert = Insert { connection: self, handle };
        insert.error().map_or(Ok(insert), Err)
    }

    fn raw(&self) -> RawConnection {
        // SAFETY: `connect` checked the handle, and it stays valid until `drop`.
        unsafe { *self.handle }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: closed here only, and no insert borrows the connection any more.
        unsafe { (self.api.close)(self.handle) };
    }
}

/// An INSERT under way. Dropped before [`Insert::finish`] it is cancelled: what the engine has written stays.
pub(super) struct Insert<'a> {
    connection: &'a Connection,
    handle: RawInsert,
}

impl Insert<'_> {
    /// Hands over one piece of the data; blocks while the engine is behind.
    pub(super) fn append(&mut self, piece: &[u8]) -> Result<(), Exception> {
        let append = self.connection.api.insert_append;
        // SAFETY: the stream is open, the piece comes with its length and is copied.
        if unsafe { append(self.handle, piece.as_ptr().cast(), piece.len()) } == 0 {
            return Ok(());
        }
        Err(self.error().unwrap_or_else(|| "the engine ended the insert without a reason".to_owned()))
    }

    /// Ends the data and waits until they are written.
    pub(super) fn finish(self) -> Result<Answer, Exception> {
        let api = self.connection.api;
        // SAFETY: the stream is open; `drop` frees its handle afterwards, as the engine demands.
        api.take(unsafe { (api.insert_done)(self.handle) })
    }

    fn error(&self) -> Option<Exception> {
        // SAFETY: the handle is valid until `drop`; the text is copied before anything else is called.
        unsafe { owned((self.connection.api.insert_error)(self.handle)) }
    }
}

impl Drop for Insert<'_> {
    fn drop(&mut self) {
        // SAFETY: freed here only; the engine cancels a stream that was not finished.
        unsafe { (self.connection.api.insert_destroy)(self.handle) };
    }
}

impl Api {
    /// Copies a result and gives it back.
    fn take(&self, result: RawResult) -> Result<Answer, Exception> {
        // SAFETY: the engine returned the result to us; null is allowed in each of these calls; what it points to is
        // copied before it is destroyed, once.
        unsafe {
            let answer = owned((self.result_error)(result)).map_or_else(|| Ok(self.copy(result)), Err);
            (self.result_destroy)(result);
            answer
        }
    }

    /// # Safety
    /// `result` is null or a result that was not destroyed.
    unsafe fn copy(&self, result: RawResult) -> Answer {
        // SAFETY: by the caller; buffer and length describe one allocation that lives as long as the result.
        unsafe {
            let (buffer, length) = ((self.result_buffer)(result), (self.result_length)(result));
            let body = if buffer.is_null() { &[] } else { std::slice::from_raw_parts(buffer.cast(), length) };
            Answer {
                body: body.to_vec(),
                rows_read: (self.result_rows_read)(result),
                rows_written: (self.result_rows_written)(result),
            }
        }
    }
}

/// # Safety
/// `text` is null or NUL-terminated.
unsafe fn owned(text: *const c_char) -> Option<String> {
    // SAFETY: by the caller.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

fn text(text: &str) -> (*const c_char, usize) {
    (text.as_ptr().cast(), text.len())
}

/// Ends the process without exit handlers: those of the engine would wait for threads that are still at work. Its
/// data are in files already, and it is made to be killed.
pub(super) fn exit() -> ! {
    unsafe extern "C" {
        fn _exit(status: c_int) -> !;
    }
    // SAFETY: POSIX's own; it takes any status.
    unsafe { _exit(0) }
}
