// Tells Thumbline of an upload, with amqplib: node publish.mjs AMQP_URL EXCHANGE BUCKET KEY
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

// Resolved from the working directory, where `npm install amqplib` was run.
const amqplib = createRequire(`${process.cwd()}/`)("amqplib");

const [url, exchange, bucket, key] = process.argv.slice(2);
const connection = await amqplib.connect(url);
// With confirms and `mandatory`, an event that no queue has comes back.
const channel = await connection.createConfirmChannel();
let returned = false;
channel.on("return", () => (returned = true));
// Binary mode: the attributes travel in headers, the body is the event itself.
channel.publish(exchange, "thumbline.file.uploaded", Buffer.from(JSON.stringify({ bucket, key, version_id: "1" })), {
  contentType: "application/json",
  persistent: true,
  mandatory: true,
  headers: {
    "cloudEvents:specversion": "1.0",
    "cloudEvents:id": randomUUID(),
    "cloudEvents:source": "/shop/media",
    "cloudEvents:type": "thumbline.file.uploaded",
    "cloudEvents:time": new Date().toISOString(),
  },
});
await channel.waitForConfirms();
await connection.close();
if (returned) {
  console.error(`nobody takes events from ${exchange}: is Thumbline's queue bound to it?`);
  process.exit(1);
}
