import { infiniteQueryOptions, useInfiniteQuery } from '@tanstack/react-query';
import { SEARCH_POLL_MS } from '@/config/polling';
import { api, bodyOf, within } from '@/lib/api-client';
import { useHospital } from '@/lib/hospital';

type Searched = { text: string; departments: string[] };

/** The text travels in the body: an address is written into logs and histories, and a name must not be. */
function searchQuery({ text, departments }: Searched, token: string) {
  return infiniteQueryOptions({
    queryKey: ['patients', 'searched', text, departments],
    initialPageParam: null as string | null,
    queryFn: async ({ signal, pageParam }) =>
      bodyOf(
        await api.POST('/api/v1/patients/search/', {
          body: {
            search: text,
            status: 'open',
            departments,
            state: [],
            last_test_hours: null,
            cursor: pageParam,
          },
          headers: { 'X-CSRFToken': token },
          signal: within(signal),
        }),
      ),
    getNextPageParam: (last) => last.next,
    select: (data) => data.pages.flatMap((page) => page.results),
    refetchInterval: SEARCH_POLL_MS,
    // What was searched is forgotten as soon as nobody looks at it.
    gcTime: 0,
  });
}

/** Everyone in bed whose bed, name or number matches, whatever their state. */
export function usePatientSearch(searched: Searched) {
  const { csrf_token: token } = useHospital();
  return useInfiniteQuery({ ...searchQuery(searched, token), enabled: searched.text !== '' });
}
