import { useTranslation } from 'react-i18next';
import { useTimes } from '@/lib/hospital';
import type { Patient } from '@/lib/api-types';
import classes from './patient-head.module.css';

/** Where a record came from: file and line. */
export function Origin({ origin, now }: { origin: Patient['origin']; now: number }) {
  const { t } = useTranslation();
  const times = useTimes();
  return (
    <p className={classes.origin}>
      {t('patient.origin', {
        file: origin.file,
        line: origin.line,
        time: times.short(origin.source_time, now),
      })}
    </p>
  );
}
