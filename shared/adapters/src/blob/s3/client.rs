//! The client of an S3 server: address, credentials, retries, timeouts.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::bucket::Bucket;
use crate::blob::config::S3Settings;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A client of one server with one set of credentials.
pub(in crate::blob) struct Client {
    sdk: aws_sdk_s3::Client,
    patience: Duration,
}

/// Connections to servers, for any number of clients. TLS by rustls on ring, like everywhere else here.
pub(in crate::blob) fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

impl Client {
    pub(in crate::blob) fn new(settings: &S3Settings, http: SharedHttpClient) -> Self {
        let credentials = Credentials::new(
            settings.access_key_id.clone(),
            settings.secret_access_key.clone(),
            settings.session_token.clone(),
            None,
            "configuration",
        );
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(settings.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(settings.path_style)
            .retry_config(retries(settings))
            .timeout_config(timeouts(settings))
            // Servers other than Amazon's know no checksums in trailers, or return none.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // Reads have their own bound on silence, and it also covers readers that are slow themselves.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(settings.endpoint.clone());
        #[cfg(feature = "test-hooks")]
        config.set_time_source(Some(wrong_clock()));
        Self { sdk: aws_sdk_s3::Client::from_conf(config.build()), patience: settings.timeout }
    }

    /// A bucket of this server; all keys get the prefix.
    pub(in crate::blob) fn bucket(self, name: String, prefix: String) -> Bucket {
        Bucket { sdk: self.sdk, name, prefix, patience: self.patience }
    }
}

/// Requests are signed with the time of this process: all that anybody else sees of its clock.
#[cfg(feature = "test-hooks")]
fn wrong_clock() -> aws_smithy_async::time::SharedTimeSource {
    #[derive(Debug)]
    struct Shifted;
    impl aws_smithy_async::time::TimeSource for Shifted {
        fn now(&self) -> std::time::SystemTime {
            let (now, shift) = (std::time::SystemTime::now(), shared::test_hooks::clock_shift_seconds());
            let by = Duration::from_secs(shift.unsigned_abs());
            if shift < 0 { now - by } else { now + by }
        }
    }
    aws_smithy_async::time::SharedTimeSource::new(Shifted)
}

fn retries(settings: &S3Settings) -> RetryConfig {
    RetryConfig::standard().with_max_attempts(settings.tries_max).with_max_backoff(PAUSE_MAX)
}

fn timeouts(settings: &S3Settings) -> TimeoutConfig {
    let all_tries = (settings.timeout + PAUSE_MAX) * settings.tries_max;
    TimeoutConfig::builder()
        .connect_timeout(settings.timeout)
        .operation_attempt_timeout(settings.timeout)
        .operation_timeout(all_tries)
        .build()
}
