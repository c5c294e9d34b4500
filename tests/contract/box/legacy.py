"""Box's older Python client (boxsdk 3) against a running server."""

import io
import os

import boxsdk
from boxsdk import Client, OAuth2
from boxsdk.exception import BoxAPIException

from steps import TOKEN, URL, digest, eventually, exhaust, picture, raises, raw, step

PREFIX = os.environ["THUMBLINE_NAME"]
boxsdk.config.API.BASE_API_URL = f"{URL}/2.0"
boxsdk.config.API.UPLOAD_URL = f"{URL}/api/2.0"
boxsdk.config.API.OAUTH2_API_URL = f"{URL}/oauth2"


def connect(token):
    return Client(OAuth2(client_id=None, client_secret=None, access_token=token))


client = connect(TOKEN)
photo = picture("photo.jpg")
file = client.folder("0").upload_stream(io.BytesIO(photo), f"{PREFIX}-photo.jpg")


def entries(hint):
    return file.get_representation_info(hint)


@step
def upload_answers_the_file():
    assert file.name == f"{PREFIX}-photo.jpg" and file.size == len(photo) and file.etag == "0"


@step
def poll_to_success_and_fetch_the_bytes():
    def ready():
        found = entries("[jpg?dimensions=320x320]")[0]
        return found if found["status"]["state"] == "success" else None

    found = eventually("jpg 320 succeeds", ready)
    content = file.get_thumbnail_representation("320x320", "jpg")
    assert digest(content) == found["content"]["url_template"].rsplit("v=", 1)[1]
    assert file.get_thumbnail_representation("94x94", "jpg")[:2] == b"\xff\xd8"


@step
def a_paged_representation_is_waited_for():
    assert file.get_thumbnail_representation("1024x1024", "png")[:4] == b"\x89PNG"


@step
def thumbnails():
    assert file.get_thumbnail(extension="jpg", min_width=94, min_height=94)[:2] == b"\xff\xd8"
    assert file.get_thumbnail(extension="png", max_width=64, max_height=64)[:4] == b"\x89PNG"
    error = raises(BoxAPIException, file.get_thumbnail, extension="png", min_width=144, max_width=144)
    assert (error.status, error.code) == (400, "requested_preview_unavailable")


@step
def types_without_thumbnails_answer_with_a_placeholder():
    text = client.folder("0").upload_stream(io.BytesIO(b"just words"), f"{PREFIX}-notes.txt")

    def look():
        found = text.get_representation_info("[jpg?dimensions=160x160]")
        return not found or found[0]["status"]["state"] != "pending"

    eventually("it has settled", look)
    assert text.get_thumbnail(extension="png")[:4] == b"\x89PNG"
    status, headers, _ = raw(f"/2.0/files/{text.id}/thumbnail.png")
    assert status == 302 and headers["Location"].endswith("text.png")


@step
def download_by_redirect_with_a_range():
    assert file.content() == photo
    assert file.content(byte_range=(10, 19)) == photo[10:20]
    assert file.get_download_url().startswith("http")


@step
def names_in_use_and_preflight():
    error = raises(BoxAPIException, client.folder("0").upload_stream, io.BytesIO(b"x"), f"{PREFIX}-photo.jpg")
    assert (error.status, error.code) == (409, "item_name_in_use")
    assert error.context_info["conflicts"]["id"] == file.id
    assert client.folder("0").preflight_check(size=9, name=f"{PREFIX}-new.jpg")


@step
def new_version():
    raises(BoxAPIException, file.update_contents_with_stream, io.BytesIO(b"x"), etag="7")
    second = file.update_contents_with_stream(io.BytesIO(picture("other.png")), etag="0")
    assert second.id == file.id and second.etag == "1"
    assert second.content() == picture("other.png")
    previous = list(second.get_previous_versions())
    assert len(previous) == 1 and second.content(file_version=previous[0]) == photo
    second.delete_version(previous[0])


@step
def listing_and_renaming():
    assert file.id in [item.id for item in client.folder("0").get_items(limit=1000)]
    assert client.user().get().id == "1"
    assert file.rename(f"{PREFIX}-renamed.jpg").name == f"{PREFIX}-renamed.jpg"


@step
def trash_restore_and_purge():
    doomed = client.folder("0").upload_stream(io.BytesIO(photo), f"{PREFIX}-doomed.jpg")
    assert doomed.delete()
    error = raises(BoxAPIException, doomed.get)
    assert (error.status, error.code, error.message) == (404, "trashed", "Item is trashed") and error.request_id
    client.trash().restore_item(doomed)
    assert doomed.delete()
    client.trash().permanently_delete_item(doomed)
    assert raises(BoxAPIException, doomed.get).code == "not_found"


@step
def a_wrong_token_is_refused():
    return raises(Exception, connect("not-the-token-of-anybody").file(file.id).get)


@step
def a_429_is_waited_for():
    exhaust("4712")
    assert client.as_user(client.user("4712")).user().get().id == "1"
