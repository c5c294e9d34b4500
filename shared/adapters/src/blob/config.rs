//! Sections `[blobs]` and `[[sources]]` of the configuration, and what they take over from each other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::domain::access::Access;
use shared::domain::ids::Tenant;
use shared::domain::source::{AllowedBucket, OwnBlobs};

/// The region that is signed for when none is named; most stores other than Amazon's do not look at it.
const REGION_DEFAULT: &str = "us-east-1";

/// Section `[blobs]`; `config.default.toml` explains every key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `file:DIRECTORY` or `s3://bucket/prefix`.
    pub url: String,
    /// S3 endpoint; empty: Amazon's for the region.
    pub endpoint: String,
    /// S3 region; empty: `us-east-1`.
    pub region: String,
    /// Buckets as part of the path rather than of the host name.
    pub path_style: bool,
    /// S3 access key.
    pub access_key_id: String,
    /// S3 secret key.
    pub secret_access_key: String,
    /// S3 session token, for temporary credentials.
    pub session_token: String,
    /// Longest wait for one try of a request, seconds.
    pub timeout_seconds: u64,
    /// Tries of one request.
    pub tries_max: u32,
}

/// One entry of `[[sources]]`: a bucket that events may name. What is left out is that of `[blobs]`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceBucketConfig {
    /// The name that events use.
    pub bucket: String,
    /// Whose files these are when the event does not say.
    #[serde(default = "default_tenant")]
    pub tenant: Tenant,
    /// `s3://bucket/prefix` or `file:DIRECTORY`; left out: `s3://` and the name.
    pub url: Option<String>,
    /// S3 endpoint.
    pub endpoint: Option<String>,
    /// S3 region.
    pub region: Option<String>,
    /// Buckets as part of the path rather than of the host name.
    pub path_style: Option<bool>,
    /// S3 access key.
    pub access_key_id: Option<String>,
    /// S3 secret key.
    pub secret_access_key: Option<String>,
    /// S3 session token.
    pub session_token: Option<String>,
    /// Who may see the files when the event does not say; left out: operators only.
    pub access: Option<Access>,
}

/// What the standard AWS variables say.
#[derive(Clone, Default)]
pub struct AwsEnvironment {
    endpoint: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
}

/// Where a URL points.
pub(super) enum Location {
    Directory(PathBuf),
    Bucket { bucket: String, prefix: String },
}

/// How an S3 server is reached.
#[derive(Clone)]
pub(super) struct S3Settings {
    /// `None`: Amazon's for the region.
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) path_style: bool,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: Option<String>,
    /// Longest wait for one try.
    pub(super) timeout: Duration,
    pub(super) tries_max: u32,
}

impl AwsEnvironment {
    /// From the variables of a process, without looking at them anywhere else.
    pub fn from_map(variables: &BTreeMap<String, String>) -> Self {
        let first = |names: &[&str]| {
            let found = names.iter().filter_map(|name| variables.get(*name)).find(|value| !value.is_empty());
            found.cloned().unwrap_or_default()
        };
        Self {
            endpoint: first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
            region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
            access_key_id: first(&["AWS_ACCESS_KEY_ID"]),
            secret_access_key: first(&["AWS_SECRET_ACCESS_KEY"]),
            session_token: first(&["AWS_SESSION_TOKEN"]),
        }
    }
}

impl Config {
    /// Fills what is empty from the AWS variables; credentials only as a whole, never half from here and half from
    /// there.
    pub fn fill_from_aws(&mut self, aws: &AwsEnvironment) {
        fill(&mut self.endpoint, &aws.endpoint);
        fill(&mut self.region, &aws.region);
        if self.access_key_id.is_empty() && self.secret_access_key.is_empty() && self.session_token.is_empty() {
            self.access_key_id.clone_from(&aws.access_key_id);
            self.secret_access_key.clone_from(&aws.secret_access_key);
            self.session_token.clone_from(&aws.session_token);
        }
    }

    /// Adds everything that is wrong with this section.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        match self.location() {
            Err(problem) => problems.push(problem),
            Ok(Location::Bucket { .. }) => check_s3("blobs", &self.s3_settings(), problems),
            Ok(Location::Directory(_)) => {}
        }
        if !(1..=3600).contains(&self.timeout_seconds) {
            problems.push(Problem::new("blobs.timeout_seconds", self.timeout_seconds, "use 1 to 3600"));
        }
        if !(1..=20).contains(&self.tries_max) {
            problems.push(Problem::new("blobs.tries_max", self.tries_max, "use 1 to 20"));
        }
    }

    pub(super) fn location(&self) -> Result<Location, Problem> {
        location("blobs.url", &self.url)
    }

    pub(super) fn s3_settings(&self) -> S3Settings {
        S3Settings {
            endpoint: Some(self.endpoint.clone()).filter(|endpoint| !endpoint.is_empty()),
            region: if self.region.is_empty() { REGION_DEFAULT.to_owned() } else { self.region.clone() },
            path_style: self.path_style,
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: Some(self.session_token.clone()).filter(|token| !token.is_empty()),
            timeout: Duration::from_secs(self.timeout_seconds),
            tries_max: self.tries_max,
        }
    }

    /// Whether anything here says that there is an S3 server.
    fn knows_s3(&self) -> bool {
        matches!(self.location(), Ok(Location::Bucket { .. })) || !self.access_key_id.is_empty()
    }
}

impl SourceBucketConfig {
    /// What intake needs to know of this bucket.
    pub fn allowed(&self, blobs: &Config) -> (String, AllowedBucket) {
        let allowed = AllowedBucket {
            tenant: self.tenant.clone(),
            default_access: self.access.clone(),
            own_blobs: self.own_blobs(blobs),
        };
        (self.bucket.clone(), allowed)
    }

    /// Where our own blobs lie in this bucket, if they lie in it.
    fn own_blobs(&self, blobs: &Config) -> Option<OwnBlobs> {
        let (Ok(Location::Bucket { bucket: ours, prefix: blobs_prefix }), Ok(Location::Bucket { bucket, prefix })) =
            (blobs.location(), self.location(""))
        else {
            return None;
        };
        let same_server = self.s3_settings(blobs).endpoint == blobs.s3_settings().endpoint;
        (bucket == ours && same_server).then_some(OwnBlobs { source_prefix: prefix, blobs_prefix })
    }

    pub(super) fn location(&self, key: &str) -> Result<Location, Problem> {
        match &self.url {
            Some(url) => location(&format!("{key}.url"), url),
            None => Ok(Location::Bucket { bucket: self.bucket.clone(), prefix: String::new() }),
        }
    }

    /// What this entry says of its S3 server; what it leaves out as in `[blobs]`.
    pub(super) fn s3_settings(&self, blobs: &Config) -> S3Settings {
        let mut merged = blobs.clone();
        let texts = [(&mut merged.endpoint, &self.endpoint), (&mut merged.region, &self.region)];
        for (text, own) in texts {
            if let Some(own) = own {
                text.clone_from(own);
            }
        }
        if let Some(path_style) = self.path_style {
            merged.path_style = path_style;
        }
        if self.access_key_id.is_some() || self.secret_access_key.is_some() {
            merged.access_key_id = self.access_key_id.clone().unwrap_or_default();
            merged.secret_access_key = self.secret_access_key.clone().unwrap_or_default();
            merged.session_token = self.session_token.clone().unwrap_or_default();
        }
        merged.s3_settings()
    }

    fn knows_s3(&self) -> bool {
        self.url.is_some() || self.endpoint.is_some() || self.access_key_id.is_some()
    }
}

/// Adds everything that is wrong with the `[[sources]]`.
pub fn check_sources(sources: &[SourceBucketConfig], blobs: &Config, problems: &mut Vec<Problem>) {
    for (index, source) in sources.iter().enumerate() {
        let key = format!("sources[{index}]");
        if source.bucket.is_empty() {
            problems.push(Problem::new(format!("{key}.bucket"), "(empty)", "name the bucket as events name it"));
        }
        if sources[..index].iter().any(|other| other.bucket == source.bucket) {
            problems.push(Problem::new(format!("{key}.bucket"), &source.bucket, "name each bucket once"));
        }
        if !source.knows_s3() && !blobs.knows_s3() {
            let remedy = format!(
                "nothing says where bucket {:?} is: set {key}.url to file:DIRECTORY or s3://bucket with an endpoint and \
                 credentials, or let blobs.url be an s3:// one whose server has this bucket too",
                source.bucket
            );
            problems.push(Problem::new(format!("{key}.url"), "(empty)", remedy));
            continue;
        }
        match source.location(&key) {
            Err(problem) => problems.push(problem),
            Ok(Location::Bucket { .. }) => check_s3(&key, &source.s3_settings(blobs), problems),
            Ok(Location::Directory(_)) => {}
        }
    }
}

fn check_s3(section: &str, settings: &S3Settings, problems: &mut Vec<Problem>) {
    if let Some(endpoint) = &settings.endpoint {
        let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/') || host.contains(['@', ' '])) {
            let remedy = "use http://host:port or https://host, without user and password";
            problems.push(Problem::new(format!("{section}.endpoint"), "(not such a URL)", remedy));
        }
    }
    if settings.access_key_id.is_empty() {
        let remedy = "an S3 store needs credentials: set it, or AWS_ACCESS_KEY_ID";
        problems.push(Problem::new(format!("{section}.access_key_id"), "(empty)", remedy));
    }
    if settings.secret_access_key.is_empty() {
        let remedy = "an S3 store needs credentials: set it, or AWS_SECRET_ACCESS_KEY";
        problems.push(Problem::new(format!("{section}.secret_access_key"), "(empty)", remedy));
    }
}

fn location(key: &str, url: &str) -> Result<Location, Problem> {
    let invalid = || Problem::new(key, url, "use file:DIRECTORY or s3://bucket/prefix");
    if let Some(path) = url.strip_prefix("file:") {
        // file:///absolute is the same as file:/absolute.
        let path = path.strip_prefix("//").unwrap_or(path);
        return if path.is_empty() { Err(invalid()) } else { Ok(Location::Directory(path.into())) };
    }
    let rest = url.strip_prefix("s3://").ok_or_else(invalid)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(invalid());
    }
    let prefix = prefix.trim_end_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(Location::Bucket { bucket: bucket.to_owned(), prefix })
}

fn fill(value: &mut String, from: &str) {
    if value.is_empty() {
        from.clone_into(value);
    }
}

#[expect(clippy::expect_used, reason = "a constant that is a tenant's name")]
fn default_tenant() -> Tenant {
    "default".parse().expect("a tenant's name")
}

/// Never shows credentials.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Config");
        shown.field("url", &self.url).field("endpoint", &self.endpoint).field("region", &self.region);
        shown.finish_non_exhaustive()
    }
}

/// Never shows credentials.
impl fmt::Debug for SourceBucketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SourceBucketConfig");
        shown.field("bucket", &self.bucket).field("tenant", &self.tenant).field("url", &self.url);
        shown.field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Never shows credentials.
impl fmt::Debug for AwsEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AwsEnvironment");
        shown.field("endpoint", &self.endpoint).field("region", &self.region).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
