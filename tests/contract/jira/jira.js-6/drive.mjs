// Drives jira.js 6 against a running server; every assertion is a promise of the contract. Answers that do not match
// the client's schemas are errors.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import * as jira from 'jira.js';

const { THUMBLINE_URL: host, THUMBLINE_TOKEN: apiToken } = process.env;
const picture = await readFile(process.env.THUMBLINE_PICTURE);
const client = (token) =>
  jira.createCloudClient({
    host,
    auth: { type: 'basic', email: 'me@example.org', apiToken: token },
    onSchemaMismatch: 'throw',
  });
const { issueAttachments: attachments, issues } = client(apiToken);
const ISSUE = 'JS-6';

const bytes = async (answer) => {
  if (answer instanceof ArrayBuffer || ArrayBuffer.isView(answer)) return Buffer.from(answer);
  if (typeof answer?.arrayBuffer === 'function') return Buffer.from(await answer.arrayBuffer());
  return Buffer.from(answer);
};
const expectStatus = async (status, call) => {
  try {
    await call();
  } catch (error) {
    assert.equal(error.status ?? error.response?.status ?? error.statusCode, status, error.stack);
    return error;
  }
  assert.fail(`no error where ${status} was due`);
};
const isJpeg = (content) => content.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]));
const polled = async (parameters) => {
  for (let tries = 0; tries < 100; tries += 1) {
    const content = await bytes(await attachments.getAttachmentThumbnail(parameters));
    if (isJpeg(content)) return content;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail('there never was a thumbnail');
};

assert.equal((await attachments.getAttachmentMeta()).enabled, true);
const uploaded = await attachments.addAttachment({
  issueIdOrKey: ISSUE,
  attachments: [
    { filename: 'rot und blau.jpg', content: picture, file: picture },
    { filename: 'notes.txt', content: Buffer.from('grün'), file: Buffer.from('grün') },
  ],
});
assert.equal(uploaded.length, 2);
const [{ id }, notes] = uploaded;
assert.equal(typeof id, 'string');
assert.equal((await attachments.getAttachment({ id })).id, Number(id));
assert.ok((await bytes(await attachments.getAttachmentContent({ id }))).equals(picture), 'other bytes came back');
assert.ok((await bytes(await attachments.getAttachmentContent({ id, redirect: false }))).equals(picture));
for (const redirect of [true, false]) {
  for (const side of [94, 1200]) assert.ok(isJpeg(await polled({ id, redirect, width: side, height: side })));
}
await expectStatus(404, () => attachments.getAttachmentThumbnail({ id: notes.id, fallbackToDefault: false }));
await expectStatus(400, () => attachments.getAttachmentThumbnail({ id, width: -1 }));
const issue = await issues.getIssue({ issueIdOrKey: ISSUE, fields: ['attachment'] });
assert.deepEqual(issue.fields.attachment.map((attachment) => attachment.id), [id, notes.id]);
await expectStatus(404, () => attachments.getAttachment({ id: '59255' }));
assert.equal(await attachments.removeAttachment({ id }), undefined);
await expectStatus(404, () => attachments.getAttachment({ id }));
if (process.env.THUMBLINE_GUARDED === 'yes') {
  await expectStatus(401, () => client('wrong').issueAttachments.getAttachmentMeta());
}
console.error('jira.js 6 is content');
