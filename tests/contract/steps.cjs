// Steps of a contract test: each prints one JSON line that says whether the client saw what it should.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const URL = process.env.THUMBLINE_URL;
const TOKEN = process.env.THUMBLINE_TOKEN;
const NAME = process.env.THUMBLINE_NAME;

function print(step, ok, seen) {
  process.stdout.write(JSON.stringify({ step, ok, seen: seen === undefined ? null : String(seen) }) + '\n');
}

// Runs the steps one after the other; what one throws is told, and the next runs all the same.
async function run(steps) {
  for (const [name, step] of Object.entries(steps)) {
    try {
      print(name, true, await step());
    } catch (error) {
      print(name, false, error.stack);
    }
  }
}

function assert(condition, what) {
  if (!condition) throw new Error(what === undefined ? 'the assertion does not hold' : `saw ${JSON.stringify(what)}`);
}

const picture = (name) => fs.readFileSync(path.join(process.env.THUMBLINE_DATA, name));
const digest = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

async function bytes(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function raw(target, headers = {}, init = {}) {
  const url = target.startsWith('http') ? target : URL + target;
  return fetch(url, { redirect: 'manual', headers: { authorization: `Bearer ${TOKEN}`, ...headers }, ...init });
}

// Asks until the limit of this principal is reached; returns the 429.
async function exhaust(user) {
  for (let n = 0; n < 5000; n += 1) {
    const answer = await raw('/2.0/users/me', { 'as-user': user });
    await answer.arrayBuffer();
    if (answer.status === 429) return answer;
  }
  throw new Error('no 429 came');
}

async function eventually(what, look, seconds = 60) {
  const deadline = Date.now() + seconds * 1000;
  while (Date.now() < deadline) {
    const answer = await look();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`waited in vain: ${what}`);
}

async function raises(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

module.exports = { URL, TOKEN, NAME, run, assert, picture, digest, bytes, raw, exhaust, eventually, raises };
