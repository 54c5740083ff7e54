import { infiniteQueryOptions, useInfiniteQuery, type InfiniteData } from '@tanstack/react-query';
import { FEEDS_POLL_MS } from '@/config/polling';
import { api, askAgain, within, type Held } from '@/lib/api-client';
import type { FeedFilePage, FeedFileStatus } from '@/lib/api-types';

export type FilesFilter = { feed: string | null; status: FeedFileStatus | null };
type Pages = InfiniteData<Held<FeedFilePage>, string | null>;

function filesQuery({ feed, status }: FilesFilter) {
  const queryKey = ['feed-files', feed, status] as const;
  return infiniteQueryOptions({
    queryKey,
    initialPageParam: null as string | null,
    queryFn: async ({ signal, client, pageParam }) => {
      const pages = client.getQueryData<Pages>(queryKey);
      const held = pages?.pages[pages.pageParams.indexOf(pageParam)];
      return askAgain(held, (headers) =>
        api.GET('/api/v1/feed-files/', {
          params: {
            query: {
              ...(feed === null ? {} : { feed }),
              ...(status === null ? {} : { status }),
              ...(pageParam === null ? {} : { cursor: pageParam }),
            },
          },
          headers,
          signal: within(signal),
        }),
      );
    },
    getNextPageParam: (last: Held<FeedFilePage>) => last.body.next,
    select: (data) => data.pages.flatMap((page) => page.body.results),
    refetchInterval: FEEDS_POLL_MS,
  });
}

/** Files as they were received, newest first, each with its ledger. */
export function useFeedFiles(filter: FilesFilter) {
  return useInfiniteQuery(filesQuery(filter));
}
