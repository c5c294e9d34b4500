//! The description against the route table, against real answers, and against the file that is committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};
use shared::domain::failure::FailureCode;

use super::operations::OPERATIONS;
use super::{document, reference};
use crate::router;
use crate::tests::harness::{TestApi, failed};

/// Pages for people, and the metrics, whose format is Prometheus' own.
const UNDESCRIBED: [&str; 3] = ["/", "/docs", "/metrics"];

/// Routes of our own API, which have to be described.
fn own_paths() -> Vec<&'static str> {
    let is_own =
        |path: &&str| path.starts_with("/v1/") || (["/livez", "/readyz"].contains(path) && !UNDESCRIBED.contains(path));
    router::paths().into_iter().map(|(path, _)| path).filter(is_own).collect()
}

#[tokio::test]
async fn every_method_of_every_route_of_ours_is_described() {
    let api = TestApi::start().await;
    for path in own_paths() {
        let concrete = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        let concrete = concrete.collect::<Vec<_>>().join("/");
        // A method that no route has makes it tell which ones it has.
        let answer = api.request("PATCH", &concrete).send().await.unwrap();
        assert_eq!(answer.status(), 405, "PATCH {path}");
        let allowed = answer.headers()["allow"].to_str().unwrap().to_ascii_lowercase();
        let allowed: BTreeSet<&str> = allowed.split(',').filter(|method| *method != "head").collect();
        let described = OPERATIONS.iter().filter(|operation| operation.path == path).map(|operation| operation.method);
        assert_eq!(described.collect::<BTreeSet<_>>(), allowed, "{path} in api/src/openapi/operations.rs");
    }
    let known: BTreeSet<_> = router::paths().into_iter().map(|(path, _)| path).collect();
    for operation in OPERATIONS {
        assert!(known.contains(operation.path), "{} is described, but is no route", operation.path);
        let named = operation.path.matches('{').count();
        assert_eq!(operation.parameters.iter().filter(|p| p.is_in_path).count(), named, "{}", operation.path);
        assert!(operation.method.to_ascii_uppercase().parse::<Method>().is_ok());
        assert!(
            operation.parameters.iter().all(|p| serde_json::from_str::<Value>(p.schema).is_ok()),
            "{}",
            operation.id
        );
    }
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let generated = format!("{:#}\n", document());
    assert!(committed == generated, "run `thumbline openapi > docs/openapi.json`");
}

#[tokio::test]
async fn answers_have_the_shapes_that_are_described() {
    let api = TestApi::start().await;
    let uploaded = api.upload("a.jpg", b"some bytes").await;
    api.succeed(uploaded, &[b"page"]).await;
    let file = format!("/v1/files/{}", uploaded.file);
    let (access, explain) = (format!("{file}/access"), format!("{file}/explain"));
    let broken = api.upload("broken.jpg", b"other bytes").await;
    api.settle(broken, |_| failed(FailureCode::CorruptSource)).await;
    for (path, status, schema) in [
        (file.as_str(), 200, "File"),
        (&access, 200, "FileAccess"),
        (&explain, 200, "Explanation"),
        ("/v1/failures", 200, "Failures"),
        ("/v1/files", 200, "FilePage"),
        ("/v1/presets", 200, "Presets"),
        ("/v1/parked", 200, "ParkedPage"),
        ("/v1/webhooks", 200, "WebhookPage"),
        ("/v1/capabilities", 200, "Capabilities"),
        ("/v1/pipeline", 200, "Pipeline"),
        ("/livez", 200, "Liveness"),
        ("/readyz", 200, "Readiness"),
        ("/v1/openapi.json", 200, "Document"),
        ("/v1/files/4000000", 404, "Problem"),
        ("/v1/files?limit=0", 400, "Problem"),
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let answer: Value = answer.json().await.unwrap();
        let problems: Vec<_> = validator(schema).iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{path}: {problems:?}");
    }
}

fn validator(schema: &str) -> Validator {
    let mut root = reference(schema);
    root["components"] = json!({ "schemas": super::schemas::all() });
    jsonschema::validator_for(&root).unwrap()
}

/// Where `make test` has installed it.
fn schemathesis() -> PathBuf {
    let clients = std::env::var_os("THUMBLINE_TEST_CLIENTS").map(PathBuf::from);
    let target = || std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "../target".into(), PathBuf::from);
    clients.unwrap_or_else(|| target().join("clients")).join("own/schemathesis/venv/bin/schemathesis")
}

/// Requests made up from the description, in the hundreds: none may end in a server error, with a status or media type
/// that is not described, or with a body of another shape.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis: run `make test`"]
async fn made_up_requests_are_answered_as_described() {
    const LIMIT: Duration = Duration::from_secs(180);
    let api = TestApi::start().await;
    let uploaded = api.upload("a.jpg", b"some bytes").await;
    api.succeed(uploaded, &[b"page"]).await;
    let program = schemathesis();
    let run = tokio::process::Command::new(&program)
        .args(["run", &format!("http://{}/v1/openapi.json", api.address)])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"])
        .args(["--checks", "response_schema_conformance", "--phases", "coverage,fuzzing"])
        // A stream goes on until the client has had enough; it has stories of its own.
        .args(["--exclude-path", "/v1/events"])
        .args(["--max-examples", "20", "--max-time", "45", "--request-timeout", "10", "--workers", "1"])
        .args(["--generation-deterministic", "--no-color", "--warnings", "off"])
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ran = tokio::time::timeout(LIMIT, run).await.expect("it ends within its limit");
    let ran = ran.unwrap_or_else(|error| panic!("{} cannot be started: {error}", program.display()));
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}{}", String::from_utf8_lossy(&ran.stderr));
    println!("{told}");
}
