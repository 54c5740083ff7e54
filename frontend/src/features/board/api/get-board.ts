import { queryOptions, useQuery, type QueryClient } from '@tanstack/react-query';
import { BOARD_POLL_MS } from '@/config/polling';
import { api, askAgain, within, type Held } from '@/lib/api-client';
import type { Board } from '@/lib/api-types';
import { noteServerTime } from '@/lib/clock';

function boardQuery(departments: string[]) {
  const queryKey = ['board', departments] as const;
  return queryOptions({
    queryKey,
    queryFn: async ({ signal, client }: { signal: AbortSignal; client: QueryClient }) => {
      const held = client.getQueryData<Held<Board>>(queryKey);
      const answer = await askAgain(held, (headers) =>
        api.GET('/api/v1/board/', {
          params: { query: { department: departments } },
          headers,
          signal: within(signal),
        }),
      );
      if (answer !== held) noteServerTime(answer.body.as_of);
      return answer;
    },
    select: (held) => held.body,
    refetchInterval: BOARD_POLL_MS,
  });
}

/** Tallies, feeds and doubts of the chosen departments; of the whole house where none is chosen. */
export function useBoard(departments: string[]) {
  return useQuery(boardQuery(departments));
}
