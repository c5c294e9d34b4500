//! Waiting for a file, streams of events, and webhooks.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};
use shared::domain::failure::FailureCode;
use shared::ports::announcements::AnnouncementLog as _;

use super::harness::{PATIENCE, Setup, TOKEN, TestApi, failed};
use crate::auth::Mode;

/// A stream of events, read frame by frame.
struct Frames {
    response: Response,
    read: String,
}

impl Frames {
    async fn open(api: &TestApi, token: Option<&str>, last: Option<&str>) -> Self {
        let mut request = api.request("GET", "/v1/events");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut frames = Self { response, read: String::new() };
        assert_eq!(frames.next().await.unwrap(), "retry: 2000");
        frames
    }

    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.read.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(frame);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("the stream goes on");
            self.read.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// The next event: its id, its name and its data.
    async fn event(&mut self) -> (String, String, Value) {
        loop {
            let frame = self.next().await.expect("the stream goes on");
            let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let (Some(id), Some(event), Some(data)) = (field("id: "), field("event: "), field("data: ")) {
                return (id, event, serde_json::from_str(&data).unwrap());
            }
        }
    }
}

async fn collect(api: &TestApi) {
    while api.store.collect(100).await.unwrap() > 0 {}
}

#[tokio::test]
async fn a_request_waits_until_nothing_is_pending() {
    let api = TestApi::start().await;
    let uploaded = api.upload("a.jpg", b"some bytes").await;
    let path = format!("/v1/files/{}?wait=19", uploaded.file);
    let began = Instant::now();
    let requests = futures_util::future::join_all((0..20).map(|_| api.json(&path)));
    let work = async {
        // Whether they have come by then or not, they must see the end.
        tokio::task::yield_now().await;
        api.settle(uploaded, |_| failed(FailureCode::CorruptSource)).await;
    };
    let (answers, ()) = tokio::join!(requests, work);
    assert!(began.elapsed() < Duration::from_secs(15), "they waited for {:?}", began.elapsed());
    for file in answers {
        let states: Vec<_> = file["representations"].as_array().unwrap().iter().map(|row| &row["state"]).collect();
        assert!(states.contains(&&"error".into()) && !states.contains(&&"pending".into()), "{file}");
        assert_eq!(file["eta_ms"], Value::Null);
    }
}

#[tokio::test]
async fn a_wait_ends_at_its_time_and_says_how_long_it_may_take() {
    let api = TestApi::start().await;
    let uploaded = api.upload("a.jpg", b"some bytes").await;
    let answer = api.get(&format!("/v1/files/{}?wait=1", uploaded.file)).await;
    let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let file: Value = answer.json().await.unwrap();
    let eta_ms = file["eta_ms"].as_u64().unwrap();
    assert!((100..30_000).contains(&eta_ms) && seconds == eta_ms.div_ceil(1000), "{eta_ms} ms, {seconds} s");
    assert!(api.json("/v1/files").await["files"][0]["eta_ms"].is_u64());
    for wrong in ["", "-1", "1.5", "soon", "+1"] {
        assert_eq!(api.get(&format!("/v1/files/{}?wait={wrong}", uploaded.file)).await.status(), 400, "{wrong}");
    }
    api.settle(uploaded, |_| failed(FailureCode::CorruptSource)).await;
    let long = format!("/v1/files/{}?wait=99999999999999999999", uploaded.file);
    assert_eq!(api.get(&long).await.status(), 200, "nothing is pending, so there is nothing to wait for");
}

#[tokio::test]
async fn a_stream_tells_what_happens_and_goes_on_where_it_ended() {
    let api = TestApi::start().await;
    let mut live = Frames::open(&api, None, None).await;
    let uploaded = api.upload("a.jpg", b"some bytes").await;
    api.succeed(uploaded, &[b"page"]).await;
    collect(&api).await;
    let (first, name, data) = live.event().await;
    assert_eq!((name.as_str(), &data["type"]), ("representation.success", &"thumbline.representation.success".into()));
    assert_eq!((&data["id"], &data["data"]["file_id"]), (&first.clone().into(), &uploaded.file.to_string().into()));
    let mut names = vec![name];
    while names.last().unwrap() != "file_version.completed" {
        names.push(live.event().await.1);
    }
    // Whoever comes back with the first id gets all the others once more, in order.
    let mut again = Frames::open(&api, None, Some(&first)).await;
    for name in &names[1..] {
        assert_eq!(&again.event().await.1, name);
    }
    let mut from_the_beginning = Frames::open(&api, None, Some("0")).await;
    assert_eq!(from_the_beginning.event().await.0, first);
    api.shutdown.cancel();
    while live.next().await.is_some() {}
    while again.next().await.is_some() {}
}

#[tokio::test]
async fn a_stream_shows_only_what_its_reader_may_see() {
    let api = TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await;
    let (ada, eve) = (super::access::user(&api, "ada").await, super::access::user(&api, "eve").await);
    for (token, user) in [(&ada, "ada"), (&eve, "eve")] {
        let uploaded = super::access::upload_as(&api, token, Some(json!([[format!("user:{user}")]]))).await;
        api.settle(uploaded, |_| failed(FailureCode::CorruptSource)).await;
    }
    collect(&api).await;
    let of = async |token: Option<&str>| {
        let mut frames = Frames::open(&api, token, Some("0")).await;
        let mut files = std::collections::BTreeSet::new();
        // The heartbeat after the last event ends what there is.
        loop {
            let frame = frames.next().await.unwrap();
            match frame.lines().find_map(|line| line.strip_prefix("data: ")) {
                Some(data) => {
                    let data: Value = serde_json::from_str(data).unwrap();
                    files.insert(data["data"]["file_id"].as_str().unwrap().to_owned());
                }
                None => return (files.len(), frame),
            }
        }
    };
    let (all, heartbeat) = of(Some(TOKEN)).await;
    assert_eq!(all, 2);
    assert_eq!(of(Some(&ada)).await, (1, heartbeat.clone()));
    assert_eq!(of(None).await, (0, heartbeat), "and yet it knows where to go on");
    let refused = api.request("GET", "/v1/events").bearer_auth("wrong").send().await.unwrap();
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn ids_that_are_none_are_refused_and_lost_events_are_told() {
    let api = TestApi::start().await;
    for wrong in ["x", "-1", "1 ", "99999999999999999999"] {
        let request = api.request("GET", "/v1/events").header("Last-Event-ID", wrong);
        let status = request.send().await.unwrap().status();
        assert!(status == 400 || wrong.ends_with(' '), "{wrong}: {status}");
    }
    let uploaded = api.upload("a.jpg", b"some bytes").await;
    api.succeed(uploaded, &[b"page"]).await;
    collect(&api).await;
    let token = shared::domain::ids::ClaimToken::new("test", 1);
    let newest = api.store.span().await.unwrap().newest;
    api.store.take_turn(&token, PATIENCE).await.unwrap();
    assert!(api.store.published(&token, newest, PATIENCE).await.unwrap());
    while api.store.forget(Duration::ZERO, 100).await.unwrap() == 0 {}
    let mut frames = Frames::open(&api, None, Some("1")).await;
    assert_eq!(frames.next().await.unwrap(), format!("event: lost\ndata: {{\"after\":\"1\",\"up_to\":\"{newest}\"}}"));
    // An id from a database that is no more.
    let mut frames = Frames::open(&api, None, Some("1000000")).await;
    assert_eq!(frames.next().await.unwrap(), format!("id: {newest}"));
}

#[tokio::test]
async fn webhooks_are_made_shown_switched_and_removed() {
    let api = TestApi::start().await;
    let post = async |path: &str, body: Value| api.request("POST", path).json(&body).send().await.unwrap();
    let made =
        post("/v1/webhooks", json!({ "url": "http://127.0.0.1:9/hook", "topics": ["representation.error"] })).await;
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"), "{made}");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let shown = api.json(&path).await;
    assert_eq!((&shown["enabled"], &shown["topics"]), (&true.into(), &json!(["representation.error"])));
    assert!(shown.get("secret").is_none(), "it is shown once");
    let tested: Value = post(&format!("{path}/test"), json!({})).await.json().await.unwrap();
    assert_eq!((&tested["delivered"], &tested["status"]), (&false.into(), &Value::Null), "nobody listens there");
    let off: Value = post(&format!("{path}/disable"), json!({})).await.json().await.unwrap();
    assert_eq!(off["disabled_reason"], "switched off by an operator");
    let rotate = format!("{path}/rotate");
    let rotated: Value = post(&rotate, json!({})).await.json().await.unwrap();
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_") && rotated["secret"] != made["secret"]);
    assert!(rotated["old_secret_until"].is_string(), "{rotated}");
    assert_eq!(api.json(&path).await["old_secret_until"], rotated["old_secret_until"]);
    let leaked: Value = post(&rotate, json!({ "grace_seconds": 0 })).await.json().await.unwrap();
    assert_eq!((&leaked["old_secret_until"], leaked["secret"] == rotated["secret"]), (&Value::Null, false));
    for wrong in [json!({ "grace_seconds": 604_801 }), json!({ "grace_seconds": -1 }), json!({ "secret": "mine" })] {
        assert_eq!(post(&rotate, wrong.clone()).await.status(), 400, "{wrong}");
    }
    let on: Value = post(&format!("{path}/enable"), json!({})).await.json().await.unwrap();
    assert_eq!((&on["enabled"], &on["disabled_reason"]), (&true.into(), &Value::Null));
    assert_eq!(api.json("/v1/webhooks").await["webhooks"].as_array().unwrap().len(), 1);
    assert_eq!(api.request("DELETE", &path).send().await.unwrap().status(), 204);
    let gone = [("GET", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/test")), ("POST", rotate)];
    for (method, path) in gone {
        assert_eq!(api.request(method, &path).send().await.unwrap().status(), 404, "{method} {path}");
    }
    for wrong in [
        json!({}),
        json!({ "url": "nowhere" }),
        json!({ "url": "ftp://example.org/" }),
        json!({ "url": "http://127.0.0.1/", "topics": ["everything"] }),
        json!({ "url": "http://127.0.0.1/", "secret": "mine" }),
        json!({ "url": "http://127.0.0.1/", "tenant": "no tenant" }),
    ] {
        assert_eq!(post("/v1/webhooks", wrong.clone()).await.status(), 400, "{wrong}");
    }
}
