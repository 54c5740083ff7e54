import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, bodyOf, within } from '@/lib/api-client';

const departmentsQuery = queryOptions({
  queryKey: ['departments'],
  queryFn: async ({ signal }) => bodyOf(await api.GET('/api/v1/departments/', { signal: within(signal) })),
  select: (answer) => answer.results,
  refetchInterval: 15_000,
});

export function useDepartments() {
  return useQuery(departmentsQuery);
}
