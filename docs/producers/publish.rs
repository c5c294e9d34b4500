//! Tells Thumbline of an upload, with lapin: the function that a producer calls after its upload.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};

/// Publishes the event and returns once the broker has it in a queue. Keep the connection in a real producer.
pub async fn announce(url: &str, exchange: &str, bucket: &str, key: &str) -> Result<(), Box<dyn std::error::Error>> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let event = serde_json::json!({ "bucket": bucket, "key": key, "version_id": "1" });
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default().with_content_type("application/json".into()).with_delivery_mode(2);
    let routing_key = "thumbline.file.uploaded".into();
    let confirm =
        channel.basic_publish(exchange.into(), routing_key, options, event.to_string().as_bytes(), properties).await?;
    match confirm.await? {
        Confirmation::Ack(None) => {}
        other => return Err(format!("the broker did not take the event: {other:?}").into()),
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}
