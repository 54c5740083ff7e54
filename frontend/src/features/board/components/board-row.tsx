import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { departmentName } from '@/features/board/components/department-name';
import { ScaleBar } from '@/components/ui/scale-bar';
import { lookOf, StateTag } from '@/components/ui/state-tag';
import { TimeStamp } from '@/components/ui/time-stamp';
import type { BoardItem } from '@/lib/api-types';
import { useTimes } from '@/lib/hospital';
import classes from './board-table.module.css';

const HOUR = 3_600_000;

type CellProps = { item: BoardItem; now: number };

export function hoursOf(item: BoardItem, now: number): number {
  return Math.max(0, (now - Date.parse(item.quiet_since)) / HOUR);
}

export function BedCell({ item }: CellProps) {
  const { t } = useTranslation();
  const { room, department } = item.admission;
  return (
    <>
      <bdi className={room === null ? classes.noBed : classes.bed}>{room ?? t('board.noBed')}</bdi>
      <bdi className={classes.second}>{departmentName(t, department)}</bdi>
    </>
  );
}

export function PatientCell({ item, now }: CellProps) {
  const { t } = useTranslation();
  const times = useTimes();
  const admitted = now - Date.parse(item.admission.admitted_at);
  return (
    <>
      <Link to="/patients/$id" params={{ id: item.id }} className={classes.name} data-row-link>
        <bdi>{item.name || t('board.unnamed')}</bdi>
      </Link>
      <span className={classes.second}>
        <bdi>{item.patient_id}</bdi>
        {item.date_of_birth && <> · {times.age(item.date_of_birth, now)}</>}
        {' · '}
        <span title={`${times.full(item.admission.admitted_at)} (${times.timeZone})`}>
          {t('board.admittedAgo', { duration: times.duration(admitted) })}
        </span>
      </span>
    </>
  );
}

export function HoursCell({ item, now }: CellProps) {
  const { t } = useTranslation();
  const hours = hoursOf(item, now);
  const whole = Math.floor(hours);
  const look = lookOf(item);
  const atMost = look === 'unknown';
  return (
    <>
      <span className={classes.hours} aria-hidden="true">
        {/* What has not arrived could only lower the hours, so "cannot know" shows a bound. */}
        <bdi dir="ltr" className={classes.figure}>
          {atMost && <span className={classes.bound}>≤</span>}
          {whole}
        </bdi>{' '}
        <small>{t('board.hoursShort')}</small>
      </span>
      <span className="only-heard">
        {atMost ? t('board.atMostWords', { count: whole }) : t('board.hoursWords', { count: whole })}
      </span>
      <ScaleBar hours={hours} first={item.threshold_hours} second={item.second_tier_hours} look={look} />
    </>
  );
}

export function StateCell({ item }: CellProps) {
  return <StateTag judged={item} />;
}

export function LastTestCell({ item, now }: CellProps) {
  const { t } = useTranslation();
  const { last_test: last, admission } = item;
  if (!last) return <span className={classes.none}>{t('board.noneSinceAdmission')}</span>;
  const isBefore = last.at < admission.admitted_at;
  if (isBefore) return <span className={classes.none}>{t('board.noneSinceAdmission')}</span>;
  return (
    <span className={classes.last}>
      <bdi>{last.name ?? t('board.unnamedTest')}</bdi>
      <span className={classes.second}>
        <TimeStamp at={last.at} now={now} />
      </span>
    </span>
  );
}
