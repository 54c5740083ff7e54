import { useTranslation } from 'react-i18next';
import { serverTime, useServerTime } from '@/lib/clock';
import { useTimes } from '@/lib/hospital';
import classes from './banner.module.css';

/** Data that can no longer be confirmed: kept, dated, and said so. `at` is this device's time of the last answer. */
export function StaleBanner({ at }: { at: number }) {
  const { t } = useTranslation();
  const times = useTimes();
  const now = useServerTime(1000);
  const answeredAt = serverTime(at);
  return (
    <div className={classes.banner} data-kind="stale" role="alert">
      <span className={classes.sign} aria-hidden="true">
        ⚠︎
      </span>
      <p className={classes.words}>
        <strong>{t('stale.title', { time: times.clock(answeredAt) })}</strong>{' '}
        <span aria-live="off">{t('stale.body', { age: times.duration(now - answeredAt) })}</span>
      </p>
    </div>
  );
}
