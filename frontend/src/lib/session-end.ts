/**
 * Knows whether the session has ended. It ends once: the screen is emptied of patients first, then the browser
 * leaves for the sign-in page.
 */
import { useSyncExternalStore } from 'react';
import { SIGN_IN } from '@/config/addresses';
import { browser } from '@/lib/browser';

let ended = false;
const listeners = new Set<() => void>();

export function signInAddress(): string {
  const here = window.location.pathname + window.location.search;
  return `${SIGN_IN}?next=${encodeURIComponent(here)}`;
}

export function endSession(): void {
  if (ended) return;
  ended = true;
  for (const tell of listeners) tell();
  browser.leaveFor(signInAddress());
}

/** For tests and for a fresh start of the application. */
export function beginSession(): void {
  ended = false;
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

export function useSessionHasEnded(): boolean {
  return useSyncExternalStore(subscribe, () => ended);
}
