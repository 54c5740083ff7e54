import { queryOptions, useQuery, type QueryClient } from '@tanstack/react-query';
import { PATIENT_POLL_MS } from '@/config/polling';
import { api, askAgain, within, type Held } from '@/lib/api-client';
import type { Patient } from '@/lib/api-types';
import { noteServerTime } from '@/lib/clock';

function patientQuery(id: string) {
  const queryKey = ['patient', id] as const;
  return queryOptions({
    queryKey,
    queryFn: async ({ signal, client }: { signal: AbortSignal; client: QueryClient }) => {
      const held = client.getQueryData<Held<Patient>>(queryKey);
      const answer = await askAgain(held, (headers) =>
        api.GET('/api/v1/patients/{id}/', { params: { path: { id } }, headers, signal: within(signal) }),
      );
      if (answer !== held) noteServerTime(answer.body.as_of);
      return answer;
    },
    select: (held) => held.body,
    refetchInterval: PATIENT_POLL_MS,
  });
}

export function usePatient(id: string) {
  return useQuery(patientQuery(id));
}
