"""Receives webhooks and prints what it has not seen before, one event a line: python receive.py PORT

The secret that POST /v1/webhooks answered with is in the environment as WEBHOOK_SECRET. pip install standardwebhooks
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
# An event may come more than once: keep ids where they outlive the process, a column with a unique key for instance.
seen = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            # Over the bytes as they came; also refuses timestamps that are five minutes off.
            event = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            return self.answer(401)
        if event["id"] not in seen:
            seen.add(event["id"])
            print(json.dumps(event), flush=True)
        # Answer at once and work later: after 15 seconds it counts as failed.
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
