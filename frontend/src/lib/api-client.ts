/** One client for all requests. A refusal for want of a session ends the session, wherever it was met. */
import createClient from 'openapi-fetch';
import { ANSWER_TIMEOUT_MS } from '@/config/polling';
import type { paths } from '@/lib/api-schema';
import { endSession } from '@/lib/session-end';
import { hasBeenTouched } from '@/lib/use';

export const api = createClient<paths>({
  baseUrl: window.location.origin,
  credentials: 'same-origin',
  fetch: (request) => globalThis.fetch(request),
});

api.use({
  onRequest({ request }) {
    // What the screen asks by itself does not prolong the session.
    if (!hasBeenTouched()) request.headers.set('X-Background', '1');
  },
  onResponse({ response }) {
    if (response.status === 401 || response.status === 403) endSession();
  },
});

/** The server answered, but not with what was asked for. */
export class RequestFailed extends Error {
  constructor(readonly status: number) {
    super(`The server answered ${String(status)}.`);
    this.name = 'RequestFailed';
  }
}

export type Answer<T> = { data?: T; response: Response };

/** Ends a request that nobody waits for any more, or that takes too long to be called live. */
export function within(signal: AbortSignal): AbortSignal {
  const ending = new AbortController();
  const timer = setTimeout(
    () => ending.abort(new DOMException('No answer in time.', 'TimeoutError')),
    ANSWER_TIMEOUT_MS,
  );
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    ending.abort(signal.reason);
  });
  return ending.signal;
}

export function bodyOf<T>({ data, response }: Answer<T>): T {
  if (data === undefined) throw new RequestFailed(response.status);
  return data;
}

/** An answer with its ETag, kept so that the next question can be "has it changed since?". */
export type Held<T> = { etag: string | null; body: T };

/** Asks only for what is new: when the server says 304, what is held stays, and is now known to be current. */
export async function askAgain<T>(
  held: Held<T> | undefined,
  send: (headers: Record<string, string>) => Promise<Answer<T>>,
): Promise<Held<T>> {
  const answer = await send(held?.etag ? { 'If-None-Match': held.etag } : {});
  if (answer.response.status === 304 && held) return held;
  return { etag: answer.response.headers.get('ETag'), body: bodyOf(answer) };
}
