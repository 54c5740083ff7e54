/** Knows when an empty board is good news: only if nothing at all speaks against its being complete. */
import type { Board } from '@/lib/api-types';
import { isAlive } from '@/lib/freshness';

export type Objection =
  | { kind: 'feedSilent' | 'feedCatchingUp'; feed: string; source: string }
  | { kind: 'noLis' | 'noPms' | 'doubts' };

export function objectionsTo({ feeds, doubts }: Pick<Board, 'feeds' | 'doubts'>): Objection[] {
  const objections: Objection[] = feeds
    .filter((feed) => !isAlive(feed))
    .map(({ freshness, feed, source }) => ({
      kind: freshness === 'silent' ? 'feedSilent' : 'feedCatchingUp',
      feed,
      source,
    }));
  if (!feeds.some((feed) => feed.system === 'PMS')) objections.push({ kind: 'noPms' });
  if (!feeds.some((feed) => feed.system === 'LIS')) objections.push({ kind: 'noLis' });
  // A silent feed has been named above; every other doubt stands by itself.
  if (doubts.some((doubt) => doubt.kind !== 'feed_silent')) objections.push({ kind: 'doubts' });
  else if (doubts.length > 0 && objections.length === 0) objections.push({ kind: 'doubts' });
  return objections;
}
