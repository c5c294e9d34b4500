//! The README's first command, in a copy of the tree, as a newcomer runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::process::thumbline;

/// Copies what git tracks or would track, so that nothing that only this checkout has can help.
fn copy_of_the_tree(to: &Path) {
    let root = env!("CARGO_MANIFEST_DIR");
    let listed = Command::new("git")
        .args(["-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .unwrap();
    assert!(listed.status.success(), "git lists the tree");
    for name in String::from_utf8(listed.stdout).unwrap().split('\0').filter(|name| !name.is_empty()) {
        let source = Path::new(root).join(name);
        if source.is_file() {
            let target = to.join(name);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(source, target).unwrap();
        }
    }
}

fn target_directory() -> PathBuf {
    // The executable under test lies in <target>/<profile>/.
    Path::new(env!("CARGO_BIN_EXE_thumbline")).ancestors().nth(2).unwrap().to_owned()
}

#[test]
#[ignore = "builds a release in a copy of the tree: run `make test`"]
fn the_readmes_first_command_works_in_a_fresh_copy() {
    let copy = tempfile::tempdir().unwrap();
    copy_of_the_tree(copy.path());
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--", "demo", "--exit", "--listen", "127.0.0.1:0"])
        .current_dir(copy.path())
        .env("CARGO_TARGET_DIR", target_directory())
        .output()
        .unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{table}\n{}", String::from_utf8_lossy(&output.stderr));
    for expected in ["portrait-phone.jpg", "transparent.png", "jpg_thumb_32x32", "768x1024", "success"] {
        assert!(table.contains(expected), "{expected} is not in the table:\n{table}");
    }
    assert!(!table.contains("error"), "{table}");
    assert!(copy.path().join("thumbline-data/thumbline.db").is_file(), "the data lies below ./thumbline-data");
}

#[test]
fn the_demo_of_own_files_prints_lines_for_scripts_and_tells_failure() {
    let data = tempfile::tempdir().unwrap();
    let source = data.path().join("notes.txt");
    std::fs::write(&source, "not a picture").unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/samples/transparent.png");
    let output = thumbline(&["demo", "--exit", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path().join("data"))
        .args([&source, &samples])
        .output()
        .unwrap();
    let lines: Vec<serde_json::Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(output.status.code(), Some(1), "one of the two is not a picture: {lines:?}");
    let text = lines.iter().find(|line| line["file"] == "notes.txt").unwrap();
    assert_eq!((&text["state"], &text["code"]), (&"error".into(), &"unsupported_format".into()));
    let png =
        lines.iter().find(|line| line["file"] == "transparent.png" && line["representation"] == "jpg_160x160").unwrap();
    assert_eq!((&png["state"], &png["width"], &png["height"]), (&"success".into(), &160.into(), &120.into()));
    assert!(png["bytes"].as_u64() > Some(100) && png["elapsed_ms"].is_u64(), "{png}");
}

#[test]
fn files_that_are_not_there_are_told_before_anything_starts() {
    let output = thumbline(&["demo", "--exit", "/no/such/one.jpg", "/no/such/two.jpg"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("one.jpg") && said.contains("two.jpg"), "{said}");
}
