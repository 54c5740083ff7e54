import { useTranslation } from 'react-i18next';
import type { State } from '@/lib/api-types';
import classes from './state-tag.module.css';

type Judged = {
  state: State;
  tier: number;
  threshold_hours: number;
  second_tier_hours: number | null;
};

export type Look = 'urgent' | 'due' | 'unknown' | 'fine';

export function lookOf({ state, tier }: Pick<Judged, 'state' | 'tier'>): Look {
  if (state === 'cannot_know') return 'unknown';
  if (state === 'not_due') return 'fine';
  return tier >= 2 ? 'urgent' : 'due';
}

const SIGNS: Record<Look, string> = { urgent: '▲', due: '●', unknown: '?', fine: '' };

/** A state is never told by colour alone: it has its word and its sign. */
export function StateTag({ judged }: { judged: Judged }) {
  const { t } = useTranslation();
  const look = lookOf(judged);
  const words = {
    urgent: () => t('state.beyond', { hours: judged.second_tier_hours ?? judged.threshold_hours }),
    due: () => t('state.beyond', { hours: judged.threshold_hours }),
    unknown: () => t('state.cannotKnow'),
    fine: () => t('state.within', { hours: judged.threshold_hours }),
  };
  return (
    <span className={classes.tag} data-look={look}>
      {SIGNS[look] && (
        <span className={classes.sign} aria-hidden="true">
          {SIGNS[look]}
        </span>
      )}
      {words[look]()}
    </span>
  );
}
