/** Stands in for the server at the network's edge. It remembers what it was asked, and can fall silent or fail. */
import { vi } from 'vitest';
import type {
  Board,
  BoardItem,
  Department,
  Feed,
  FeedFile,
  LabTest,
  Patient,
  Session,
} from '@/lib/api-types';
import { board, hoursAgo, session } from '@/testing/invented';

export type Asked = { method: string; url: URL; body: string; headers: Headers };

export class FakeHospital {
  session: Session = session();
  board: Board = board();
  items: BoardItem[] = [];
  departments: Department[] = [];
  patient: Patient | null = null;
  tests: LabTest[] = [];
  feeds: Feed[] = [];
  files: FeedFile[] = [];
  /** How it answers: as it should, with an error, with a refusal for want of a session, or not at all. */
  mood: 'well' | 'failing' | 'signedOut' | 'hanging' = 'well';
  pageSize = 100;
  readonly asked: Asked[] = [];
  readonly answered: number[] = [];

  constructor() {
    vi.stubGlobal('fetch', (input: Request | URL | string, init?: RequestInit) =>
      this.answer(new Request(input, init)),
    );
  }

  askedFor(path: string): Asked[] {
    return this.asked.filter((each) => each.url.pathname === path);
  }

  private async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const body = await request.clone().text();
    this.asked.push({ method: request.method, url, body, headers: request.headers });
    const isSession = url.pathname === '/api/v1/session/';
    if (this.mood === 'hanging' && !isSession) return untilGivenUp(request.signal);
    if (this.mood === 'failing' && !isSession) return this.reply(503, null);
    if (this.mood === 'signedOut' && !isSession) return this.reply(403, null);
    const content = this.contentFor(url, body);
    if (content === null) return this.reply(404, null);
    const text = JSON.stringify(content);
    const etag = `"${String(text.length)}-${String(hashOf(text))}"`;
    if (request.headers.get('If-None-Match') === etag) return this.reply(304, null, etag);
    return this.reply(200, text, etag);
  }

  private reply(status: number, text: string | null, etag?: string): Response {
    this.answered.push(status);
    return new Response(text, { status, headers: etag ? { ETag: etag } : {} });
  }

  private contentFor(url: URL, body: string): unknown {
    const path = url.pathname.replace('/api/v1', '');
    if (path === '/session/') return this.session;
    if (path === '/board/') return this.board;
    if (path === '/patients/') return this.page(this.items, url.searchParams.get('cursor'));
    if (path === '/patients/search/') return this.found(body);
    if (path === '/departments/') return { as_of: hoursAgo(0), known_at: null, results: this.departments };
    if (path === '/feeds/')
      return {
        as_of: hoursAgo(0),
        known_at: null,
        results: this.feeds,
        refused_files_without_feed: 0,
        files_not_done: 0,
      };
    if (path === '/feed-files/') return { next: null, results: this.files };
    if (path.endsWith('/tests/')) return { next: null, results: this.tests };
    if (path.startsWith('/patients/')) return this.patient;
    return null;
  }

  private page(items: BoardItem[], cursor: string | null) {
    const from = Number(cursor ?? 0);
    const to = from + this.pageSize;
    return {
      as_of: hoursAgo(0),
      known_at: null,
      next: to < items.length ? String(to) : null,
      results: items.slice(from, to),
    };
  }

  private found(body: string) {
    const { search } = JSON.parse(body) as { search: string };
    const words = search.toLowerCase();
    return this.page(
      this.items.filter((each) => `${each.name} ${each.patient_id}`.toLowerCase().includes(words)),
      null,
    );
  }
}

function untilGivenUp(signal: AbortSignal): Promise<Response> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new DOMException('Given up.', 'AbortError')));
  });
}

function hashOf(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index += 1) hash = (hash * 31 + text.charCodeAt(index)) | 0;
  return hash;
}
