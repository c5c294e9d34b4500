//! Posting to webhooks over HTTP: only to public addresses, judged as the connection is made, unless the configuration allows
//! others.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use shared::announcement::MEDIA_TYPE;
use shared::ports::webhooks::{Delivery, Receipt, Undeliverable, WebhookSender};

/// Longest URL that is posted to, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// Bytes of an answer that are read, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Time for a name to be resolved, and for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections of one receiver that are kept, and how long.
const IDLE_MAX: usize = 8;
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Longest pause that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// What webhooks are posted with. `allow_private`: to any address, and without TLS too; `timeout` is for one request.
pub fn open(allow_private: bool, timeout: Duration) -> io::Result<Arc<dyn WebhookSender>> {
    let resolver = Resolver { allow_private };
    let mut http = HttpConnector::new_with_resolver(resolver);
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(io::Error::other)?;
    let tls = if allow_private { tls.https_or_http() } else { tls.https_only() };
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIME)
        .pool_max_idle_per_host(IDLE_MAX)
        .build(tls.enable_http1().wrap_connector(http));
    Ok(Arc::new(Sender { client, resolver, timeout }))
}

struct Sender {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    resolver: Resolver,
    timeout: Duration,
}

#[async_trait]
impl WebhookSender for Sender {
    async fn check(&self, url: &str) -> Result<(), Undeliverable> {
        let target = self.target(url)?;
        let host = host_of(&target).to_owned();
        let resolving = tokio::time::timeout(CONNECT_TIMEOUT, self.resolver.resolve(host));
        let resolved = resolving.await.unwrap_or_else(|elapsed| Err(elapsed.into()));
        resolved.map(drop).map_err(|error| Undeliverable::Refused(format!("the url's host {error}")))
    }

    async fn post(&self, delivery: &Delivery<'_>) -> Result<Receipt, Undeliverable> {
        let target = self.target(delivery.url)?;
        let request = Request::post(target)
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .header(USER_AGENT, concat!("Thumbline/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", delivery.id)
            .header("webhook-timestamp", delivery.timestamp)
            .header("webhook-signature", delivery.signature)
            .body(Full::new(Bytes::copy_from_slice(delivery.body.as_bytes())))
            .map_err(|error| Undeliverable::Refused(format!("the request cannot be written: {error}")))?;
        let posting = async {
            let answer = self.client.request(request).await.map_err(|error| unreachable(&error))?;
            let receipt = Receipt { status: answer.status().as_u16(), retry_after: retry_after(answer.headers()) };
            // The status says it all; what follows is read as far as it is short.
            let _ = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok(receipt)
        };
        let seconds = self.timeout.as_secs();
        let posted = tokio::time::timeout(self.timeout, posting).await;
        posted.unwrap_or_else(|_| Err(Undeliverable::Unreachable(format!("no answer within {seconds} s"), None)))
    }
}

impl Sender {
    /// The URL, if it is one that we post to. Names are judged when they are resolved; addresses never are.
    fn target(&self, url: &str) -> Result<Uri, Undeliverable> {
        let refused = |problem: &str| Err(Undeliverable::Refused(format!("the url {problem}")));
        let Ok(target) = url.parse::<Uri>() else { return refused("is none") };
        let allow_private = self.resolver.allow_private;
        let schemes = if allow_private { [Scheme::HTTPS, Scheme::HTTP] } else { [Scheme::HTTPS, Scheme::HTTPS] };
        if url.len() > URL_BYTES_MAX {
            return refused(&format!("is longer than {URL_BYTES_MAX} bytes"));
        }
        if !target.scheme().is_some_and(|scheme| schemes.contains(scheme)) {
            return refused("is not https://…; webhooks.allow_private_targets would allow http://… too");
        }
        if target.authority().is_none_or(|authority| authority.as_str().contains('@')) || host_of(&target).is_empty() {
            return refused("has no host, or a user in front of it");
        }
        if !allow_private && host_of(&target).parse::<IpAddr>().is_ok_and(|address| !is_public(address)) {
            return refused("is not of a public address; webhooks.allow_private_targets would allow it");
        }
        Ok(target)
    }
}

fn host_of(target: &Uri) -> &str {
    target.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// The whole chain without the URL, which may hold a secret.
fn unreachable(error: &hyper_util::client::legacy::Error) -> Undeliverable {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    Undeliverable::Unreachable(words, None)
}

/// In whole seconds; dates are left alone.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// Resolves names to those of their addresses that may be connected to. The connection is made to these very addresses, so
/// that a name that resolves to something else a moment later gains nothing.
#[derive(Debug, Clone, Copy)]
struct Resolver {
    allow_private: bool,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Resolver {
    async fn resolve(self, host: String) -> Result<std::vec::IntoIter<SocketAddr>, BoxError> {
        let found: Vec<_> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
        let allowed: Vec<_> =
            found.into_iter().filter(|address| self.allow_private || is_public(address.ip())).collect();
        if allowed.is_empty() { Err("has no public address".into()) } else { Ok(allowed.into_iter()) }
    }
}

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.resolve(name.as_str().to_owned()))
    }
}

/// Whether an address is one that anybody on the Internet could reach: not of this host, a private network, a link, or set
/// aside (the registries of special-purpose addresses, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

/// Global unicast only; addresses with one of version 4 inside are judged by that.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // NAT64.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 6to4.
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, benchmarking, ORCHID, and documentation.
        [0x2001, 0..0x200, ..] | [0x2001, 0xdb8, ..] | [0x3fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(500);

    fn delivery<'a>(url: &'a str, body: &'a str) -> Delivery<'a> {
        Delivery { url, id: "7", timestamp: 1, signature: "v1,AAAA", body }
    }

    /// A receiver that gives everybody this answer; its URL and the requests that it gets.
    async fn receiver(answer: &'static str) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 64 * 1024];
                let length = stream.read(&mut request).await.unwrap();
                let _ = sender.send(String::from_utf8_lossy(&request[..length]).into_owned());
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (url, receiver)
    }

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "3fff::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn private_targets_are_refused_whatever_they_are_called() {
        let sender = open(false, TIMEOUT).unwrap();
        for url in [
            "https://127.0.0.1/",
            "https://[::1]:8443/",
            "https://localhost/hook",
            "https://169.254.169.254/latest",
            "http://example.com/",
            "ftp://example.com/",
            "https://user:pw@example.com/",
            "/hook",
            "https://",
            "",
            "https://[::ffff:10.0.0.1]/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://127.1/",
        ] {
            let checked = sender.check(url).await;
            assert!(matches!(checked, Err(Undeliverable::Refused(_))), "{url}: {checked:?}");
            assert!(sender.post(&delivery(url, "{}")).await.is_err(), "{url}");
        }
        // A name that was public when it was checked is judged again as the connection is made.
        let Err(Undeliverable::Unreachable(words, _)) = sender.post(&delivery("https://localhost:1/", "{}")).await
        else {
            panic!("something was posted to this host")
        };
        assert!(words.contains("no public address"), "{words}");
    }

    #[tokio::test]
    async fn what_is_allowed_is_posted_with_its_headers() {
        let sender = open(true, TIMEOUT).unwrap();
        let (url, mut requests) = receiver("HTTP/1.1 204 No Content\r\n\r\n").await;
        sender.check(&url).await.unwrap();
        let receipt = sender.post(&delivery(&url, r#"{"a":1}"#)).await.unwrap();
        assert!(receipt.is_success());
        let request = requests.recv().await.unwrap();
        for part in [
            "POST /hook HTTP/1.1\r\n",
            "webhook-id: 7\r\n",
            "webhook-timestamp: 1\r\n",
            "webhook-signature: v1,AAAA\r\n",
            "content-type: application/cloudevents+json\r\n",
            "user-agent: Thumbline/",
            "\r\n\r\n{\"a\":1}",
        ] {
            assert!(request.contains(part), "{part} is not in {request}");
        }
    }

    #[tokio::test]
    async fn redirects_silence_and_endless_answers_are_bounded() {
        let sender = open(true, TIMEOUT).unwrap();
        let post = async |answer: &'static str| {
            let (url, _requests) = receiver(answer).await;
            sender.post(&delivery(&url, "{}")).await
        };
        let moved =
            post("HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        assert_eq!((moved.status, moved.is_success()), (307, false));
        let busy = post("HTTP/1.1 503 Busy\r\nretry-after: 99999999\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        assert_eq!(busy.retry_after, Some(RETRY_AFTER_MAX));
        assert!(post("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n").await.unwrap().is_gone());
        assert!(matches!(post("").await, Err(Undeliverable::Unreachable(words, _)) if words.contains("no answer")));
        assert!(matches!(post("nonsense").await, Err(Undeliverable::Unreachable(..))));
    }
}
