"""atlassian-python-api against a running server."""

import os

from atlassian import Jira
from atlassian.jira import JiraCloud
from requests import HTTPError

from steps import DATA, TOKEN, URL, digest, eventually, picture, raises, step

ISSUE = "ATLAS-1"
PHOTO = picture("photo.jpg")


def connect(kind, token):
    return kind(url=URL, username="me@example.org", password=token, cloud=True)


def status(expected, function, *arguments, **named):
    """The error, when the call fails with this status."""
    error = raises(HTTPError, function, *arguments, **named)
    assert error.response.status_code == expected, f"{error.response.status_code} rather than {expected}: {error}"
    return str(error)


def thumbnail(width, height):
    """The thumbnail, unless there is none yet: without a stand-in that is a 404."""
    try:
        return cloud.get_attachment_thumbnail(
            uploaded["id"],
            redirect=False,
            fallback_to_default=False,
            not_json_response=True,
            width=width,
            height=height,
        )
    except HTTPError as error:
        assert error.response.status_code == 404, error
        return None


jira = connect(Jira, TOKEN)
cloud = JiraCloud(url=URL, username="me@example.org", password=TOKEN)
[uploaded] = jira.add_attachment(ISSUE, os.path.join(DATA, "photo.jpg"))


@step
def an_upload():
    assert jira.get_attachment_meta()["uploadLimit"] > len(PHOTO)
    assert uploaded["filename"] == "photo.jpg" and uploaded["mimeType"] == "image/jpeg", uploaded
    assert jira.get_attachment(uploaded["id"])["id"] == int(uploaded["id"])


@step
def the_bytes_come_back():
    assert digest(jira.get_attachment_content(uploaded["id"])) == digest(PHOTO)


@step
def thumbnails_of_two_sizes():
    small = eventually("a small thumbnail", lambda: thumbnail(94, 94))
    large = eventually("a large thumbnail", lambda: thumbnail(1200, 900))
    assert small[:3] == large[:3] == b"\xff\xd8\xff" and len(large) > len(small)
    status(400, cloud.get_attachment_thumbnail, uploaded["id"], width=0, height=94)


@step
def attachments_of_the_issue():
    attachments = jira.issue(ISSUE, fields="attachment")["fields"]["attachment"]
    assert [attachment["id"] for attachment in attachments] == [uploaded["id"]], attachments
    listed = jira.get_attachments_ids_from_issue(ISSUE)
    assert listed == [{"filename": "photo.jpg", "attachment_id": uploaded["id"]}], listed


@step
def what_is_not_there():
    assert "The attachment with id '59255' does not exist" in status(404, jira.get_attachment, "59255")


@step
def deletion():
    jira.remove_attachment(uploaded["id"])
    status(404, jira.get_attachment, uploaded["id"])


@step
def a_wrong_token():
    assert "Client must be authenticated" in status(401, connect(Jira, "wrong").get_attachment_meta)
