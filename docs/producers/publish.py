"""Tells Thumbline of an upload, with pika: python publish.py AMQP_URL EXCHANGE BUCKET KEY"""

import json
import sys
import uuid
from datetime import datetime, timezone

import pika

url, exchange, bucket, key = sys.argv[1:]
event = {
    "specversion": "1.0",
    "id": str(uuid.uuid4()),
    "source": "/shop/media",
    "type": "thumbline.file.uploaded",
    "time": datetime.now(timezone.utc).isoformat(),
    "data": {"bucket": bucket, "key": key, "version_id": "1"},
}
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
# With confirms and `mandatory`, publishing raises unless the broker has the event in a queue.
channel.confirm_delivery()
channel.basic_publish(
    exchange=exchange,
    routing_key=event["type"],
    body=json.dumps(event).encode(),
    properties=pika.BasicProperties(
        content_type="application/cloudevents+json", delivery_mode=pika.DeliveryMode.Persistent
    ),
    mandatory=True,
)
connection.close()
