"""pycontribs/jira against a running server."""

import io
import json

from jira import JIRA, JIRAError

from steps import TOKEN, URL, digest, eventually, exhaust, picture, raises, raw, step

PHOTO = picture("photo.jpg")


def connect(token, version):
    options = {"rest_api_version": version}
    return JIRA(server=URL, basic_auth=("me@example.org", token), options=options, max_retries=0)


def status(expected, function, *arguments):
    """The error's text, when the call fails with this status."""
    error = raises(JIRAError, function, *arguments)
    assert error.status_code == expected, f"{error.status_code} rather than {expected}: {error.text}"
    return error.text


def size_of(jpeg):
    """Columns and rows, from the frame header."""
    assert jpeg[:3] == b"\xff\xd8\xff", jpeg[:16]
    at = 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2):
            return int.from_bytes(jpeg[at + 7 : at + 9], "big"), int.from_bytes(jpeg[at + 5 : at + 7], "big")
        at += 2 + length


def shown(client, url):
    """The thumbnail, unless it is a stand-in still; the session follows the 303 by itself."""
    response = client._session.get(url, headers={"Accept": "image/*"})
    return response if response.headers["Content-Type"] == "image/jpeg" else None


def story(client, issue):
    attached = client.add_attachment(issue, io.BytesIO(PHOTO), "red and blue.jpg")
    notes = client.add_attachment(issue, io.BytesIO("grün".encode()), "notes.txt")
    assert isinstance(attached.id, str) and attached.size == len(PHOTO), attached.raw
    assert attached.mimeType == "image/jpeg" and notes.mimeType == "text/plain"

    metadata = client.attachment(attached.id)
    assert metadata.raw["id"] == int(attached.id) and metadata.filename == "red and blue.jpg"
    assert metadata.author.accountId == client.myself()["accountId"]
    assert digest(metadata.get()) == digest(PHOTO), "the bytes that came back are others"
    assert b"".join(metadata.iter_content(1000)) == PHOTO

    thumbnail = eventually("a thumbnail", lambda: shown(client, metadata.thumbnail))
    # 1200x800 in 200x200, from whatever it was scaled.
    assert size_of(thumbnail.content) == (200, 133), size_of(thumbnail.content)
    assert [redirect.status_code for redirect in thumbnail.history] == [303]
    assert not hasattr(client.attachment(notes.id), "thumbnail")

    listed = [attachment.id for attachment in client.issue(issue, fields="attachment").fields.attachment]
    assert listed == [attached.id, notes.id], listed

    assert client.delete_attachment(attached.id).status_code == 204
    status(404, client.attachment, attached.id)
    status(404, client.delete_attachment, attached.id)


@step
def metadata_of_attachments():
    assert connect(TOKEN, "2").attachment_meta()["enabled"] is True


@step
def an_attachment_in_version_2():
    story(connect(TOKEN, "2"), "PY2-1")


@step
def an_attachment_in_version_3():
    story(connect(TOKEN, "3"), "PY3-1")


@step
def an_attachment_in_the_latest_version():
    story(connect(TOKEN, "latest"), "PYLATEST-1")


@step
def an_attachment_with_a_bearer_token():
    story(JIRA(server=URL, token_auth=TOKEN, max_retries=0), "4711")


@step
def refusals_in_jiras_words():
    client = connect(TOKEN, "3")
    assert status(404, client.attachment, "59255") == "The attachment with id '59255' does not exist"
    status(404, client.add_attachment, "NOISSUE", io.BytesIO(b"x"), "x.txt")
    status(400, client.add_attachment, "PY-1", io.BytesIO(b"x"), "a|b.txt")


@step
def too_many_requests_are_told_in_jiras_words():
    exhaust("4714")
    answers = (raw("/rest/api/3/attachment/59255", As_User="4714") for _ in range(5000))
    headers, body = next((headers, body) for status, headers, body in answers if status == 429)
    assert int(headers["Retry-After"]) >= 1 and json.loads(body)["errorMessages"], body
    # The client waits as it is told, and goes on.
    client = JIRA(server=URL, basic_auth=("me@example.org", TOKEN), max_retries=3)
    client._session.headers["As-User"] = "4714"
    assert client.myself()["accountId"]


@step
def a_wrong_token():
    text = status(401, lambda: connect("wrong", "2").attachment_meta())
    assert text == "Client must be authenticated to access this resource.", text
