// jira.js 6 against a running server. Answers that do not match the client's schemas are errors.
'use strict';

const path = require('path');
const { pathToFileURL } = require('url');
const { URL, TOKEN, run, assert, picture, eventually } = require('steps.cjs');

const ISSUE = 'JS-6';
const photo = picture('photo.jpg');
const isJpeg = (content) => content.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]));
let jira;
let uploaded;

// A module of the new kind only, which is not found by NODE_PATH.
async function load() {
  const place = path.dirname(require.resolve('jira.js/package.json'));
  jira ??= await import(pathToFileURL(path.join(place, 'dist/index.js')).href);
}

function connect(apiToken) {
  const auth = { type: 'basic', email: 'me@example.org', apiToken };
  return jira.createCloudClient({ host: URL, auth, onSchemaMismatch: 'throw' });
}

async function bytes(answer) {
  if (typeof answer?.arrayBuffer === 'function') return Buffer.from(await answer.arrayBuffer());
  return Buffer.from(answer);
}

async function status(expected, call) {
  let seen = 'no error';
  try {
    await call();
  } catch (error) {
    seen = error.status ?? error.response?.status ?? error.statusCode ?? error.stack;
  }
  assert(seen === expected, { expected, seen });
}

async function thumbnail(attachments, parameters) {
  const content = await bytes(await attachments.getAttachmentThumbnail(parameters));
  return isJpeg(content) ? content : null;
}

run({
  async an_upload_of_two_files() {
    await load();
    const { issueAttachments: attachments } = connect(TOKEN);
    assert((await attachments.getAttachmentMeta()).enabled === true);
    const files = [
      { filename: 'rot und blau.jpg', content: photo, file: photo },
      { filename: 'notes.txt', content: Buffer.from('grün'), file: Buffer.from('grün') },
    ];
    uploaded = await attachments.addAttachment({ issueIdOrKey: ISSUE, attachments: files });
    assert(uploaded.length === 2 && typeof uploaded[0].id === 'string', uploaded);
    const { id } = uploaded[0];
    assert((await attachments.getAttachment({ id })).id === Number(id));
  },
  async the_bytes_come_back() {
    const { issueAttachments: attachments } = connect(TOKEN);
    const { id } = uploaded[0];
    assert((await bytes(await attachments.getAttachmentContent({ id }))).equals(photo));
    assert((await bytes(await attachments.getAttachmentContent({ id, redirect: false }))).equals(photo));
  },
  async thumbnails_of_two_sizes() {
    const { issueAttachments: attachments } = connect(TOKEN);
    const { id } = uploaded[0];
    for (const redirect of [true, false]) {
      for (const side of [94, 1200]) {
        const parameters = { id, redirect, width: side, height: side };
        await eventually(`a thumbnail of ${side}`, () => thumbnail(attachments, parameters));
      }
    }
    await status(404, () => attachments.getAttachmentThumbnail({ id: uploaded[1].id, fallbackToDefault: false }));
    await status(400, () => attachments.getAttachmentThumbnail({ id, width: -1 }));
  },
  async attachments_of_the_issue() {
    const issue = await connect(TOKEN).issues.getIssue({ issueIdOrKey: ISSUE, fields: ['attachment'] });
    const ids = issue.fields.attachment.map((attachment) => attachment.id);
    assert(JSON.stringify(ids) === JSON.stringify(uploaded.map((attachment) => attachment.id)), ids);
  },
  async deletion() {
    const { issueAttachments: attachments } = connect(TOKEN);
    const { id } = uploaded[0];
    await status(404, () => attachments.getAttachment({ id: '59255' }));
    assert((await attachments.removeAttachment({ id })) === undefined);
    await status(404, () => attachments.getAttachment({ id }));
  },
  async a_wrong_token() {
    await status(401, () => connect('wrong').issueAttachments.getAttachmentMeta());
  },
});
