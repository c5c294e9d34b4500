//! A client of the API that asserts as little as possible: stories do.

use std::net::SocketAddr;

use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::eventually;

/// Asks one server.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base_url: String,
    token: Option<String>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, token: Option<&str>) -> Self {
        let redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(redirects).build().unwrap();
        Self { http, base_url: format!("http://{address}"), token: token.map(str::to_owned) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base_url) }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(self.http.get(self.url(path))).await
    }

    pub(crate) async fn get_with(&self, path: &str, header: (&str, &str)) -> Response {
        self.send(self.http.get(self.url(path)).header(header.0, header.1)).await
    }

    pub(crate) async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> Response {
        self.send(self.http.post(self.url(path)).header("content-type", content_type).body(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.send(self.http.delete(self.url(path))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Response {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.expect("the API answers")
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    /// Uploads through the Box route; returns the answer.
    pub(crate) async fn upload(&self, name: &str, content: &[u8]) -> Response {
        let attributes = serde_json::json!({ "name": name, "parent": { "id": "0" } });
        let file = Part::bytes(content.to_vec()).file_name(name.to_owned());
        let form = Form::new().text("attributes", attributes.to_string()).part("file", file);
        self.send(self.http.post(self.url("/2.0/files/content")).multipart(form)).await
    }

    /// Uploads and returns the new file's id.
    pub(crate) async fn uploaded(&self, name: &str, content: &[u8]) -> String {
        let response = self.upload(name, content).await;
        let status = response.status();
        let body: Value = response.json().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body["entries"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The file as our own API shows it, once nothing is pending.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        eventually(&format!("file {id} settles"), || async {
            let file = self.json(&format!("/v1/files/{id}")).await;
            (!states(&file).iter().any(|(_, state)| state == "pending")).then_some(file)
        })
        .await
    }

    /// Box's entry of one representation, by a hint with these dimensions.
    pub(crate) async fn entry(&self, id: &str, hint: &str) -> Value {
        let path = format!("/2.0/files/{id}?fields=representations");
        let answer: Value = self.get_with(&path, ("X-Rep-Hints", hint)).await.json().await.unwrap();
        answer["representations"]["entries"][0].clone()
    }

    /// The bytes behind an entry's `url_template`.
    pub(crate) async fn content(&self, entry: &Value, asset_path: &str) -> Vec<u8> {
        let template = entry["content"]["url_template"].as_str().expect("a url_template");
        let response = self.get(&template.replace("{+asset_path}", asset_path)).await;
        assert_eq!(response.status(), StatusCode::OK, "{template}");
        response.bytes().await.unwrap().to_vec()
    }

    /// The value of one metric line, 0 when it is not there yet.
    pub(crate) async fn metric(&self, line_start: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(line_start));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
    }
}

/// Name and state of every representation that was asked for.
pub(crate) fn states(file: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = file["representations"].as_array().expect("representations").iter();
    all.map(|r| (text(&r["name"]), text(&r["state"]))).filter(|(_, state)| state != "none").collect()
}

/// Name, state, width and height of one representation.
pub(crate) fn representation<'a>(file: &'a Value, name: &str) -> &'a Value {
    let all = file["representations"].as_array().expect("representations");
    all.iter().find(|r| r["name"] == name).unwrap_or_else(|| panic!("no {name} in {file}"))
}
