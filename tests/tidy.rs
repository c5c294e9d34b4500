//! Rules of the house as tests; each message says why the rule is there.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the tree must fail")]

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust source file of ours.
fn sources(below: &[&str]) -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    below.iter().for_each(|directory| walk(&root().join(directory), &mut found));
    assert!(found.len() > 3, "the walk finds no sources");
    found
}

/// The names in `[dependencies]` (not the development ones) of a package.
fn dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = read(manifest).parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn packages_import_only_what_the_picture_allows() {
    // ARCHITECTURE.md, "Rooms": all arrows point down to `shared`; roles and adapters never import one another.
    let ours = ["shared", "adapters", "render", "worker", "api", "thumbline"];
    let outside =
        ["tokio", "sea-orm", "sea-orm-migration", "lapin", "aws-sdk-s3", "image", "axum", "reqwest", "metrics"];
    let rooms: [(&str, &[&str]); 5] = [
        ("shared/Cargo.toml", &[]),
        (
            "shared/adapters/Cargo.toml",
            &["shared", "tokio", "sea-orm", "sea-orm-migration", "lapin", "aws-sdk-s3", "metrics"],
        ),
        ("worker/render/Cargo.toml", &["shared", "image"]),
        ("worker/Cargo.toml", &["shared", "render", "tokio", "metrics"]),
        ("api/Cargo.toml", &["shared", "tokio", "axum", "metrics"]),
    ];
    for (manifest, allowed) in rooms {
        for name in dependencies(manifest) {
            let guarded = ours.contains(&name.as_str()) || outside.contains(&name.as_str());
            assert!(
                !guarded || allowed.contains(&name.as_str()),
                "{manifest} may not import {name}: see ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn chaos_believes_nothing_that_the_product_believes() {
    let imported = dependencies("tests/chaos/Cargo.toml");
    for ours in ["shared", "adapters", "render", "worker", "api", "thumbline"] {
        assert!(!imported.iter().any(|name| name == ours), "tests/chaos may not import {ours}: it checks it");
    }
}

#[test]
fn no_release_has_the_test_hooks() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    assert!(manifest["features"].get("default").is_none(), "a default feature would be in every release");
    for built_by in ["Dockerfile", ".ci/run", "scripts/test-servers", "docker-compose.yml"] {
        assert!(!read(built_by).contains("test-hooks"), "{built_by} builds what can be told to lose uploads");
    }
    let makefile = read("Makefile");
    let with_hooks: Vec<&str> = makefile.lines().filter(|line| line.contains("test-hooks")).collect();
    assert_eq!(with_hooks.len(), 1, "only `make chaos` builds it: {with_hooks:?}");
    assert!(!with_hooks[0].contains("release"), "{}", with_hooks[0]);
}

#[test]
fn only_the_platform_names_concrete_adapters() {
    for path in sources(&["src"]) {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let composes = ["src/platform.rs", "src/config/mod.rs", "src/roles.rs", "src/doctor.rs", "src/ops.rs"];
        let text = read(&path);
        assert!(
            composes.contains(&name.as_str()) || !text.contains("adapters::"),
            "{name} names an adapter: the rest of the executable sees ports only"
        );
    }
}

#[test]
fn the_all_in_one_is_no_mode_of_the_code() {
    for path in sources(&["api/src", "worker/src", "worker/render/src", "shared/src"]) {
        let text = read(&path).to_lowercase();
        assert!(
            !text.contains("all-in-one") && !text.contains("all_in_one"),
            "{}: roles do not know the shape",
            path.display()
        );
    }
}

#[test]
fn the_core_and_the_engine_read_no_clock_no_environment_and_no_file() {
    for path in sources(&["shared/src", "worker/render/src"]) {
        let text = read(&path);
        for outside in ["SystemTime", "Instant::now", "std::env::", "std::fs", "std::net", "std::thread::spawn"] {
            let shown = path.display();
            assert!(!text.contains(outside), "{shown} uses {outside}: such things come in as arguments");
        }
    }
}

#[test]
fn every_file_says_first_what_lives_there() {
    for path in
        sources(&["src", "api/src", "worker/src", "worker/render/src", "shared/src", "shared/adapters/src", "tests"])
    {
        let text = read(&path);
        assert!(text.starts_with("//! "), "{} does not begin with a sentence on what lives there", path.display());
    }
}

#[test]
fn names_that_say_nothing_are_not_used() {
    const EMPTY: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];
    for path in
        sources(&["src", "api/src", "worker/src", "worker/render/src", "shared/src", "shared/adapters/src", "tests"])
    {
        for part in path.strip_prefix(root()).unwrap().iter() {
            let stem = Path::new(part).file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(!EMPTY.contains(&stem.as_str()), "{}: name the thing that lives there", path.display());
        }
    }
}

#[test]
fn every_key_of_the_defaults_is_explained() {
    let mut explained = false;
    let mut keys = 0;
    for line in read("config.default.toml").lines() {
        match line.trim() {
            comment if comment.starts_with('#') => explained = true,
            "" => explained = false,
            section if section.starts_with('[') => explained = false,
            key => {
                assert!(explained, "{key:?} has no line above it that says what it does and in which unit");
                keys += 1;
            }
        }
    }
    assert!(keys > 40, "only {keys} keys were found");
}

#[test]
fn no_file_of_ours_outgrows_a_reader() {
    for path in
        sources(&["src", "api/src", "worker/src", "worker/render/src", "shared/src", "shared/adapters/src", "tests"])
    {
        let lines = read(&path).lines().count();
        assert!(lines <= 700, "{} has {lines} lines: split it", path.display());
    }
}

#[test]
fn every_fixture_has_an_origin_and_a_licence() {
    let listed = read("tests/fixtures/README.md");
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("tests/fixtures")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || listed.contains(&name), "tests/fixtures/{name} is not listed in its README.md");
        count += 1;
    }
    assert!(count > 1, "there are no fixtures");
    let samples = read("src/demo/samples/README.md");
    for entry in std::fs::read_dir(root().join("src/demo/samples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name == "README.md" || samples.contains(&name),
            "src/demo/samples/{name} is not listed in its README.md"
        );
    }
}

#[test]
fn the_metrics_page_lists_every_metric() {
    let page = read("docs/METRICS.md");
    for metric in shared::telemetry::ALL {
        let line = format!("| `{}` | {} | {} |", metric.name, kind(metric.kind), metric.help.trim());
        assert!(
            page.contains(&line),
            "docs/METRICS.md lacks this line (it is written from shared/src/telemetry.rs):\n{line}"
        );
    }
    let lines = page.lines().filter(|line| line.starts_with("| `thumbline_")).count();
    assert_eq!(lines, shared::telemetry::ALL.len(), "docs/METRICS.md lists metrics that no longer exist");
}

fn kind(kind: shared::telemetry::Kind) -> &'static str {
    match kind {
        shared::telemetry::Kind::Counter => "counter",
        shared::telemetry::Kind::Gauge => "gauge",
        shared::telemetry::Kind::Histogram => "histogram",
    }
}
