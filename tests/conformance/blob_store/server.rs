//! S3 servers for the stories: one in this process that can be made to fail, and a real one from the environment.

use std::sync::{Arc, Mutex};

use adapters::blob::Config;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::service::S3Service;
use tokio::net::TcpListener;

use super::config;

/// An S3 server, with a client of its own to prepare what the stories find.
pub(super) struct Server {
    pub(super) endpoint: String,
    pub(super) access_key: String,
    pub(super) secret_key: String,
}

/// What a server does instead of answering.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// It answers with this status and code.
    Answer(u16, &'static str),
    /// It refuses, and its date is another one.
    RefuseElsewhen,
    /// It says nothing.
    Silence,
    /// It promises a body of 1,000 bytes, sends a few and closes the connection.
    CutBody,
    /// It promises a body of 1,000 bytes, sends a few and then nothing.
    StalledBody,
}

/// Decides on each request, by its method and its path with query.
pub(super) type Faults = Arc<dyn Fn(&str, &str) -> Option<Fault> + Send + Sync>;

/// A server in this process. It ends with the runtime of its test.
pub(super) struct InProcess {
    pub(super) server: Server,
    /// Method and path with query of every request, in order.
    pub(super) requests: Arc<Mutex<Vec<(String, String)>>>,
    _directory: tempfile::TempDir,
}

impl Server {
    /// The real one.
    pub(super) fn from_environment() -> Self {
        let url = std::env::var("THUMBLINE_TEST_S3_URL").expect(
            "set THUMBLINE_TEST_S3_URL to the S3 server for tests, like http://ACCESSKEY:SECRET@127.0.0.1:9000",
        );
        let (scheme, rest) = url.split_once("://").expect("THUMBLINE_TEST_S3_URL starts with http://");
        let (keys, host) = rest.rsplit_once('@').expect("THUMBLINE_TEST_S3_URL has ACCESSKEY:SECRET@");
        let (access_key, secret_key) = keys.split_once(':').expect("THUMBLINE_TEST_S3_URL has ACCESSKEY:SECRET@");
        let endpoint = format!("{scheme}://{}", host.trim_end_matches('/'));
        Self { endpoint, access_key: access_key.to_owned(), secret_key: secret_key.to_owned() }
    }

    /// The section that points at a bucket of this server.
    pub(super) fn config(&self, url: &str) -> Config {
        Config {
            endpoint: self.endpoint.clone(),
            access_key_id: self.access_key.clone(),
            secret_access_key: self.secret_key.clone(),
            ..config(url)
        }
    }

    pub(super) fn client(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .force_path_style(true)
            .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
            .credentials_provider(Credentials::new(&self.access_key, &self.secret_key, None, None, "test"));
        aws_sdk_s3::Client::from_conf(config.build())
    }

    pub(super) async fn create_bucket(&self) -> String {
        let bucket = format!("test-{:016x}", rand::random::<u64>());
        self.client().create_bucket().bucket(&bucket).send().await.unwrap();
        bucket
    }

    /// Deletes a bucket with all that is in it.
    pub(super) async fn delete_bucket(&self, bucket: &str) {
        let client = self.client();
        let mut pages = client.list_objects_v2().bucket(bucket).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.unwrap().contents() {
                client.delete_object().bucket(bucket).key(object.key().unwrap()).send().await.unwrap();
            }
        }
        client.delete_bucket().bucket(bucket).send().await.unwrap();
    }
}

impl InProcess {
    pub(super) async fn start(faults: Faults) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut builder = s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(directory.path()).unwrap());
        builder.set_auth(s3s::auth::SimpleAuth::from_single("ACCESS", "SECRET"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            access_key: "ACCESS".into(),
            secret_key: "SECRET".into(),
        };
        let requests = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, builder.build(), faults, Arc::clone(&requests)));
        Self { server, requests, _directory: directory }
    }

    /// How many requests had this method and this text in path or query.
    pub(super) fn count(&self, method: &str, text: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|(m, path)| m == method && path.contains(text)).count()
    }
}

async fn serve(listener: TcpListener, service: S3Service, faults: Faults, requests: Arc<Mutex<Vec<(String, String)>>>) {
    while let Ok((socket, _)) = listener.accept().await {
        socket.set_nodelay(true).unwrap();
        let (service, faults, requests) = (service.clone(), Arc::clone(&faults), Arc::clone(&requests));
        let answer = service_fn(move |request: http::Request<Incoming>| {
            let (service, method) = (service.clone(), request.method().to_string());
            let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
            let fault = faults(&method, &path);
            requests.lock().unwrap().push((method, path));
            async move {
                match fault {
                    None => service.call(request.map(s3s::Body::from)).await,
                    Some(fault) => Ok(fail(fault).await),
                }
            }
        });
        tokio::spawn(async move {
            // Connections of tests that make them fail end with errors.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

async fn fail(fault: Fault) -> http::Response<s3s::Body> {
    let data = || Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"ten bytes.")));
    // What comes later comes after the first has been sent.
    let later = stream::once(async move {
        tokio::task::yield_now().await;
        data()
    });
    let start = stream::iter([data()]).chain(later);
    match fault {
        Fault::Answer(status, code) => {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>made up</Message></Error>");
            let answer = http::Response::builder().status(status).header("content-type", "application/xml");
            answer.body(s3s::Body::from(body)).unwrap()
        }
        Fault::RefuseElsewhen => {
            let answer = http::Response::builder().status(403).header("date", "Sat, 03 Feb 2001 04:05:06 GMT");
            answer.body(s3s::Body::empty()).unwrap()
        }
        Fault::Silence => std::future::pending().await,
        Fault::CutBody => promise(s3s::Body::http_body_unsync(StreamBody::new(Box::pin(start)))),
        Fault::StalledBody => {
            promise(s3s::Body::http_body_unsync(StreamBody::new(Box::pin(start.chain(stream::pending())))))
        }
    }
}

fn promise(body: s3s::Body) -> http::Response<s3s::Body> {
    http::Response::builder().header("content-length", "1000").header("etag", "\"e\"").body(body).unwrap()
}
