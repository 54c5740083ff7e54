import { infiniteQueryOptions, useInfiniteQuery, type InfiniteData } from '@tanstack/react-query';
import { PATIENT_POLL_MS } from '@/config/polling';
import { api, askAgain, within, type Held } from '@/lib/api-client';
import type { TestPage } from '@/lib/api-types';

type Pages = InfiniteData<Held<TestPage>, string | null>;

function testsQuery(id: string, from: string | null) {
  const queryKey = ['patient', id, 'tests', from] as const;
  return infiniteQueryOptions({
    queryKey,
    initialPageParam: null as string | null,
    queryFn: async ({ signal, client, pageParam }) => {
      const pages = client.getQueryData<Pages>(queryKey);
      const held = pages?.pages[pages.pageParams.indexOf(pageParam)];
      return askAgain(held, (headers) =>
        api.GET('/api/v1/patients/{id}/tests/', {
          params: {
            path: { id },
            query: {
              ...(from === null ? {} : { from_date: from }),
              ...(pageParam === null ? {} : { cursor: pageParam }),
            },
          },
          headers,
          signal: within(signal),
        }),
      );
    },
    getNextPageParam: (last: Held<TestPage>) => last.body.next,
    select: (data) => data.pages.flatMap((page) => page.body.results),
    refetchInterval: PATIENT_POLL_MS * 2,
  });
}

/** The patient's tests with their results, newest first, page by page. */
export function useTests(id: string, from: string | null) {
  return useInfiniteQuery(testsQuery(id, from));
}
