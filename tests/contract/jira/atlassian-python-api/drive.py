"""Drives atlassian-python-api against a running server; every assertion is a promise of the contract."""

import os
import pathlib
import sys
import time

from atlassian import Jira
from atlassian.jira import JiraCloud
from requests import HTTPError

URL = os.environ["THUMBLINE_URL"]
TOKEN = os.environ["THUMBLINE_TOKEN"]
PICTURE = pathlib.Path(os.environ["THUMBLINE_PICTURE"])
ISSUE = "ATLAS-1"


def expect(status, call):
    """The error, when the call fails with this status."""
    try:
        call()
    except HTTPError as error:
        assert error.response.status_code == status, f"{error.response.status_code} rather than {status}: {error}"
        return str(error)
    raise AssertionError(f"no error where {status} was due")


def polled(cloud, attachment, **box):
    """The thumbnail, once there is one: without a stand-in, until then there is none."""
    for _ in range(100):
        try:
            return cloud.get_attachment_thumbnail(
                attachment, redirect=False, fallback_to_default=False, not_json_response=True, **box
            )
        except HTTPError as error:
            assert error.response.status_code == 404, error
            time.sleep(0.1)
    raise AssertionError("there never was a thumbnail")


jira = Jira(url=URL, username="me@example.org", password=TOKEN, cloud=True)
cloud = JiraCloud(url=URL, username="me@example.org", password=TOKEN)

assert jira.get_attachment_meta()["uploadLimit"] > len(PICTURE.read_bytes())
[uploaded] = jira.add_attachment(ISSUE, str(PICTURE))
assert uploaded["filename"] == PICTURE.name and uploaded["mimeType"] == "image/jpeg", uploaded
identifier = uploaded["id"]
assert jira.get_attachment(identifier)["id"] == int(identifier)
assert jira.get_attachment_content(identifier) == PICTURE.read_bytes(), "the bytes that came back are others"

small = polled(cloud, identifier, width=94, height=94)
assert small[:3] == b"\xff\xd8\xff", small[:16]
large = polled(cloud, identifier, width=1200, height=900)
assert large[:3] == b"\xff\xd8\xff" and len(large) > len(small)
expect(400, lambda: cloud.get_attachment_thumbnail(identifier, width=0, height=94))

attachments = jira.issue(ISSUE, fields="attachment")["fields"]["attachment"]
assert [attachment["id"] for attachment in attachments] == [identifier], attachments
listed = jira.get_attachments_ids_from_issue(ISSUE)
assert listed == [{"filename": PICTURE.name, "attachment_id": identifier}], listed

assert "The attachment with id '59255' does not exist" in expect(404, lambda: jira.get_attachment("59255"))
jira.remove_attachment(identifier)
expect(404, lambda: jira.get_attachment(identifier))
if os.environ.get("THUMBLINE_GUARDED") == "yes":
    stranger = Jira(url=URL, username="me@example.org", password="wrong", cloud=True)
    assert "Client must be authenticated" in expect(401, lambda: stranger.get_attachment_meta())
print("atlassian-python-api is content", file=sys.stderr)
