import { queryOptions, useQuery, type QueryClient } from '@tanstack/react-query';
import { FEEDS_POLL_MS } from '@/config/polling';
import { api, askAgain, within, type Held } from '@/lib/api-client';
import type { Feeds } from '@/lib/api-types';
import { noteServerTime } from '@/lib/clock';

const queryKey = ['feeds'] as const;

const feedsQuery = queryOptions({
  queryKey,
  queryFn: async ({ signal, client }: { signal: AbortSignal; client: QueryClient }) => {
    const held = client.getQueryData<Held<Feeds>>(queryKey);
    const answer = await askAgain(held, (headers) =>
      api.GET('/api/v1/feeds/', { headers, signal: within(signal) }),
    );
    if (answer !== held) noteServerTime(answer.body.as_of);
    return answer;
  },
  select: (held) => held.body,
  refetchInterval: FEEDS_POLL_MS,
});

export function useFeeds() {
  return useQuery(feedsQuery);
}
