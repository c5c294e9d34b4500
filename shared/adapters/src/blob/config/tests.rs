//! What the sections accept, refuse, and take over from each other.

use super::*;

fn blobs(url: &str) -> Config {
    serde_json::from_value(serde_json::json!({
        "url": url, "endpoint": "", "region": "", "path_style": true, "access_key_id": "", "secret_access_key": "",
        "session_token": "", "timeout_seconds": 30, "tries_max": 3,
    }))
    .unwrap()
}

fn source(entry: serde_json::Value) -> SourceBucketConfig {
    serde_json::from_value(entry).unwrap()
}

fn aws(variables: &[(&str, &str)]) -> AwsEnvironment {
    AwsEnvironment::from_map(&variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

fn keys(check: impl FnOnce(&mut Vec<Problem>)) -> Vec<String> {
    let mut problems = Vec::new();
    check(&mut problems);
    problems.into_iter().map(|problem| problem.key).collect()
}

#[test]
fn locations_are_told_apart() {
    for (url, path) in [("file:data/blobs", "data/blobs"), ("file:/data", "/data"), ("file:///data", "/data")] {
        assert!(matches!(blobs(url).location(), Ok(Location::Directory(found)) if found.as_os_str() == path), "{url}");
    }
    for (url, expected) in [("s3://b", ""), ("s3://b/", ""), ("s3://b/p", "p/"), ("s3://b/p/q/", "p/q/")] {
        let Ok(Location::Bucket { bucket, prefix }) = blobs(url).location() else { panic!("{url}") };
        assert_eq!((bucket.as_str(), prefix.as_str()), ("b", expected), "{url}");
    }
    for bad in ["", "file:", "file://", "s3://", "s3:///p", "http://b", "b"] {
        assert_eq!(keys(|problems| blobs(bad).check(problems)), ["blobs.url"], "{bad}");
    }
}

#[test]
fn s3_without_credentials_is_refused_and_the_aws_variables_give_them() {
    let mut config = blobs("s3://b");
    assert_eq!(keys(|problems| config.check(problems)), ["blobs.access_key_id", "blobs.secret_access_key"]);
    config.fill_from_aws(&aws(&[
        ("AWS_ACCESS_KEY_ID", "AK"),
        ("AWS_SECRET_ACCESS_KEY", "SK"),
        ("AWS_SESSION_TOKEN", "ST"),
        ("AWS_ENDPOINT_URL", "http://any"),
        ("AWS_ENDPOINT_URL_S3", "http://s3"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ]));
    assert_eq!(keys(|problems| config.check(problems)), Vec::<String>::new());
    let settings = config.s3_settings();
    assert_eq!(settings.endpoint.as_deref(), Some("http://s3"));
    assert_eq!(settings.region, "eu-west-1");
    assert_eq!(settings.session_token.as_deref(), Some("ST"));
    assert_eq!(blobs("s3://b").s3_settings().region, REGION_DEFAULT);
}

#[test]
fn credentials_are_never_mixed() {
    let mut config = Config { access_key_id: "mine".into(), secret_access_key: "mine".into(), ..blobs("s3://b") };
    config.fill_from_aws(&aws(&[("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SESSION_TOKEN", "ST")]));
    let settings = config.s3_settings();
    assert_eq!((settings.access_key_id.as_str(), settings.session_token), ("mine", None));

    let other = source(serde_json::json!({"bucket": "u", "access_key_id": "theirs", "secret_access_key": "theirs"}));
    let config = Config { session_token: "mine".into(), ..config };
    assert_eq!(other.s3_settings(&config).session_token, None);
    assert_eq!(other.s3_settings(&config).access_key_id, "theirs");
}

#[test]
fn a_source_takes_over_what_it_leaves_out() {
    let config = Config {
        endpoint: "http://s3".into(),
        region: "r".into(),
        access_key_id: "AK".into(),
        secret_access_key: "SK".into(),
        ..blobs("s3://own")
    };
    let plain = source(serde_json::json!({"bucket": "u"}));
    assert_eq!(plain.tenant.as_str(), "default");
    let settings = plain.s3_settings(&config);
    assert_eq!(settings.endpoint.as_deref(), Some("http://s3"));
    assert_eq!(settings.secret_access_key, "SK");
    let Ok(Location::Bucket { bucket, .. }) = plain.location("sources[0]") else { panic!("not a bucket") };
    assert_eq!(bucket, "u");
    let elsewhere = source(serde_json::json!({"bucket": "u", "endpoint": "http://other", "path_style": false}));
    let settings = elsewhere.s3_settings(&config);
    assert_eq!((settings.endpoint.as_deref(), settings.path_style), (Some("http://other"), false));
}

#[test]
fn a_bucket_that_nobody_can_find_is_a_problem_with_both_keys() {
    let mut problems = Vec::new();
    check_sources(&[source(serde_json::json!({"bucket": "u"}))], &blobs("file:data"), &mut problems);
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert!(problem.key == "sources[0].url" && problem.remedy.contains("blobs.url"), "{problem}");

    let local = [source(serde_json::json!({"bucket": "u", "url": "file:/srv/u"}))];
    assert_eq!(keys(|problems| check_sources(&local, &blobs("file:data"), problems)), Vec::<String>::new());
}

#[test]
fn wrong_entries_are_named_by_their_number() {
    let sources = [
        source(serde_json::json!({"bucket": "u", "url": "file:/srv/u"})),
        source(serde_json::json!({"bucket": "u", "url": "ftp://u"})),
        source(serde_json::json!({"bucket": "v", "endpoint": "not a url", "access_key_id": "AK"})),
    ];
    let found = keys(|problems| check_sources(&sources, &blobs("file:data"), problems));
    let expected = ["sources[1].bucket", "sources[1].url", "sources[2].endpoint", "sources[2].secret_access_key"];
    assert_eq!(found, expected);
}

#[test]
fn secrets_are_never_shown_and_unknown_keys_refused() {
    let config = Config { secret_access_key: "hush".into(), session_token: "hush".into(), ..blobs("s3://b") };
    let entry = source(serde_json::json!({"bucket": "u", "secret_access_key": "hush"}));
    assert!(!format!("{config:?} {entry:?}").contains("hush"));
    let unknown = serde_json::json!({"bucket": "u", "pathstyle": true});
    assert!(serde_json::from_value::<SourceBucketConfig>(unknown).is_err());
}
