// Opens page.html in the system's Chromium, headless, and prints what the page says, one JSON object per line.
// Arguments: folder with node_modules, URL of the LiveKit server, token, topic. Ends when its standard input does.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { join } from 'node:path';

const [modules, url, token, topic] = process.argv.slice(2);
const here = new URL('.', import.meta.url);
const { chromium } = createRequire(join(modules, 'package.json'))('playwright-core');

const FILES = {
  '/': [new URL('page.html', here), 'text/html'],
  '/page.js': [new URL('page.js', here), 'text/javascript'],
  '/livekit-client.umd.js': [
    join(modules, 'node_modules/livekit-client/dist/livekit-client.umd.js'),
    'text/javascript',
  ],
};

function say(object) {
  process.stdout.write(`${JSON.stringify(object)}\n`);
}

const server = createServer(async (request, response) => {
  const [file, type] = FILES[request.url] ?? [];
  if (!file) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': type }).end(await readFile(file));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');

// The machine may have no way out and no graphics; Chromium tries both again and again without these.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
const page = await browser.newPage();
page.on('pageerror', (error) => say({ op: 'error', reason: String(error) }));
await page.exposeFunction('say', say);
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.evaluate(([url, token, topic]) => start(url, token, topic), [url, token, topic]);

process.stdin.resume();
await once(process.stdin, 'end');
await browser.close();
server.close();
