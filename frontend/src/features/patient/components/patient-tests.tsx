import { Button, TextInput } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { FailedNotice } from '@/components/ui/failed-notice';
import { StaleBanner } from '@/components/ui/stale-banner';
import { useTests } from '@/features/patient/api/get-tests';
import { TestsTable } from '@/features/patient/components/tests-table';
import { conditionOf } from '@/lib/live';
import { useTimes } from '@/lib/hospital';
import classes from './patient-tests.module.css';

// The plot is the heaviest part and the last one looked at.
const Trends = lazy(async () => ({ default: (await import('@/features/patient/components/trends')).Trends }));

type Props = { id: string; from: string | null; onFrom: (day: string | null) => void; now: number };

export function PatientTests({ id, from, onFrom, now }: Props) {
  const { t } = useTranslation();
  const times = useTimes();
  const query = useTests(id, from);
  const condition = conditionOf(query);
  const tests = query.data;
  return (
    <section aria-labelledby="tests-title">
      <div className={classes.head}>
        <h2 id="tests-title" className={classes.heading}>
          {t('patient.tests')}
        </h2>
        <FromDate from={from} onFrom={onFrom} />
      </div>
      {condition.kind === 'stale' && <StaleBanner at={condition.at} />}
      {condition.kind === 'failed' ? (
        <FailedNotice
          title={t('failed.tests')}
          retrying={condition.retrying}
          onRetry={() => void query.refetch()}
        />
      ) : tests === undefined ? (
        <p className={classes.plain} role="status">
          {t('app.loading')}
        </p>
      ) : tests.length === 0 ? (
        <p className={classes.plain}>
          {from === null ? t('patient.noTests') : t('patient.noTestsFrom', { date: times.date(from) })}
        </p>
      ) : (
        <>
          <Suspense fallback={<p className={classes.plain}>{t('app.loading')}</p>}>
            <Trends tests={tests} isPartial={query.hasNextPage} />
          </Suspense>
          <TestsTable tests={tests} now={now} />
        </>
      )}
      {query.hasNextPage && (
        <Button
          variant="default"
          mt="sm"
          onClick={() => void query.fetchNextPage()}
          aria-disabled={query.isFetchingNextPage}
        >
          {query.isFetchingNextPage ? t('board.loadingMore') : t('app.more')}
        </Button>
      )}
    </section>
  );
}

function FromDate({ from, onFrom }: Pick<Props, 'from' | 'onFrom'>) {
  const { t } = useTranslation();
  return (
    <div className={classes.from}>
      <label htmlFor="tests-from">{t('patient.from')}</label>
      <TextInput
        id="tests-from"
        type="date"
        size="sm"
        value={from ?? ''}
        onChange={(event) => onFrom(event.currentTarget.value || null)}
      />
      {from !== null && (
        <Button variant="subtle" size="compact-sm" onClick={() => onFrom(null)}>
          {t('patient.clearFrom')}
        </Button>
      )}
    </div>
  );
}
