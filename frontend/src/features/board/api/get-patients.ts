import { infiniteQueryOptions, useInfiniteQuery, type InfiniteData } from '@tanstack/react-query';
import { BOARD_POLL_MS, PAGE_SIZE } from '@/config/polling';
import { api, askAgain, within, type Held } from '@/lib/api-client';
import type { PatientPage, State } from '@/lib/api-types';

export type PatientsFilter = { departments: string[]; states: State[] };
type Pages = InfiniteData<Held<PatientPage>, string | null>;

const SLOWER_PER_PAGE_MS = 100;
const SLOWEST_MS = 4_000;

function patientsQuery({ departments, states }: PatientsFilter) {
  const queryKey = ['patients', 'listed', departments, states] as const;
  return infiniteQueryOptions({
    queryKey,
    initialPageParam: null as string | null,
    queryFn: async ({ signal, client, pageParam }) => {
      const pages = client.getQueryData<Pages>(queryKey);
      const held = pages?.pages[pages.pageParams.indexOf(pageParam)];
      return askAgain(held, (headers) =>
        api.GET('/api/v1/patients/', {
          params: {
            query: {
              status: 'open',
              department: departments,
              state: states,
              page_size: PAGE_SIZE,
              ...(pageParam === null ? {} : { cursor: pageParam }),
            },
          },
          headers,
          signal: within(signal),
        }),
      );
    },
    getNextPageParam: (last: Held<PatientPage>) => last.body.next,
    select: (data) => data.pages.flatMap((page) => page.body.results),
    // Every page that is on the screen is asked for again: who scrolled far asks a little less often.
    refetchInterval: (query) => {
      const more = (query.state.data?.pages.length ?? 1) - 1;
      return Math.min(SLOWEST_MS, BOARD_POLL_MS + more * SLOWER_PER_PAGE_MS);
    },
  });
}

/** Open admissions, longest without a test first, page by page. */
export function usePatients(filter: PatientsFilter, options: { enabled: boolean }) {
  return useInfiniteQuery({ ...patientsQuery(filter), enabled: options.enabled });
}
