// jira.js 4 against a running server.
'use strict';

const { Version2Client, Version3Client } = require('jira.js');
const { URL, TOKEN, run, assert, picture, eventually } = require('steps.cjs');

const photo = picture('photo.jpg');
const isJpeg = (content) => content.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]));

function connect(Client, apiToken) {
  return new Client({ host: URL, authentication: { basic: { email: 'me@example.org', apiToken } } });
}

async function status(expected, call) {
  let seen = 'no error';
  try {
    await call();
  } catch (error) {
    seen = error.status ?? error.response?.status ?? error.stack;
  }
  assert(seen === expected, { expected, seen });
}

async function story(client, issueIdOrKey) {
  const { issueAttachments: attachments, issues } = client;
  assert((await attachments.getAttachmentMeta()).enabled === true);
  const attachment = { filename: 'red.jpg', file: photo, mimeType: 'image/jpeg' };
  const [{ id }] = await attachments.addAttachment({ issueIdOrKey, attachment });
  assert((await attachments.getAttachment({ id })).id === Number(id));
  assert(Buffer.from(await attachments.getAttachmentContent({ id })).equals(photo));
  for (const redirect of [true, false]) {
    await eventually('a thumbnail', async () =>
      isJpeg(Buffer.from(await attachments.getAttachmentThumbnail({ id, redirect, width: 94, height: 94 }))),
    );
  }
  const issue = await issues.getIssue({ issueIdOrKey, fields: ['attachment'] });
  const ids = issue.fields.attachment.map((attachment) => attachment.id);
  assert(JSON.stringify(ids) === JSON.stringify([id]), ids);
  await status(400, () => attachments.getAttachmentThumbnail({ id, width: 0 }));
  await attachments.removeAttachment(id);
  await status(404, () => attachments.getAttachment(id));
}

run({
  an_attachment_in_version_2: () => story(connect(Version2Client, TOKEN), 'JS-42'),
  an_attachment_in_version_3: () => story(connect(Version3Client, TOKEN), 'JS-43'),
  async a_wrong_token() {
    await status(401, () => connect(Version3Client, 'wrong').issueAttachments.getAttachmentMeta());
  },
});
