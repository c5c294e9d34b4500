"""Drives pycontribs/jira against a running server; every assertion is a promise of the contract."""

import io
import os
import sys
import time

from jira import JIRA, JIRAError

URL = os.environ["THUMBLINE_URL"]
TOKEN = os.environ["THUMBLINE_TOKEN"]
with open(os.environ["THUMBLINE_PICTURE"], "rb") as file:
    PICTURE = file.read()


def expect(status, call):
    """The error's text, when the call fails with this status."""
    try:
        call()
    except JIRAError as error:
        assert error.status_code == status, f"{error.status_code} rather than {status}: {error.text}"
        return error.text
    raise AssertionError(f"no error where {status} was due")


def size_of(jpeg):
    """Columns and rows, from the frame header."""
    assert jpeg[:3] == b"\xff\xd8\xff", jpeg[:16]
    at = 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2):
            return int.from_bytes(jpeg[at + 7 : at + 9], "big"), int.from_bytes(jpeg[at + 5 : at + 7], "big")
        at += 2 + length


def polled(jira, url):
    """The thumbnail, once it is no stand-in any more; the session follows the 303 by itself."""
    for _ in range(100):
        response = jira._session.get(url, headers={"Accept": "image/*"})
        if response.headers["Content-Type"] == "image/jpeg":
            return response
        time.sleep(0.1)
    raise AssertionError(f"{url} never became a thumbnail")


def story(jira, version):
    issue = f"PY{version.upper()}-1"
    assert jira.attachment_meta()["enabled"] is True

    picture = jira.add_attachment(issue, io.BytesIO(PICTURE), "red and blue.jpg")
    notes = jira.add_attachment(issue, io.BytesIO("grün".encode()), "notes.txt")
    assert isinstance(picture.id, str) and picture.size == len(PICTURE), picture.raw
    assert picture.mimeType == "image/jpeg" and notes.mimeType == "text/plain"

    metadata = jira.attachment(picture.id)
    assert metadata.raw["id"] == int(picture.id) and metadata.filename == "red and blue.jpg"
    assert metadata.author.accountId == jira.myself()["accountId"]
    assert metadata.get() == PICTURE, "the bytes that came back are others"
    assert b"".join(metadata.iter_content(1000)) == PICTURE

    shown = polled(jira, metadata.thumbnail)
    assert size_of(shown.content) == (200, 100) and len(shown.history) == 1 and shown.history[0].status_code == 303
    assert not hasattr(jira.attachment(notes.id), "thumbnail")

    listed = [attachment.id for attachment in jira.issue(issue, fields="attachment").fields.attachment]
    assert listed == [picture.id, notes.id], listed

    assert expect(404, lambda: jira.attachment("59255")) == "The attachment with id '59255' does not exist"
    expect(404, lambda: jira.add_attachment("NOISSUE", io.BytesIO(b"x"), "x.txt"))
    expect(400, lambda: jira.add_attachment(issue, io.BytesIO(b"x"), "a|b.txt"))
    jira._session.headers["X-Atlassian-Token"] = "check"
    expect(403, lambda: jira.add_attachment(issue, io.BytesIO(b"x"), "x.txt"))
    jira._session.headers["X-Atlassian-Token"] = "no-check"

    assert jira.delete_attachment(picture.id).status_code == 204
    expect(404, lambda: jira.attachment(picture.id))
    expect(404, lambda: jira.delete_attachment(picture.id))


def client(token, version):
    options = {"rest_api_version": version}
    return JIRA(server=URL, basic_auth=("me@example.org", token), options=options, max_retries=0)


for version in ("2", "3", "latest"):
    story(client(TOKEN, version), version)
story(JIRA(server=URL, token_auth=TOKEN, max_retries=0), "4711")
if os.environ.get("THUMBLINE_GUARDED") == "yes":
    text = expect(401, lambda: client("wrong", "2").attachment_meta())
    assert text == "Client must be authenticated to access this resource.", text
print("pycontribs/jira is content", file=sys.stderr)
