//! Small sizes in one object: what is put, what is served, and when it goes.

use std::collections::BTreeMap;

use crate::harness::pictures;
use crate::harness::process::thumbline;
use crate::harness::servers::Production;

const SMALL: [&str; 4] = ["jpg_thumb_32x32", "jpg_thumb_94x94", "jpg_160x160", "jpg_320x320"];
const LARGE: &str = "jpg_1024x1024";

/// What `thumbline render` makes of these bytes, which knows nothing of objects; by preset.
fn rendered(picture: &[u8]) -> BTreeMap<&'static str, Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source.jpg");
    std::fs::write(&source, picture).unwrap();
    let presets: Vec<_> = SMALL.into_iter().chain([LARGE]).collect();
    let mut render = thumbline(&["render", "--preset", &presets.join(","), "--out"]);
    let output = render.arg(directory.path()).arg(&source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = |preset| (preset, std::fs::read(directory.path().join(format!("source.{preset}.jpg"))).unwrap());
    presets.into_iter().map(bytes).collect()
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn small_sizes_take_one_object_and_are_served_as_if_they_were_alone() {
    let picture = pictures::jpeg(1600, 1200);
    let expected = rendered(&picture);
    let longest = SMALL.map(|preset| expected[preset].len()).into_iter().max().unwrap();
    assert!(expected[LARGE].len() > longest);
    let production = Production::start(1, &[("THUMBLINE__WORKER__PACK_BYTES_MAX", &longest.to_string())]).await;
    let client = production.client();
    let mut files = Vec::new();
    for key in ["one.jpg", "two.jpg"] {
        production.put_source(key, &picture).await;
        production.publish_upload(key, "1").await;
        files.push(client.settled(&production.file_of(key).await).await);
    }
    let puts = Production::ops(&production.workers[0]).metric("thumbline_blob_requests_total{operation=\"put\"}").await;
    assert!((puts - 2.0).abs() < 0.1, "{puts} puts: the large size, and the four small ones; none for equal content");
    let mut objects = production.blobs().await;
    objects.sort_unstable();
    assert_eq!(objects.len(), 2, "{objects:?}");
    assert!(objects[0].starts_with("some/prefix/packs/acme/"), "{objects:?}");
    assert!(objects[1].starts_with("some/prefix/representations/acme/"), "{objects:?}");

    for file in &files {
        let (id, version) = (file["id"].as_str().unwrap(), file["version"]["id"].as_str().unwrap());
        for (preset, bytes) in &expected {
            let path = format!("/2.0/internal_files/{id}/versions/{version}/representations/{preset}/content/");
            let whole = client.get(&path).await;
            assert_eq!(whole.status().as_u16(), 200, "{path}");
            assert!(whole.bytes().await.unwrap() == *bytes, "{path} is not what a render alone makes");
            let tail = client.get_with(&path, ("range", "bytes=-7")).await;
            assert_eq!(tail.status().as_u16(), 206, "{path}");
            assert_eq!(tail.bytes().await.unwrap(), bytes[bytes.len() - 7..], "{path}");
            let beyond = client.get_with(&path, ("range", &format!("bytes={}-", bytes.len()))).await;
            assert_eq!(beyond.status().as_u16(), 416, "{path}: its neighbour's bytes");
        }
    }

    // The pack goes with the last file that has a part of it.
    for (file, left) in files.iter().zip([2, 0]) {
        let id = file["id"].as_str().unwrap();
        for path in [format!("/2.0/files/{id}"), format!("/2.0/files/{id}/trash")] {
            assert_eq!(client.delete(&path).await.status().as_u16(), 204, "{path}");
        }
        production.execute("UPDATE condemned_blob SET since = 0, condemned_at = 1 WHERE taken_at IS NULL").await;
        let collected = production.command("gc --apply --no-wait --json").output().unwrap();
        assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
        assert_eq!(production.blobs().await.len(), left);
    }
    production.finish().await;
}
