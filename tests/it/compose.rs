//! `docker-compose.yml` without Docker: valid by the Compose Specification, and its commands and variables are ours.

use std::path::Path;

use serde_json::Value;

use crate::harness::process::thumbline;

/// Services that run our own executable.
const OURS: [&str; 3] = ["migrate", "api", "worker"];

/// A YAML file of the tree, merge keys resolved.
fn yaml(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The service with its variables replaced by their defaults, as on a machine without `.env`.
fn service(name: &str) -> Value {
    let service = &yaml("docker-compose.yml")["services"][name];
    assert!(service.is_object(), "there is no service {name}");
    serde_json::from_str(&with_defaults(&service.to_string())).unwrap()
}

/// Puts the default in the place of every `${NAME:-default}`.
fn with_defaults(text: &str) -> String {
    let mut rest = text;
    let mut resolved = String::new();
    while let Some((before, variable)) = rest.split_once("${") {
        let (expression, after) = variable.split_once('}').expect("the variable ends");
        let (_, default) = expression.split_once(":-").expect("every variable has a default");
        resolved.extend([before, default]);
        rest = after;
    }
    resolved + rest
}

/// The service's settings of ours, as a process gets them.
fn settings(service: &Value) -> Vec<(String, String)> {
    let environment = service["environment"].as_object().expect("the environment is a mapping");
    let text = |value: &Value| value.as_str().expect("variables are text").to_owned();
    environment.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[test]
fn both_files_are_valid_by_the_compose_specification() {
    let specification: Value = serde_json::from_str(include_str!("../fixtures/compose-spec.json")).unwrap();
    let schema = jsonschema::validator_for(&specification).unwrap();
    for name in ["docker-compose.yml", "scripts/test-servers.compose.yml"] {
        let file = yaml(name);
        let problems: Vec<String> =
            schema.iter_errors(&file).map(|problem| format!("{}: {problem}", problem.instance_path())).collect();
        assert!(problems.is_empty(), "{name}:\n{}", problems.join("\n"));
    }
    let mut broken = yaml("docker-compose.yml");
    broken["services"]["api"]["ports"] = "8080".into();
    assert!(!schema.is_valid(&broken), "the schema refuses nothing");
}

#[test]
fn every_variable_of_ours_is_a_key_and_every_value_is_accepted() {
    for name in OURS {
        let settings = settings(&service(name));
        assert!(settings.iter().all(|(name, _)| name.starts_with("THUMBLINE__")), "{settings:?}");
        let output = thumbline(&["config", "--json"]).envs(settings).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn our_services_run_commands_that_exist_and_ask_for_health_with_one() {
    for name in OURS {
        let service = service(name);
        assert_eq!(service["command"], serde_json::json!([name]));
        assert!(thumbline(&[name, "--help"]).output().unwrap().status.success(), "thumbline {name}");
        let health = &service["healthcheck"];
        let asks = health["test"] == serde_json::json!(["CMD", "thumbline", "health"]);
        assert!(asks || (name == "migrate" && health["disable"] == true), "{name}: {health}");
    }
    assert!(thumbline(&["health", "--help"]).output().unwrap().status.success());
}

#[test]
fn workers_can_be_scaled_and_nothing_starts_before_the_schema_is_there() {
    let worker = service("worker");
    assert!(worker["container_name"].is_null() && worker["ports"].is_null(), "a second worker would collide: {worker}");
    for name in ["api", "worker"] {
        assert_eq!(service(name)["depends_on"]["migrate"]["condition"], "service_completed_successfully");
    }
}

#[test]
fn data_live_in_named_volumes() {
    let file = yaml("docker-compose.yml");
    let volumes = file["volumes"].as_object().unwrap();
    for (name, service) in file["services"].as_object().unwrap() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let (source, _) = volume.as_str().unwrap().split_once(':').unwrap();
            assert!(volumes.contains_key(source), "{name} mounts {source}, which is not declared");
        }
    }
    assert!(["postgres", "rabbitmq", "s3"].iter().all(|name| volumes.contains_key(*name)));
}
