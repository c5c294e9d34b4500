"""Box's generated Python client (box_sdk_gen, which boxsdk 10 is as well) against a running server."""

import io

from box_sdk_gen import BoxAPIError, BoxClient, BoxDeveloperTokenAuth
from box_sdk_gen.managers.files import GetFileThumbnailByIdExtension as Extension
from box_sdk_gen.managers.files import GetFileThumbnailUrlExtension as UrlExtension
from box_sdk_gen.managers.uploads import (
    PreflightFileUploadCheckParent,
    UploadFileAttributes,
    UploadFileAttributesParentField,
    UploadFileVersionAttributes,
)
from box_sdk_gen.networking import BaseUrls
from box_sdk_gen.networking.fetch_options import FetchOptions, ResponseFormat

from steps import TOKEN, URL, digest, eventually, exhaust, picture, raises, raw, step

PREFIX = __import__("os").environ["THUMBLINE_NAME"]


def connect(token):
    urls = BaseUrls(base_url=URL, upload_url=f"{URL}/api", oauth_2_url=f"{URL}/oauth2")
    return BoxClient(auth=BoxDeveloperTokenAuth(token=token)).with_custom_base_urls(urls)


def upload(client, name, content):
    attributes = UploadFileAttributes(name=f"{PREFIX}-{name}", parent=UploadFileAttributesParentField(id="0"))
    return client.uploads.upload_file(attributes, io.BytesIO(content)).entries[0]


def entry(file_id, hint):
    file = client.files.get_file_by_id(file_id, fields=["name", "representations"], x_rep_hints=hint)
    return file.representations.entries[0] if file.representations.entries else None


def fetch(url, response_format=ResponseFormat.BINARY):
    options = FetchOptions(url=url, method="GET", response_format=response_format)
    answer = client.make_request(options)
    return answer.content.read() if response_format == ResponseFormat.BINARY else answer.data


def read(stream):
    return stream.read()


client = connect(TOKEN)
photo = picture("photo.jpg")
file = upload(client, "photo.jpg", photo)


@step
def upload_answers_the_file():
    assert (file.type, file.name, file.size, file.etag) == ("file", f"{PREFIX}-photo.jpg", len(photo), "0"), vars(file)
    assert file.parent.id == "0" and file.file_version.id and file.created_at


@step
def listing_without_hints_has_no_status():
    plain = client.files.get_file_by_id(file.id, fields=["representations"]).representations.entries
    assert len(plain) == 8 and all(getattr(e, "status", None) is None for e in plain), len(plain)
    assert plain[0].properties.thumb == "true" and plain[0].properties.paged == "false"


@step
def poll_to_success_and_fetch_the_bytes():
    def ready():
        found = entry(file.id, "[jpg?dimensions=320x320]")
        return found if found.status.state == "success" else None

    found = eventually("jpg 320 succeeds", ready)
    url = found.content.url_template.replace("{+asset_path}", "")
    content = fetch(url)
    assert content[:2] == b"\xff\xd8" and digest(content) == url.rsplit("v=", 1)[1]


@step
def info_starts_what_is_none_and_paged_content_follows():
    found = entry(file.id, "[png?dimensions=1024x1024]")
    assert found.status.state == "none", found.status.state
    state = fetch(found.info.url, ResponseFormat.JSON)["status"]["state"]
    assert state in ("pending", "success"), state

    def ready():
        answer = fetch(found.info.url, ResponseFormat.JSON)
        return answer if answer["status"]["state"] == "success" else None

    answer = eventually("png 1024 succeeds", ready)
    assert fetch(answer["content"]["url_template"].replace("{+asset_path}", "1.png"))[:4] == b"\x89PNG"


@step
def unavailable_hints_are_empty():
    assert entry(file.id, "[jpg?dimensions=64x64][pdf][hls]") is None


@step
def thumbnails_come_after_a_202():
    status, headers, body = raw(f"/2.0/files/{file.id}/thumbnail.png?min_height=64&min_width=64")
    assert status == 202 and int(headers["Retry-After"]) >= 1 and body == b"", status
    placeholder = raw(headers["Location"], Authorization="")
    assert placeholder[0] == 200 and placeholder[1]["Content-Type"] == "image/png"
    stream = client.files.get_file_thumbnail_by_id(file.id, Extension.PNG, min_height=64, min_width=64)
    assert read(stream)[:4] == b"\x89PNG"
    assert read(client.files.get_file_thumbnail_by_id(file.id, Extension.JPG, min_width=94, min_height=94))[:2] == b"\xff\xd8"


@step
def sizes_that_are_not_there_are_told():
    error = raises(BoxAPIError, client.files.get_file_thumbnail_by_id, file.id, Extension.PNG,
                   min_height=144, min_width=144, max_height=144, max_width=144)
    assert error.response_info.code == "requested_preview_unavailable", error.response_info.code


def settled(file_id):
    def look():
        states = [e.status.state for e in client.files.get_file_by_id(
            file_id, fields=["representations"], x_rep_hints="[jpg]").representations.entries]
        return all(state != "pending" for state in states)

    return eventually("nothing is pending", look)


@step
def types_without_thumbnails_answer_with_a_placeholder():
    text = upload(client, "notes.txt", b"just words")
    location = client.files.get_file_thumbnail_url(text.id, UrlExtension.PNG) if settled(text.id) else None
    assert location.endswith("/assets/placeholders/text.png"), location


@step
def download_by_redirect_with_a_range():
    assert read(client.downloads.download_file(file.id)) == photo
    assert read(client.downloads.download_file(file.id, range="bytes=10-19")) == photo[10:20]
    url = client.downloads.get_download_file_url(file.id)
    assert url.startswith("http") and raw(url, Authorization="")[2] == photo


@step
def preflight_and_names_in_use():
    parent = PreflightFileUploadCheckParent(id="0")
    answer = client.uploads.preflight_file_upload_check(name=f"{PREFIX}-new.jpg", size=9, parent=parent)
    assert answer.upload_url.endswith("/api/2.0/files/content"), answer.upload_url
    error = raises(BoxAPIError, client.uploads.preflight_file_upload_check, name=f"{PREFIX}-PHOTO.jpg", size=9, parent=parent)
    assert error.response_info.status_code == 409 and error.response_info.code == "item_name_in_use"
    error = raises(BoxAPIError, upload, client, "photo.jpg", photo)
    assert error.response_info.context_info["conflicts"]["id"] == file.id, error.response_info.context_info


@step
def new_version_has_a_new_etag_and_the_old_one_stays():
    attributes = UploadFileVersionAttributes(name=f"{PREFIX}-photo.jpg")
    error = raises(BoxAPIError, client.uploads.upload_file_version, file.id, attributes, io.BytesIO(b"x"), if_match="7")
    assert error.response_info.status_code == 412 and error.response_info.code == "precondition_failed"
    second = client.uploads.upload_file_version(
        file.id, attributes, io.BytesIO(picture("other.png")), if_match=file.etag).entries[0]
    assert second.id == file.id and second.etag == "1" and second.file_version.id != file.file_version.id
    assert read(client.downloads.download_file(file.id)) == picture("other.png")
    assert read(client.downloads.download_file(file.id, version=file.file_version.id)) == photo
    versions = client.file_versions.get_file_versions(file.id)
    assert [v.id for v in versions.entries] == [file.file_version.id] and versions.total_count == 1
    promoted = client.file_versions.promote_file_version(file.id, id=file.file_version.id)
    assert promoted.id != file.file_version.id
    assert read(client.downloads.download_file(file.id)) == photo
    client.file_versions.delete_file_version_by_id(file.id, second.file_version.id)
    left = [v.id for v in client.file_versions.get_file_versions(file.id).entries]
    assert left == [file.file_version.id], left


@step
def folders_and_users_are_there():
    items = client.folders.get_folder_items("0", fields=["name", "sha1"], limit=1000)
    assert file.id in [item.id for item in items.entries]
    assert client.folders.get_folder_by_id("0").name == "All Files"
    assert client.users.get_user_me().type == "user"


@step
def rename_trash_restore_and_purge():
    doomed = upload(client, "doomed.jpg", photo)
    renamed = client.files.update_file_by_id(doomed.id, name=f"{PREFIX}-renamed.jpg", if_match="0")
    assert (renamed.name, renamed.etag) == (f"{PREFIX}-renamed.jpg", "1")
    client.files.delete_file_by_id(doomed.id)
    error = raises(BoxAPIError, client.files.get_file_by_id, doomed.id)
    assert (error.response_info.status_code, error.response_info.code) == (404, "trashed")
    assert client.trashed_files.get_trashed_file_by_id(doomed.id).item_status == "trashed"
    assert client.trashed_files.restore_file_from_trash(doomed.id).item_status == "active"
    client.files.delete_file_by_id(doomed.id)
    client.trashed_files.delete_trashed_file_by_id(doomed.id)
    error = raises(BoxAPIError, client.files.get_file_by_id, doomed.id)
    assert error.response_info.code == "not_found", error.response_info.code


@step
def errors_carry_code_and_request_id():
    error = raises(BoxAPIError, client.files.get_file_by_id, "987654321")
    info = error.response_info
    assert (info.status_code, info.code, info.body["message"]) == (404, "not_found", "Not Found") and info.request_id
    error = raises(BoxAPIError, client.files.get_file_by_id, file.id, fields=["representations"], x_rep_hints="[jpg")
    assert (error.response_info.status_code, error.response_info.code) == (400, "bad_request")


@step
def a_wrong_token_is_refused():
    error = raises(Exception, connect("not-the-token-of-anybody").files.get_file_by_id, file.id)
    status, headers, body = raw(f"/2.0/files/{file.id}", Authorization="Bearer not-the-token-of-anybody")
    assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer realm="), status
    return error


@step
def a_429_is_waited_for():
    headers = exhaust("4711")
    assert int(headers["Retry-After"]) >= 1 and headers["X-RateLimit-Limit"]
    assert client.with_as_user_header("4711").users.get_user_me().id == "1"
