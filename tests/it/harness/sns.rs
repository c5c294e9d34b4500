//! The one call to make a notification topic at a store; stores speak Amazon's SNS for it.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::servers::S3;

const FORM: &str = "application/x-www-form-urlencoded";

/// Makes a topic with these attributes; returns its name as notifications want it.
pub(super) async fn create_topic(store: &S3, name: &str, attributes: &[(&str, &str)]) -> String {
    let mut form = format!("Action=CreateTopic&Version=2010-03-31&Name={name}");
    for (number, (key, value)) in (1..).zip(attributes) {
        let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        form.push_str(&format!("&Attributes.entry.{number}.key={key}&Attributes.entry.{number}.value={value}"));
    }
    let credentials = aws_credential_types::Credentials::from_keys(&store.access_key, &store.secret_key, None);
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sns")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("{}/", store.endpoint);
    let headers = [("content-type", FORM)].into_iter();
    let request = SignableRequest::new("POST", &url, headers, SignableBody::Bytes(form.as_bytes())).unwrap();
    let (signed, _) = sign(request, &parameters).unwrap().into_parts();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(&url).header("content-type", FORM);
    for (name, value) in signed.headers() {
        request = request.header(name, value);
    }
    let answer = request.body(form).send().await.unwrap().text().await.unwrap();
    let arn = answer.split_once("<TopicArn>").and_then(|(_, rest)| rest.split_once("</TopicArn>"));
    arn.unwrap_or_else(|| panic!("no topic: {answer}")).0.to_owned()
}
