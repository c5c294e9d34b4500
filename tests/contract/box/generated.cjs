// Box's generated Node client (box-node-sdk 10) against a running server.
'use strict';

const { Readable } = require('stream');
const { BoxClient, BoxDeveloperTokenAuth } = require('box-node-sdk');
const { URL, TOKEN, NAME, run, assert, picture, digest, bytes, raw, exhaust, eventually, raises } = require('steps.cjs');

function connect(token) {
  const urls = { baseUrl: URL, uploadUrl: `${URL}/api`, oauth2Url: `${URL}/oauth2` };
  return new BoxClient({ auth: new BoxDeveloperTokenAuth({ token }) }).withCustomBaseUrls(urls);
}

const client = connect(TOKEN);
const photo = picture('photo.jpg');
let file;

async function upload(name, content) {
  const attributes = { name: `${NAME}-${name}`, parent: { id: '0' } };
  const files = await client.uploads.uploadFile({ attributes, file: Readable.from([content]) });
  return files.entries[0];
}

async function entry(id, hint) {
  const options = { queryParams: { fields: ['representations'] }, headers: { xRepHints: hint } };
  return (await client.files.getFileById(id, options)).representations.entries[0];
}

const status = (error) => error.responseInfo && error.responseInfo.statusCode;
// The SDK's own `code` has JSON's quotes around it.
const code = (error) => error.responseInfo && error.responseInfo.body && error.responseInfo.body.code;

run({
  async upload_answers_the_file() {
    file = await upload('photo.jpg', photo);
    assert(file.type === 'file' && file.size === photo.length && file.etag === '0', file);
  },
  async poll_to_success_and_fetch_the_bytes() {
    const found = await eventually('jpg 320 succeeds', async () => {
      const found = await entry(file.id, '[jpg?dimensions=320x320]');
      return found.status.state === 'success' ? found : undefined;
    });
    assert(found.properties.paged === 'false' && found.properties.thumb === 'false', found.properties);
    const url = found.content.urlTemplate.replace('{+asset_path}', '');
    const answer = await client.makeRequest({ url, method: 'GET', responseFormat: 'binary' });
    assert(url.endsWith(digest(await bytes(answer.content))), url);
  },
  async unavailable_hints_are_empty() {
    assert((await entry(file.id, '[jpg?dimensions=64x64][pdf]')) === undefined);
  },
  async thumbnails_and_a_202() {
    const jpg = await client.files.getFileThumbnailById(file.id, 'jpg', { queryParams: { minWidth: 94, minHeight: 94 } });
    assert((await bytes(jpg)).subarray(0, 2).toString('hex') === 'ffd8');
    const size = { queryParams: { minWidth: 64, minHeight: 64 } };
    assert((await raw(`/2.0/files/${file.id}/thumbnail.png?min_width=64`)).status === 202);
    const png = await eventually('png 64 is made', () => client.files.getFileThumbnailById(file.id, 'png', size));
    assert((await bytes(png)).subarray(1, 4).toString() === 'PNG');
    const bounds = { minWidth: 144, minHeight: 144, maxWidth: 144, maxHeight: 144 };
    const error = await raises(() => client.files.getFileThumbnailById(file.id, 'png', { queryParams: bounds }));
    assert(status(error) === 400, error);
  },
  async download_by_redirect_with_a_range() {
    assert((await bytes(await client.downloads.downloadFile(file.id))).equals(photo));
    const part = await client.downloads.downloadFile(file.id, { headers: { range: 'bytes=10-19' } });
    assert((await bytes(part)).equals(photo.subarray(10, 20)));
    assert((await client.downloads.getDownloadFileUrl(file.id)).startsWith('http'));
  },
  async names_in_use_and_preflight() {
    const error = await raises(() => upload('photo.jpg', photo));
    assert(status(error) === 409 && code(error) === 'item_name_in_use', error);
    const check = { name: `${NAME}-new.jpg`, size: 9, parent: { id: '0' } };
    assert((await client.uploads.preflightFileUploadCheck(check)).uploadUrl.endsWith('/api/2.0/files/content'));
  },
  async new_version() {
    const body = () => ({ attributes: { name: `${NAME}-photo.jpg` }, file: Readable.from([picture('other.png')]) });
    const stale = await raises(() => client.uploads.uploadFileVersion(file.id, body(), { headers: { ifMatch: '7' } }));
    assert(status(stale) === 412, stale);
    const second = (await client.uploads.uploadFileVersion(file.id, body(), { headers: { ifMatch: '0' } })).entries[0];
    assert(second.id === file.id && second.etag === '1' && second.fileVersion.id !== file.fileVersion.id, second);
    assert((await bytes(await client.downloads.downloadFile(file.id))).equals(picture('other.png')));
    const old = { queryParams: { version: file.fileVersion.id } };
    assert((await bytes(await client.downloads.downloadFile(file.id, old))).equals(photo));
    assert((await client.fileVersions.getFileVersions(file.id)).entries[0].id === file.fileVersion.id);
  },
  async folders_and_users() {
    const items = await client.folders.getFolderItems('0', { queryParams: { limit: 1000 } });
    assert(items.entries.some((item) => item.id === file.id));
    assert((await client.users.getUserMe()).id === '1');
  },
  async trash_restore_and_purge() {
    const doomed = await upload('doomed.jpg', photo);
    await client.files.deleteFileById(doomed.id);
    assert(code(await raises(() => client.files.getFileById(doomed.id))) === 'trashed');
    assert((await client.trashedFiles.restoreFileFromTrash(doomed.id)).itemStatus === 'active');
    await client.files.deleteFileById(doomed.id);
    await client.trashedFiles.deleteTrashedFileById(doomed.id);
    assert(code(await raises(() => client.files.getFileById(doomed.id))) === 'not_found');
  },
  async a_wrong_token_is_refused() {
    return raises(() => connect('not-the-token-of-anybody').files.getFileById(file.id));
  },
  async a_429_is_waited_for() {
    const answer = await exhaust('4713');
    assert(Number(answer.headers.get('retry-after')) >= 1);
    assert((await client.withAsUserHeader('4713').users.getUserMe()).id === '1');
  },
});
