// Serves the built application as Django would: same paths, same Content-Security-Policy, invented answers.
// The scenario is a cookie, so that one server shows many conditions side by side:
// ward (default), calm, hollow, many, nobody, bare, down (every answer is an error), slow (never answers), away (signed out).
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as data from './data.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const PORT = Number(process.env.PORT ?? 4310);
const TYPES = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.woff2': 'font/woff2',
  '.svg': 'image/svg+xml',
};

function policy(nonce) {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function scenarioOf(request) {
  return /scenario=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'ward';
}

function session(scenario) {
  return {
    signed_in: scenario !== 'away',
    user: { username: 'nurse', display_name: 'Nora Nurse', is_operator: true },
    demo: true,
    time_zone: 'Europe/Berlin',
    idle_sign_out_seconds: 1800,
    version: '0.1.0',
    csrf_token: 'invented',
  };
}

function answerTo(url, scenario, body) {
  const path = url.pathname.replace('/api/v1', '');
  const query = url.searchParams;
  const [, id] = /^\/patients\/([0-9a-f-]{36})\//.exec(path) ?? [];
  if (path === '/session/') return session(scenario);
  if (path === '/board/') return data.board(scenario, query.getAll('department'));
  if (path === '/departments/') return data.departments(scenario);
  if (path === '/feeds/') return data.feedsPage(scenario);
  if (path === '/feed-files/') return data.feedFiles(scenario, query.get('feed'), query.get('status'));
  if (path === '/patients/search/')
    return data.patients(scenario, {
      departments: body.departments,
      states: body.state,
      search: body.search,
      cursor: body.cursor,
    });
  if (path === '/patients/')
    return data.patients(scenario, {
      departments: query.getAll('department'),
      states: query.getAll('state'),
      cursor: query.get('cursor'),
      size: Number(query.get('page_size') ?? 100),
    });
  if (id && path.endsWith('/tests/')) return data.tests(scenario, id, query.get('from_date'));
  if (id) return data.patient(scenario, id);
  return null;
}

async function serveApi(request, response, url) {
  const scenario = scenarioOf(request);
  if (scenario === 'slow' && url.pathname !== '/api/v1/session/') return;
  if (scenario === 'down' && url.pathname !== '/api/v1/session/') return void response.writeHead(503).end();
  let text = '';
  for await (const part of request) text += part;
  const answer = answerTo(url, scenario, text ? JSON.parse(text) : {});
  if (answer === null) return void response.writeHead(404).end('{}');
  // Times move on without being news.
  const news = { ...answer, as_of: null };
  const etag = `"${createHash('sha1').update(JSON.stringify(news)).digest('hex')}"`;
  if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { ETag: etag }).end();
  response.writeHead(200, { 'Content-Type': 'application/json', ETag: etag, 'Cache-Control': 'no-store' });
  response.end(JSON.stringify(answer));
}

async function serveFile(response, path) {
  try {
    const file = await readFile(join(DIST, normalize(path)));
    response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(file);
  } catch {
    response.writeHead(404).end();
  }
}

async function servePage(response) {
  const nonce = randomBytes(16).toString('base64');
  const page = await readFile(join(DIST, 'index.html'), 'utf8');
  response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': policy(nonce) });
  response.end(page.replace('__CSP_NONCE__', nonce));
}

createServer((request, response) => {
  const url = new URL(request.url, 'http://mock');
  if (url.pathname.startsWith('/api/')) void serveApi(request, response, url);
  else if (url.pathname.startsWith('/static/app/'))
    void serveFile(response, url.pathname.slice('/static/app/'.length));
  else if (url.pathname.startsWith('/accounts/'))
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end('sign in here');
  else void servePage(response);
}).listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}`));
