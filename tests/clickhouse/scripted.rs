//! An HTTP server that answers inserts as its script says: errors by number, proxies' pages, answers cut off or never given.
//!
//! It knows one table by heart, so that the client's question for the columns is always answered; each insert takes the
//! next line of the script, after its last line all is well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tidegauge::rollup::rows::{CardDay, Columns as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What one insert is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// HTTP status and the number of ClickHouse's exception.
    Exception(u16, u16),
    /// The page of a proxy.
    Page(u16),
    /// 500 with its headers, and a body that breaks off.
    CutError(u16),
    /// 200, and less than its headers promise.
    CutSuccess,
    /// The connection ends when the body has come, without a word.
    Silence,
    /// The connection ends in the middle of the body.
    CutBody,
    /// Nothing, until the client gives up.
    Never,
}

/// The script and what came.
#[derive(Default)]
struct Play {
    script: VecDeque<Answer>,
    /// Bodies of inserts that came whole.
    bodies: Vec<Vec<u8>>,
}

pub(crate) struct Scripted {
    pub(crate) url: String,
    play: Arc<Mutex<Play>>,
}

impl Scripted {
    pub(crate) async fn start(script: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let play =
            Arc::new(Mutex::new(Play { script: script.iter().copied().collect(), bodies: Vec::new() }));
        tokio::spawn(serve(listener, Arc::clone(&play)));
        Self { url, play }
    }

    /// Inserts whose bodies came whole, whatever they were answered.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.play.lock().expect("no panics").bodies.clone()
    }

    /// Lines of the script not yet played.
    pub(crate) fn left(&self) -> usize {
        self.play.lock().expect("no panics").script.len()
    }
}

async fn serve(listener: TcpListener, play: Arc<Mutex<Play>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let play = Arc::clone(&play);
        // A client that gives up breaks its connection: that is part of the play.
        tokio::spawn(async move { drop(answer(stream, &play).await) });
    }
}

async fn answer(stream: TcpStream, play: &Mutex<Play>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let head = read_head(&mut stream).await?;
    if !head.contains("INSERT") {
        read_body(&mut stream, &head).await?;
        return reply(&mut stream, "200 OK", "", &columns()).await;
    }
    let line = play.lock().expect("no panics").script.pop_front();
    if let Some(Answer::CutBody) = line {
        stream.read_u8().await?;
        return Ok(());
    }
    let body = read_body(&mut stream, &head).await?;
    play.lock().expect("no panics").bodies.push(body);
    match line {
        None => reply(&mut stream, "200 OK", "", b"").await,
        Some(Answer::Exception(status, code)) => {
            let header = format!("X-ClickHouse-Exception-Code: {code}\r\n");
            let text = format!("Code: {code}. DB::Exception: as the script has it. (SCRIPTED)\n");
            reply(&mut stream, &format!("{status} Scripted"), &header, text.as_bytes()).await
        }
        Some(Answer::Page(status)) => {
            let page = format!("<html><title>{status} from a proxy</title></html>");
            reply(&mut stream, &format!("{status} Scripted"), "", page.as_bytes()).await
        }
        Some(Answer::CutSuccess) => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nOk").await,
        Some(Answer::CutError(code)) => {
            let head = format!(
                "HTTP/1.1 500 Scripted\r\nX-ClickHouse-Exception-Code: {code}\r\nContent-Length: 1000\r\n\r\nCode: "
            );
            stream.write_all(head.as_bytes()).await
        }
        Some(Answer::Silence | Answer::CutBody) => Ok(()),
        Some(Answer::Never) => stream.read_u8().await.map(drop),
    }
}

async fn reply(
    stream: &mut BufReader<TcpStream>,
    status: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}

async fn read_head(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

async fn read_body(stream: &mut BufReader<TcpStream>, head: &str) -> std::io::Result<Vec<u8>> {
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return read_chunks(stream).await;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().expect("a number"))];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn read_chunks(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        let start = body.len();
        body.resize(start + length, 0);
        stream.read_exact(&mut body[start..]).await?;
        stream.read_exact(&mut [0; 2]).await?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// The answer to `DESCRIBE TABLE card_day` in `RowBinaryWithNamesAndTypes`.
fn columns() -> Vec<u8> {
    const NAMES: [&str; 7] = [
        "name",
        "type",
        "default_type",
        "default_expression",
        "comment",
        "codec_expression",
        "ttl_expression",
    ];
    let mut out = vec![NAMES.len() as u8];
    let mut text = |text: &str| {
        out.push(u8::try_from(text.len()).expect("short"));
        out.extend_from_slice(text.as_bytes());
    };
    for name in NAMES {
        text(name);
    }
    for _ in NAMES {
        text("String");
    }
    for (name, kind) in CardDay::COLUMNS {
        for value in [name, kind, "", "", "", "", ""] {
            text(value);
        }
    }
    out
}
