// Drives jira.js 4 against a running server; every assertion is a promise of the contract.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import jira from 'jira.js';

const { THUMBLINE_URL: host, THUMBLINE_TOKEN: token } = process.env;
const picture = await readFile(process.env.THUMBLINE_PICTURE);
const basic = (apiToken) => ({ basic: { email: 'me@example.org', apiToken } });

const expectStatus = async (status, call) => {
  try {
    await call();
  } catch (error) {
    assert.equal(error.status ?? error.response?.status, status, error.stack);
    return error;
  }
  assert.fail(`no error where ${status} was due`);
};
const isJpeg = (content) => content.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]));

const story = async (client, ISSUE) => {
  const { issueAttachments: attachments, issues } = client;
  assert.equal((await attachments.getAttachmentMeta()).enabled, true);
  const [{ id }] = await attachments.addAttachment({
    issueIdOrKey: ISSUE,
    attachment: { filename: 'red.jpg', file: picture, mimeType: 'image/jpeg' },
  });
  assert.equal((await attachments.getAttachment({ id })).id, Number(id));
  assert.ok(Buffer.from(await attachments.getAttachmentContent({ id })).equals(picture), 'other bytes came back');
  for (const redirect of [true, false]) {
    let content = Buffer.alloc(0);
    for (let tries = 0; tries < 100 && !isJpeg(content); tries += 1) {
      content = Buffer.from(await attachments.getAttachmentThumbnail({ id, redirect, width: 94, height: 94 }));
      if (!isJpeg(content)) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(isJpeg(content), 'there never was a thumbnail');
  }
  const issue = await issues.getIssue({ issueIdOrKey: ISSUE, fields: ['attachment'] });
  assert.deepEqual(issue.fields.attachment.map((attachment) => attachment.id), [id]);
  await expectStatus(400, () => attachments.getAttachmentThumbnail({ id, width: 0 }));
  await attachments.removeAttachment(id);
  await expectStatus(404, () => attachments.getAttachment(id));
};

await story(new jira.Version3Client({ host, authentication: basic(token) }), 'JS-43');
await story(new jira.Version2Client({ host, authentication: basic(token) }), 'JS-42');
if (process.env.THUMBLINE_GUARDED === 'yes') {
  const stranger = new jira.Version3Client({ host, authentication: basic('wrong') });
  await expectStatus(401, () => stranger.issueAttachments.getAttachmentMeta());
}
console.error('jira.js 4 is content');
