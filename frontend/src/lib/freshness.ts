import type { Feed } from '@/lib/api-types';

/** Whether what a feed does not tell means anything; a late one is warned of, but still alive. */
export function isAlive({ freshness }: Pick<Feed, 'freshness'>): boolean {
  return freshness === 'fresh' || freshness === 'late';
}
