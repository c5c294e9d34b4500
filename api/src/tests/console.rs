//! The console: one page that needs nothing from elsewhere and runs nothing but its own script.

use super::harness::{Setup, TestApi};
use crate::auth::Mode;

#[tokio::test]
async fn the_shell_is_public_and_only_its_own_script_runs() {
    let api = TestApi::with(Setup { mode: Mode::Token, ..Setup::default() }).await;
    let response = api.get("/").await;
    assert_eq!(response.status(), 200);
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let page = response.text().await.unwrap();
    let nonce = policy.split("script-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert_eq!(nonce.len(), 32);
    assert!(
        page.contains(&format!("<script nonce=\"{nonce}\">")) && page.contains(&format!("<style nonce=\"{nonce}\">"))
    );
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains("img-src 'self';"), "{policy}");
    let again = api.get("/").await;
    assert!(!again.headers()["content-security-policy"].to_str().unwrap().contains(nonce), "nonces are used once");
}

#[test]
fn the_page_is_self_contained_and_writes_no_markup() {
    let page = include_str!("../../assets/console.html");
    for foreign in ["http://", "https://", "//cdn", "@import", "url(", " src=\"", "eval(", "style=\""] {
        assert!(!page.contains(foreign), "the page has {foreign}");
    }
    for unsafe_sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", " onclick"] {
        assert!(!page.contains(unsafe_sink), "the page uses {unsafe_sink}");
    }
}
