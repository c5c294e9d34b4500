// Box's older Node client (box-node-sdk 3) against a running server.
'use strict';

const BoxSDK = require('box-node-sdk');
const { Agent } = require('http');
const { URL, TOKEN, NAME, run, assert, picture, digest, bytes, exhaust, raises } = require('steps.cjs');

// Under a name of its own, as in production: this client drops the token from a redirect to another host only, and a store
// refuses a signed URL that comes with one.
const ROOT = URL.replace('127.0.0.1', 'localhost');

function connect(token) {
  return new BoxSDK({
    clientID: 'x',
    clientSecret: 'y',
    apiRootURL: ROOT,
    uploadAPIRootURL: `${ROOT}/api`,
    authorizeRootURL: `${ROOT}/oauth2`,
    request: { agentClass: Agent, strictSSL: false },
  }).getBasicClient(token);
}

const client = connect(TOKEN);
const photo = picture('photo.jpg');
let file;

run({
  async upload_answers_the_file() {
    file = (await client.files.uploadFile('0', `${NAME}-photo.jpg`, photo)).entries[0];
    assert(file.size === photo.length && file.etag === '0', file);
  },
  async poll_to_success_and_fetch_the_bytes() {
    const hint = client.files.representation.IMAGE_MEDIUM;
    const stream = await client.files.getRepresentationContent(file.id, '[jpg?dimensions=320x320]');
    const content = await bytes(stream);
    assert(content.subarray(0, 2).toString('hex') === 'ffd8', hint);
    const info = await client.files.getRepresentationInfo(file.id, '[jpg?dimensions=320x320]');
    assert(info.entries[0].content.url_template.endsWith(digest(content)), info.entries[0]);
  },
  async a_lazy_representation_is_started_and_waited_for() {
    const info = await client.files.getRepresentationInfo(file.id, '[png?dimensions=1024x1024]', {
      generateRepresentations: true,
    });
    assert(info.entries[0].status.state === 'success', info.entries[0].status);
    const stream = await client.files.getRepresentationContent(file.id, '[png?dimensions=1024x1024]');
    assert((await bytes(stream)).subarray(1, 4).toString() === 'PNG');
  },
  async download_by_redirect() {
    const got = await bytes(await client.files.getReadStream(file.id));
    assert(got.equals(photo), got.toString('latin1', 0, 400));
    assert((await client.files.getDownloadURL(file.id)).startsWith('http'));
  },
  async new_version() {
    const second = (await client.files.uploadNewFileVersion(file.id, picture('other.png'))).entries[0];
    assert(second.id === file.id && second.name === file.name && second.etag === '1', second);
    assert((await bytes(await client.files.getReadStream(file.id))).equals(picture('other.png')));
    assert((await client.files.getVersions(file.id)).entries.length === 1);
  },
  async names_in_use() {
    const error = await raises(() => client.files.uploadFile('0', `${NAME}-photo.jpg`, photo));
    assert(error.statusCode === 409, error);
  },
  async folders_users_and_renaming() {
    const items = await client.folders.getItems('0', { limit: 1000 });
    assert(items.entries.some((item) => item.id === file.id));
    assert((await client.users.get('me')).id === '1');
    assert((await client.files.update(file.id, { name: `${NAME}-renamed.jpg` })).name === `${NAME}-renamed.jpg`);
  },
  async trash_and_errors() {
    await client.files.delete(file.id);
    const error = await raises(() => client.files.get(file.id));
    assert(error.statusCode === 404 && error.response.body.code === 'trashed', error.response && error.response.body);
    const unknown = await raises(() => client.files.get('987654321'));
    assert(unknown.statusCode === 404 && unknown.response.body.request_id, unknown);
  },
  async a_wrong_token_is_refused() {
    const error = await raises(() => connect('not-the-token-of-anybody').files.get('1'));
    assert(error.statusCode === 401, error);
  },
  async a_429_is_waited_for() {
    await exhaust('4714');
    client.asUser('4714');
    assert((await client.users.get('me')).id === '1');
  },
});
