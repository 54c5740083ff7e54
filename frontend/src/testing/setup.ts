import '@testing-library/jest-dom/vitest';
import { cleanup, configure } from '@testing-library/react';
import { afterEach, beforeEach, vi } from 'vitest';
import { forgetSearchedText } from '@/features/board/components/searched-text';
import { chooseLanguage, startLanguages } from '@/lib/i18n';
import { beginSession } from '@/lib/session-end';

configure({ asyncUtilTimeout: 3_000 });

// What a browser has and jsdom has not.
class NoResizeObserver implements ResizeObserver {
  observe() {
    return undefined;
  }
  unobserve() {
    return undefined;
  }
  disconnect() {
    return undefined;
  }
}
vi.stubGlobal('ResizeObserver', NoResizeObserver);
vi.stubGlobal('scrollTo', () => undefined);
vi.stubGlobal('matchMedia', (query: string) => ({
  matches: false,
  media: query,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
}));
// A canvas that takes every stroke and draws nothing.
const NO_CANVAS = new Proxy({}, { get: () => () => ({ width: 0 }), set: () => true });
vi.stubGlobal('Path2D', function NoPath() {
  return NO_CANVAS;
});
HTMLCanvasElement.prototype.getContext = (() => NO_CANVAS) as never;
Element.prototype.scrollIntoView = () => undefined;

await startLanguages('en');

beforeEach(async () => {
  window.localStorage.clear();
  window.sessionStorage.clear();
  await chooseLanguage('en');
  beginSession();
  forgetSearchedText();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});
