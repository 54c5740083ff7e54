import { QueryClient } from '@tanstack/react-query';

/** Failures are shown at once and asked again by the next poll, not hidden behind silent retries. */
export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: false,
        networkMode: 'always',
        refetchOnWindowFocus: 'always',
        refetchIntervalInBackground: false,
        staleTime: 0,
        gcTime: 60_000,
      },
    },
  });
}
