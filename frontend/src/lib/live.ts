/** Tells apart the four conditions of data that is asked for again and again. */
import type { UseInfiniteQueryResult, UseQueryResult } from '@tanstack/react-query';
import { STALE_AFTER_MS } from '@/config/polling';

export type Condition =
  | { kind: 'loading' }
  | { kind: 'failed'; retrying: boolean }
  | { kind: 'live'; at: number }
  | { kind: 'stale'; at: number };

type Asked = Pick<
  UseQueryResult | UseInfiniteQueryResult,
  'data' | 'isError' | 'errorUpdateCount' | 'dataUpdatedAt' | 'isFetching'
>;

/**
 * `failed` only where there is nothing to show; data that can no longer be confirmed is `stale`, and keeps the
 * time of the last answer. A screen that failed stays failed while it tries again: no flicker back to "loading".
 */
export function conditionOf(query: Asked, now = Date.now()): Condition {
  if (query.data === undefined) {
    if (query.isError || query.errorUpdateCount > 0) return { kind: 'failed', retrying: query.isFetching };
    return { kind: 'loading' };
  }
  const isStale = query.isError && now - query.dataUpdatedAt > STALE_AFTER_MS;
  return { kind: isStale ? 'stale' : 'live', at: query.dataUpdatedAt };
}

/** A screen made of several answers is as good as the worst of them, and as old as the oldest. */
export function worstOf(conditions: Condition[]): Condition {
  const failed = conditions.find((each) => each.kind === 'failed');
  if (failed) return failed;
  if (conditions.some((each) => each.kind === 'loading')) return { kind: 'loading' };
  const dated = conditions.filter((each) => each.kind === 'live' || each.kind === 'stale');
  const at = Math.min(...dated.map((each) => each.at));
  return { kind: dated.some((each) => each.kind === 'stale') ? 'stale' : 'live', at };
}
