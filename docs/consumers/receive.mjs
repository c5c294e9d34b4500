// Receives webhooks and prints what it has not seen before, one event a line: node receive.mjs PORT
//
// The secret that POST /v1/webhooks answered with is in the environment as WEBHOOK_SECRET. npm install standardwebhooks
import { createServer } from "node:http";
import { createRequire } from "node:module";

// From the directory that it is started in, where its packages are installed.
const { Webhook } = createRequire(`${process.cwd()}/`)("standardwebhooks");
const webhook = new Webhook(process.env.WEBHOOK_SECRET);
// An event may come more than once: keep ids where they outlive the process, a column with a unique key for instance.
const seen = new Set();

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let event;
  try {
    // Over the bytes as they came; also refuses timestamps that are five minutes off.
    event = webhook.verify(Buffer.concat(chunks).toString(), request.headers);
  } catch {
    response.writeHead(401).end();
    return;
  }
  if (!seen.has(event.id)) {
    seen.add(event.id);
    console.log(JSON.stringify(event));
  }
  // Answer at once and work later: after 15 seconds it counts as failed.
  response.writeHead(204).end();
}).listen(Number(process.argv[2]), "127.0.0.1");
