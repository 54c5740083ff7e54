import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, bodyOf, within } from '@/lib/api-client';

const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/session/', { signal: within(signal) })),
  // Nothing can be shown without it: a failed start tries again by itself.
  refetchInterval: (query) => (query.state.data === undefined ? 3_000 : 60_000),
});

export function useSession() {
  return useQuery(sessionQuery);
}
