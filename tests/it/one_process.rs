//! The all-in-one shape: one process, SQLite, local files, the in-process queue.

use std::io::{Read as _, Write as _};

use reqwest::StatusCode;
use sea_orm::ConnectionTrait as _;
use shared::domain::webhook::Secret;
use tempfile::TempDir;

use crate::harness::client::{Client, representation, states};
use crate::harness::pictures::{self, BLUE, RED, decoded, is_near};
use crate::harness::process::{Process, thumbline};

/// One process with a data directory of its own.
struct OneProcess {
    process: Process,
    data: TempDir,
    settings: Vec<(&'static str, &'static str)>,
}

impl OneProcess {
    fn start(settings: &[(&'static str, &'static str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let process = Self::spawn(&data, settings);
        Self { process, data, settings: settings.to_vec() }
    }

    fn spawn(data: &TempDir, settings: &[(&str, &str)]) -> Process {
        let mut command = thumbline(&["all", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
        command.env("THUMBLINE__OPS__LISTEN", "").envs(settings.iter().copied());
        Process::start(command)
    }

    fn client(&self) -> Client {
        Client::new(self.process.address("api"), None)
    }

    fn kill_and_start_again(&mut self) {
        self.process.kill();
        self.process = Self::spawn(&self.data, &self.settings);
    }
}

#[tokio::test]
async fn an_upload_gets_every_eager_size() {
    let one = OneProcess::start(&[]);
    let client = one.client();
    let id = client.uploaded("wide.png", &pictures::png(1600, 800)).await;
    let file = client.settled(&id).await;
    let sizes = [
        ("jpg_thumb_32x32", 32, 32),
        ("jpg_thumb_94x94", 94, 94),
        ("jpg_160x160", 160, 80),
        ("jpg_320x320", 320, 160),
        ("jpg_1024x1024", 1024, 512),
    ];
    for (name, width, height) in sizes {
        let row = representation(&file, name);
        assert_eq!(
            (&row["state"], &row["width"], &row["height"]),
            (&"success".into(), &width.into(), &height.into()),
            "{row}"
        );
    }
    assert_eq!(states(&file).len(), sizes.len(), "lazy representations wait until somebody asks: {file}");

    let entry = client.entry(&id, "[jpg?dimensions=320x320]").await;
    let picture = decoded(&client.content(&entry, "").await);
    assert_eq!(picture.dimensions(), (320, 160));
    assert!(is_near(*picture.get_pixel(20, 80), RED) && is_near(*picture.get_pixel(300, 80), BLUE));
}

#[tokio::test]
async fn the_file_is_found_right_after_the_201_and_says_pending_until_it_is_done() {
    let one = OneProcess::start(&[]);
    let client = one.client();
    let id = client.uploaded("now.jpg", &pictures::jpeg(900, 600)).await;
    let entry = client.entry(&id, "[jpg?dimensions=94x94]").await;
    let state = entry["status"]["state"].as_str().unwrap().to_owned();
    assert!(state == "pending" || state == "success", "{entry}");
    client.settled(&id).await;
    assert_eq!(client.entry(&id, "[jpg?dimensions=94x94]").await["status"]["state"], "success");
}

#[tokio::test]
async fn a_lazy_representation_is_none_until_its_info_is_asked_for() {
    let one = OneProcess::start(&[]);
    let client = one.client();
    let id = client.uploaded("page.png", &pictures::png(3000, 1500)).await;
    client.settled(&id).await;
    let hint = "[png?dimensions=2048x2048]";
    let entry = client.entry(&id, hint).await;
    assert_eq!(entry["status"]["state"], "none");
    assert_eq!(client.entry(&id, hint).await["status"]["state"], "none", "a listing starts nothing");
    let info = client.json(entry["info"]["url"].as_str().unwrap()).await;
    assert_eq!(info["status"]["state"], "pending", "asking for the info starts it in that very call");
    client.settled(&id).await;
    let entry = client.entry(&id, hint).await;
    assert_eq!((&entry["status"]["state"], &entry["metadata"]["pages"]), (&"success".into(), &1.into()), "{entry}");
    assert_eq!(decoded(&client.content(&entry, "1.png").await).dimensions(), (2048, 1024));
}

#[tokio::test]
async fn jpg_2048_exists_for_jpeg_sources_only() {
    let one = OneProcess::start(&[]);
    let client = one.client();
    let png = client.uploaded("a.png", &pictures::png(64, 64)).await;
    let jpeg = client.uploaded("a.jpg", &pictures::jpeg(64, 64)).await;
    let preview = "[jpg?dimensions=2048x2048,png?dimensions=2048x2048]";
    assert_eq!(client.entry(&png, preview).await["representation"], "png");
    assert_eq!(client.entry(&jpeg, preview).await["representation"], "jpg");
}

#[tokio::test]
async fn what_looks_wrong_elsewhere_looks_right_here() {
    let one = OneProcess::start(&[]);
    let client = one.client();
    // Orientation 6: the camera lay on its side; upright, red is at the top.
    let turned = client.uploaded("turned.jpg", &pictures::jpeg_with_orientation(400, 200, 6)).await;
    let clear = client.uploaded("clear.png", &pictures::transparent_png(400)).await;
    let small = client.uploaded("small.png", &pictures::png(40, 20)).await;
    for id in [&turned, &clear, &small] {
        client.settled(id).await;
    }
    let upright = decoded(&client.content(&client.entry(&turned, "[jpg?dimensions=320x320]").await, "").await);
    assert_eq!(upright.dimensions(), (160, 320));
    assert!(is_near(*upright.get_pixel(80, 20), RED) && is_near(*upright.get_pixel(80, 300), BLUE));

    let matte = decoded(&client.content(&client.entry(&clear, "[jpg?dimensions=160x160]").await, "").await);
    assert!(is_near(*matte.get_pixel(5, 5), image::Rgb([255, 255, 255])), "transparency stands on white");
    assert!(is_near(*matte.get_pixel(80, 80), image::Rgb([0, 200, 0])));

    let never_larger = client.entry(&small, "[jpg?dimensions=1024x1024]").await;
    assert_eq!(decoded(&client.content(&never_larger, "").await).dimensions(), (40, 20));
}

#[tokio::test]
async fn what_cannot_be_rendered_ends_at_once_in_its_box_code() {
    let one = OneProcess::start(&[]);
    let client = one.client();
    let truncated = pictures::png(500, 500)[..60].to_vec();
    for (name, content, code) in [
        ("letter.docx", b"PK\x03\x04 not a picture".to_vec(), "error_unsupported_format"),
        ("empty.jpg", Vec::new(), "error_zero_byte_file"),
        ("cut.png", truncated, "error_conversion_failed"),
    ] {
        let id = client.uploaded(name, &content).await;
        let file = client.settled(&id).await;
        assert!(states(&file).iter().all(|(_, state)| state == "error"), "{name}: {file}");
        let entry = client.entry(&id, "[jpg?dimensions=94x94]").await;
        assert_eq!(entry["status"]["code"], code, "{name}");
        assert_eq!(representation(&file, "jpg_thumb_94x94")["attempts"], 1, "{name} is not tried again");
    }
}

#[tokio::test]
async fn presets_of_the_user_work_everywhere() {
    let presets = r##"[{name = "hero_webp", format = "webp", width = 300, height = 200, fit = "cover", trigger = "eager"},
                     {name = "dark_jpg", format = "jpg", width = 50, height = 50, matte = "#000000"}]"##;
    let one = OneProcess::start(&[("THUMBLINE__PRESETS", presets)]);
    let client = one.client();
    let id = client.uploaded("clear.png", &pictures::transparent_png(600)).await;
    let file = client.settled(&id).await;
    let hero = representation(&file, "hero_webp");
    assert_eq!((&hero["width"], &hero["height"]), (&300.into(), &200.into()), "{hero}");
    let entry = client.entry(&id, "[webp]").await;
    let bytes = client.content(&entry, "").await;
    assert_eq!(&bytes[8..12], b"WEBP");
    let dark = client.entry(&id, "[jpg?dimensions=50x50]").await;
    client.json(dark["info"]["url"].as_str().unwrap()).await;
    client.settled(&id).await;
    let dark = client.entry(&id, "[jpg?dimensions=50x50]").await;
    assert!(is_near(*decoded(&client.content(&dark, "").await).get_pixel(2, 2), image::Rgb([0, 0, 0])));
}

#[tokio::test]
async fn a_killed_process_loses_nothing() {
    let mut one = OneProcess::start(&[("THUMBLINE__WORKER__LEASE_SECONDS", "4")]);
    let client = one.client();
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(client.uploaded(&format!("{number}.png"), &pictures::png(2400 + number, 1800)).await);
    }
    one.kill_and_start_again();
    let client = one.client();
    for id in ids {
        let file = client.settled(&id).await;
        assert!(states(&file).iter().all(|(_, state)| state == "success"), "{file}");
    }
}

#[tokio::test]
async fn bad_uploads_get_the_contracts_errors_and_store_nothing() {
    let one = OneProcess::start(&[("THUMBLINE__API__UPLOAD_BYTES_MAX", "100000")]);
    let client = one.client();
    let too_large = client.upload("large.bin", &vec![7; 200_000]).await;
    assert_eq!(too_large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let broken =
        client.post("/2.0/files/content", "multipart/form-data; boundary=x", b"--x\r\nnonsense".to_vec()).await;
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
    let error: serde_json::Value = broken.json().await.unwrap();
    assert_eq!((&error["type"], &error["code"]), (&"error".into(), &"bad_request".into()), "{error}");
    let files = client.json("/v1/files").await;
    assert_eq!(files["files"].as_array().unwrap().len(), 0, "{files}");
    let sources = one.data.path().join("blobs/sources");
    assert!(!sources.exists() || std::fs::read_dir(sources).unwrap().next().is_none(), "something was stored");
}

#[tokio::test]
#[ignore = "mounts a small file system in a namespace of its own: run `make test`"]
async fn a_full_disk_is_507_and_leaves_nothing_half_stored() {
    let data = tempfile::tempdir().unwrap();
    let blobs = data.path().join("blobs");
    std::fs::create_dir(&blobs).unwrap();
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", r#"mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@""#])
        .arg(&blobs)
        .args([env!("CARGO_BIN_EXE_thumbline"), "all", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .env("THUMBLINE__OPS__LISTEN", "");
    let process = Process::start(command);
    let client = Client::new(process.address("api"), None);

    let refused = client.upload("noise.bin", &vec![7; 3_000_000]).await;
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    let error: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(error["type"], "error", "{error}");
    // The mount is seen through the process that made it.
    let seen = process.root().join(blobs.strip_prefix("/").unwrap());
    assert_eq!(files_below(&seen), Vec::<std::path::PathBuf>::new(), "something was left half-stored");

    let id = client.uploaded("small.png", &pictures::png(64, 64)).await;
    let file = client.settled(&id).await;
    assert!(states(&file).iter().all(|(_, state)| state == "success"), "there is room for small ones: {file}");
}

fn files_below(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn operators_see_what_happened() {
    let one = OneProcess::start(&[]);
    let client = one.client();
    let id = client.uploaded("seen.jpg", &pictures::jpeg(300, 200)).await;
    client.settled(&id).await;
    assert_eq!(client.get("/livez").await.status(), StatusCode::OK);
    assert_eq!(client.get("/readyz").await.status(), StatusCode::OK);
    let success = client.metric(r#"thumbline_renders_total{preset="jpg_thumb_32x32",state="success""#).await;
    assert!(success >= 1.0, "{success}");
    assert!(client.metric("thumbline_build_info{").await >= 1.0);
    let page = client.get("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let line = one.process.log_lines().into_iter().find(|line| line.contains("file version") && line.contains("jpeg"));
    assert!(line.is_some(), "one line per finished file version:\n{}", one.process.log_lines().join("\n"));
}

#[tokio::test]
async fn who_waits_listens_or_has_a_webhook_is_told_and_a_restart_loses_nothing() {
    let mut one = OneProcess::start(&[
        ("THUMBLINE__WEBHOOKS__ALLOW_PRIVATE_TARGETS", "true"),
        ("THUMBLINE__WEBHOOKS__TIMEOUT_SECONDS", "1"),
        ("THUMBLINE__WEBHOOKS__RETRY_SECONDS", "[1, 1, 2, 2, 2, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]"),
    ]);
    let client = one.client();
    // Somebody who will listen later.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}/");
    let wanted = serde_json::json!({ "url": url, "topics": ["file_version.completed"] }).to_string();
    let made = client.post("/v1/webhooks", "application/json", wanted.into_bytes()).await;
    let made: serde_json::Value = made.json().await.unwrap();
    let secret: Secret = made["secret"].as_str().unwrap().parse().unwrap();

    let mut stream = client.get("/v1/events").await;
    let id = client.uploaded("wide.png", &pictures::png(320, 160)).await;
    let file = client.json(&format!("/v1/files/{id}?wait=60")).await;
    assert!(states(&file).iter().all(|(_, state)| state == "success"), "{file}");
    let mut told = String::new();
    while !told.contains("event: file_version.completed") {
        told.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("the stream goes on")));
    }
    assert_eq!(told.matches("event: representation.success").count(), 5, "{told}");
    drop(stream);

    one.kill_and_start_again();
    let receiver = std::net::TcpListener::bind(address).unwrap();
    let delivered = tokio::task::spawn_blocking(move || receive(&receiver)).await.unwrap();
    let header = |name: &str| {
        let line = delivered.0.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", delivered.0)).to_owned()
    };
    let timestamp = header("webhook-timestamp").parse().unwrap();
    assert_eq!(header("webhook-signature"), secret.sign(&header("webhook-id"), timestamp, delivered.1.as_bytes()));
    let event: serde_json::Value = serde_json::from_str(&delivered.1).unwrap();
    assert_eq!((&event["data"]["file_id"], &event["type"]), (&id.into(), &"thumbline.file_version.completed".into()));
}

#[tokio::test]
async fn a_size_that_is_made_again_without_its_siblings_is_the_same() {
    let one = OneProcess::start(&[]);
    let client = one.client();
    let photo = include_bytes!("../../src/demo/samples/portrait-phone.jpg");
    let id = client.uploaded("photo.jpg", photo).await;
    client.settled(&id).await;
    let content = async |name: &str| {
        let file = client.json(&format!("/v1/files/{id}")).await;
        let path = format!(
            "/2.0/internal_files/{id}/versions/{}/representations/{name}/content/",
            file["version"]["id"].as_str().unwrap()
        );
        let answer = client.get(&path).await;
        (answer.status(), answer.bytes().await.unwrap())
    };
    let rows = sea_orm::Database::connect(format!("sqlite:{}", one.data.path().join("thumbline.db").display()));
    let rows = rows.await.unwrap();
    for name in ["jpg_thumb_32x32", "jpg_320x320"] {
        let before = content(name).await;
        assert_eq!(before.0, StatusCode::OK);
        let lost = rows.execute_unprepared(&format!("DELETE FROM representation WHERE preset = '{name}'")).await;
        assert_eq!(lost.unwrap().rows_affected(), 1);
        assert_eq!(content(name).await.0, StatusCode::ACCEPTED);
        client.settled(&id).await;
        assert!(content(name).await == before, "{name} is another picture than before");
    }
    rows.close().await.unwrap();
}

#[tokio::test]
async fn what_is_submitted_is_rendered() {
    let one = OneProcess::start(&[]);
    let photos = one.data.path().join("photos");
    std::fs::create_dir_all(photos.join("deeper")).unwrap();
    std::fs::write(photos.join("a.jpg"), pictures::jpeg(400, 300)).unwrap();
    std::fs::write(photos.join("deeper/b.png"), pictures::png(64, 64)).unwrap();
    let server = format!("http://{}", one.process.address("api"));
    let submit = |more: &[&str]| {
        let arguments = ["submit", photos.to_str().unwrap(), "--json", "--server"];
        let ran = thumbline(&[&arguments[..], more].concat()).output().unwrap();
        let lines = String::from_utf8(ran.stdout).unwrap();
        let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (ran.status.code(), lines)
    };
    let (code, lines) = submit(&[&server]);
    assert_eq!((code, lines.len()), (Some(0), 2), "{lines:?}");
    let picture = lines.iter().find(|line| line["file"] == "b.png").unwrap();
    assert_eq!(one.client().settled(picture["id"].as_str().unwrap()).await["version"]["width"], 64);

    let (code, lines) = submit(&[&server, "--wait"]);
    assert_eq!((code, lines.len()), (Some(0), 10), "{lines:?}");
    assert!(lines.iter().all(|line| line["state"] == "success"), "{lines:?}");
    std::fs::write(photos.join("c.png"), "not a picture").unwrap();
    let (code, lines) = submit(&[&server, "--wait"]);
    assert!(code == Some(1) && lines.iter().any(|line| line["code"] == "unsupported_format"), "{code:?} {lines:?}");
    assert_eq!(submit(&["http://127.0.0.1:9"]).0, Some(3));
    assert_eq!(submit(&["https://127.0.0.1:9"]).0, Some(2));
}

#[tokio::test]
async fn load_is_measured_and_leaves_nothing_behind() {
    let one = OneProcess::start(&[]);
    let picture = one.data.path().join("load.jpg");
    std::fs::write(&picture, pictures::jpeg(400, 300)).unwrap();
    let server = format!("http://{}", one.process.address("api"));
    let load = |server: &str, count: &str| {
        let arguments = ["bench", "load", picture.to_str().unwrap(), "--server", server, "--count", count];
        thumbline(&[&arguments[..], &["--rate", "50", "--at-once", "3", "--json"]].concat()).output().unwrap()
    };
    let ran = load(&server, "6");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}{}", String::from_utf8_lossy(&ran.stderr));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["uploads"], &told["failed"]), (&6.into(), &0.into()), "{told}");
    assert!(told["viewable_ms"]["p99"].as_f64() >= told["answered_ms"]["p50"].as_f64(), "{told}");
    let rendered = one.client().metric("thumbline_stage_duration_seconds_count{stage=\"render\"}").await;
    assert!(rendered >= 6.0, "each is a picture of its own: {rendered}");
    assert_eq!(one.client().json("/v1/files").await["files"].as_array().unwrap().len(), 0);
    assert_eq!(load("http://127.0.0.1:9", "2").status.code(), Some(3));
    assert_eq!(load("https://127.0.0.1:9", "2").status.code(), Some(2));
}

/// The head and the body of the first request, which is answered with a success.
fn receive(receiver: &std::net::TcpListener) -> (String, String) {
    loop {
        let (mut stream, _) = receiver.accept().unwrap();
        let mut request = String::new();
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            request.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
            let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap()
                && stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_ok()
            {
                return (head.to_owned(), body.to_owned());
            }
        }
    }
}
