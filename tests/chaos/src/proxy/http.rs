//! As much HTTP/1.1 as it takes to refuse requests and to cut answers in the middle.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::TcpStream;

/// The longest head that is read; whatever has a longer one is cut.
const HEAD_BYTES_MAX: usize = 64 * 1024;

const SLOW_DOWN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>SlowDown</Code>\
                         <Message>Please reduce your request rate.</Message></Error>";

/// A head with what came behind it.
struct Head {
    bytes: Vec<u8>,
    /// Of `bytes`, where the body begins.
    end: usize,
}

impl Head {
    /// Reads up to the empty line; `None` when the connection ends before it.
    async fn read(from: &mut TcpStream) -> std::io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        while bytes.len() < HEAD_BYTES_MAX {
            if from.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(Some(Self { bytes, end: at + 4 }));
            }
        }
        Ok(None)
    }

    fn field(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes[..self.end]);
        text.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    fn content_length(&self) -> usize {
        self.field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
    }
}

/// Answers one request with 503, once it has come as a whole: a client that still writes would not read it.
pub(super) async fn refuse(mut client: TcpStream) -> std::io::Result<()> {
    let Some(head) = Head::read(&mut client).await? else { return Ok(()) };
    if head.field("expect").is_none() {
        let mut left = head.content_length().saturating_sub(head.bytes.len() - head.end);
        let mut buffer = vec![0; 16 * 1024];
        while left > 0 {
            match client.read(&mut buffer).await? {
                0 => return Ok(()),
                length => left = left.saturating_sub(length),
            }
        }
    }
    let answer = format!(
        "HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{SLOW_DOWN}",
        SLOW_DOWN.len()
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

/// Passes one exchange on and cuts the answer: in the middle of its body, or all of it when it has none, so that
/// nobody knows whether it was done.
pub(super) async fn truncate(mut client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let passing = async {
        let (mut from_server, mut to_server) = server.split();
        let answering = async {
            let mut bytes = Vec::new();
            loop {
                if from_server.read_buf(&mut bytes).await? == 0 || bytes.len() > HEAD_BYTES_MAX {
                    return Ok(None);
                }
                let continues = bytes.starts_with(b"HTTP/1.1 100");
                let mut ends = bytes.windows(4).enumerate().filter(|(_, window)| *window == b"\r\n\r\n");
                // An interim answer asks for the body, and the real one follows.
                let end = if continues { ends.nth(1) } else { ends.next() };
                if continues && bytes.ends_with(b"\r\n\r\n") && end.is_none() {
                    return Ok(Some((bytes, None, from_server)));
                }
                if let Some((at, _)) = end {
                    return Ok(Some((bytes, Some(at + 4), from_server)));
                }
            }
        };
        tokio::select! {
            answered = answering => answered,
            copied = copy(&mut from_client, &mut to_server) => copied.map(|_| None),
        }
    };
    let Some((bytes, Some(end), mut from_server)) = passing.await? else { return Ok(()) };
    let head = Head { bytes, end };
    let length = head.content_length();
    if length < 2 {
        return Ok(());
    }
    let mut sent = head.end + length / 2;
    let there = head.bytes.len().min(sent);
    to_client.write_all(&head.bytes[..there]).await?;
    sent -= there;
    let mut buffer = vec![0; 16 * 1024];
    while sent > 0 {
        let length = from_server.read(&mut buffer).await?.min(sent);
        if length == 0 {
            break;
        }
        to_client.write_all(&buffer[..length]).await?;
        sent -= length;
    }
    to_client.flush().await
}
