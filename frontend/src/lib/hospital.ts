/** What every screen may ask about where it stands: who is signed in, the hospital's zone, the token for writing. */
import { createContext, useContext, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Session } from '@/lib/api-types';
import { timesOf, type Times } from '@/lib/times';

const HospitalContext = createContext<Session | null>(null);
export const HospitalProvider = HospitalContext.Provider;

export function useHospital(): Session {
  const session = useContext(HospitalContext);
  if (!session) throw new Error('There is no session above this component.');
  return session;
}

export function useTimes(): Times {
  const { time_zone: zone } = useHospital();
  const { t, i18n } = useTranslation();
  return useMemo(() => timesOf(i18n.language, zone, t), [i18n.language, zone, t]);
}
