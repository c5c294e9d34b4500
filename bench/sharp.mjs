// sharp's side of the benchmark: one long-lived process that takes jobs as JSON lines and answers in milliseconds.

import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [modules] = process.argv.slice(2);
const sharp = createRequire(`${modules}/`)('sharp');
sharp.concurrency(1);
sharp.cache(false);
// Ctrl-C reaches the whole group; the driver ends this process.
process.on('SIGINT', () => {});

// The eager set, largest first, as in Thumbline's built-in presets.
const SIZES = [
  { name: 'jpg_1024x1024', side: 1024, fit: 'inside' },
  { name: 'jpg_320x320', side: 320, fit: 'inside' },
  { name: 'jpg_160x160', side: 160, fit: 'inside' },
  { name: 'jpg_thumb_94x94', side: 94, fit: 'cover' },
  { name: 'jpg_thumb_32x32', side: 32, fit: 'cover' },
];

const open = (source) => sharp(source, { limitInputPixels: false }).autoOrient();
const sized = (image, { side, fit }) => image.resize(side, side, { fit, withoutEnlargement: true });
const flat = (image) => image.flatten({ background: '#ffffff' });
const encoded = (image) => image.jpeg({ quality: 80, chromaSubsampling: '4:2:0' }).toBuffer();

const WAYS = {
  // What an on-the-fly server does: every size is asked for by itself, and decoded as small as the format allows.
  async each(source) {
    const outputs = [];
    for (const size of SIZES) outputs.push(await encoded(flat(sized(open(source), size))));
    return outputs;
  },

  // What a careful user writes: decoded once to the largest, everything else from those pixels.
  async cascade(source) {
    const largest = flat(sized(open(source), SIZES[0])).raw();
    const { data, info } = await largest.toBuffer({ resolveWithObject: true });
    const raw = { width: info.width, height: info.height, channels: info.channels };
    const outputs = [await encoded(sharp(data, { raw }))];
    for (const size of SIZES.slice(1)) outputs.push(await encoded(sized(sharp(data, { raw }), size)));
    return outputs;
  },
};

async function measure({ file, way, iterations, warmups }) {
  const source = await readFile(file);
  const runs = [];
  for (let run = -warmups; run < iterations; run++) {
    const cpu = process.cpuUsage();
    const began = performance.now();
    await WAYS[way](source);
    const wall_ms = performance.now() - began;
    const used = process.cpuUsage(cpu);
    if (run >= 0) runs.push({ cpu_ms: (used.user + used.system) / 1000, wall_ms });
  }
  return { runs };
}

async function write({ file, stem }) {
  const outputs = await WAYS.each(await readFile(file));
  await Promise.all(outputs.map((bytes, index) => writeFile(`${stem}.${SIZES[index].name}.jpg`, bytes)));
  return {};
}

const JOBS = { measure, write, versions: async () => ({ node: process.version, ...sharp.versions }) };

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  const answer = await JOBS[job.job](job).catch((error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
