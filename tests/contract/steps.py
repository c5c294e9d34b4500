"""Steps of a contract test: each prints one JSON line that says whether the client saw what it should."""

import hashlib
import json
import os
import sys
import time
import traceback
import urllib.error
import urllib.request

URL = os.environ["THUMBLINE_URL"]
TOKEN = os.environ["THUMBLINE_TOKEN"]
DATA = os.environ["THUMBLINE_DATA"]


def step(function):
    """Runs a step at once; what it raises is told, and the next step runs all the same."""
    try:
        seen = function()
        line = {"step": function.__name__, "ok": True, "seen": None if seen is None else str(seen)}
    except Exception:
        line = {"step": function.__name__, "ok": False, "seen": traceback.format_exc(limit=4)}
    print(json.dumps(line), flush=True)
    return function


def picture(name):
    with open(os.path.join(DATA, name), "rb") as file:
        return file.read()


def digest(content):
    return hashlib.sha256(content).hexdigest()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def raw(path, method="GET", body=None, **headers):
    """Status, headers and body of a plain request that follows nothing."""
    url = path if path.startswith("http") else URL + path
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers.setdefault("Authorization", f"Bearer {TOKEN}")
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    opener = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def exhaust(user):
    """Asks until the limit of this principal is reached; returns the headers of the 429."""
    for _ in range(5000):
        status, headers, _ = raw("/2.0/users/me", As_User=user)
        if status == 429:
            return headers
    raise AssertionError("no 429 came")


def eventually(what, look, seconds=60):
    """Looks until there is an answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = look()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"waited in vain: {what}")


def raises(kind, function, *arguments, **named):
    """The exception of this kind that the call must raise."""
    try:
        function(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


if sys.version_info < (3, 9):
    sys.exit("Python 3.9 or newer is needed")
