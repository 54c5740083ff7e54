import { useTranslation } from 'react-i18next';
import type { Freshness } from '@/lib/api-types';
import classes from './freshness-mark.module.css';

const SIGNS: Record<Freshness, string> = { fresh: '●', late: '◔', catching_up: '◐', silent: '?' };

type Props = { freshness: Freshness; words?: string };

/** Whether a feed is alive, by sign and word. */
export function FreshnessMark({ freshness, words }: Props) {
  const { t } = useTranslation();
  return (
    <span className={classes.mark} data-freshness={freshness}>
      <span className={classes.sign} aria-hidden="true">
        {SIGNS[freshness]}
      </span>
      {words ?? t(`freshness.${freshness}`)}
    </span>
  );
}
