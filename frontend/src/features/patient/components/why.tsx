import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { FreshnessMark } from '@/components/ui/freshness-mark';
import type { BoardFeed, Patient, PatientAdmission } from '@/lib/api-types';
import { feedName } from '@/lib/feed-name';
import { useTimes } from '@/lib/hospital';
import classes from './why.module.css';

const HOUR = 3_600_000;

type Props = {
  admission: PatientAdmission;
  lastTest: Patient['last_test'];
  feeds: BoardFeed[];
  now: number;
};

/** The state explains itself: what it counts from, against which limit, on how old data, and what would end it. */
export function Why({ admission, lastTest, feeds, now }: Props) {
  const { t } = useTranslation();
  const isUnknown = admission.state === 'cannot_know';
  return (
    <section className={classes.why}>
      <h4 className={classes.title}>{t('patient.why')}</h4>
      <dl className={classes.list}>
        <Line name={t('patient.verdict')}>
          <Verdict admission={admission} now={now} />
        </Line>
        <Line name={t('patient.counted')}>
          <CountedFrom admission={admission} lastTest={lastTest} />
        </Line>
        <Line name={t('patient.hours')}>
          <Hours admission={admission} now={now} />
        </Line>
        <Line name={t('patient.rule')}>
          <RuleWords admission={admission} />
        </Line>
        <Line name={t('patient.alert')}>
          <AlertWords admission={admission} now={now} />
        </Line>
        {feeds.length > 0 && (
          <Line name={t('patient.dataAge')}>
            <DataAge feeds={feeds} now={now} />
          </Line>
        )}
        {admission.state !== 'not_due' && (
          <Line name={t('patient.clears')}>
            {isUnknown ? t('patient.clearsCannotKnow') : t('patient.clearsText')}
          </Line>
        )}
      </dl>
    </section>
  );
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={classes.line}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Verdict({ admission, now }: Pick<Props, 'admission' | 'now'>) {
  const { t } = useTranslation();
  const times = useTimes();
  const { state, tier, quiet_since: quiet, threshold_hours: first, second_tier_hours: second } = admission;
  if (state === 'cannot_know') {
    const since = admission.cannot_know_since;
    return t('patient.verdictCannotKnow', { hours: first, time: since ? times.short(since, now) : '?' });
  }
  const hours = state === 'due' && tier >= 2 ? (second ?? first) : first;
  const reachedAt = Date.parse(quiet) + hours * HOUR;
  if (state === 'due') return t('patient.verdictBeyond', { hours, time: times.short(reachedAt, now) });
  return t('patient.verdictWithin', { time: times.full(reachedAt) });
}

function CountedFrom({ admission, lastTest }: Pick<Props, 'admission' | 'lastTest'>) {
  const { t } = useTranslation();
  const times = useTimes();
  const isTest = lastTest !== null && Date.parse(lastTest.at) >= Date.parse(admission.admitted_at);
  const time = times.full(admission.quiet_since);
  if (!isTest) return t('patient.countedAdmission', { time });
  return t('patient.countedTest', { name: lastTest.name ?? t('board.unnamedTest'), time });
}

function Hours({ admission, now }: Pick<Props, 'admission' | 'now'>) {
  const { t } = useTranslation();
  const times = useTimes();
  const duration = times.duration(now - Date.parse(admission.quiet_since));
  const time = times.clock(now);
  return admission.state === 'cannot_know'
    ? t('patient.hoursAtMost', { duration, time })
    : t('patient.hoursNow', { duration, time });
}

function RuleWords({ admission }: Pick<Props, 'admission'>) {
  const { t } = useTranslation();
  const { threshold_hours: first, second_tier_hours: second } = admission;
  const rule =
    second === null ? t('patient.ruleTextOne', { first }) : t('patient.ruleText', { first, second });
  return admission.department
    ? t('patient.ruleDepartment', { rule, department: admission.department })
    : rule;
}

function AlertWords({ admission, now }: Pick<Props, 'admission' | 'now'>) {
  const { t } = useTranslation();
  const times = useTimes();
  if (!admission.alert) return t('patient.alertNone');
  const time = times.short(admission.alert.raised_at, now);
  return admission.state === 'cannot_know'
    ? t('patient.alertMarked', { time })
    : t('patient.alertRaised', { time });
}

function DataAge({ feeds, now }: Pick<Props, 'feeds' | 'now'>) {
  const { t } = useTranslation();
  const times = useTimes();
  return (
    <ul className={classes.feeds}>
      {feeds.map((feed) => {
        const name = feedName(t, feed.feed, feed.source);
        const newest = feed.newest_source_time
          ? times.ago(feed.newest_source_time, now)
          : t('freshness.neverHeard');
        return (
          <li key={feed.id}>
            <FreshnessMark
              freshness={feed.freshness}
              words={
                feed.freshness === 'silent'
                  ? `${name}: ${t('freshness.silent')}, ${newest}`
                  : `${name}: ${newest}`
              }
            />
          </li>
        );
      })}
    </ul>
  );
}
