import { useTranslation } from 'react-i18next';
import { TimeStamp } from '@/components/ui/time-stamp';
import type { LabResult, LabTest } from '@/lib/api-types';
import classes from './tests-table.module.css';

type Props = { tests: LabTest[]; now: number };

/** Every test, counted or not, with what was sent of its results. Nothing here is judged: no value is called normal. */
export function TestsTable({ tests, now }: Props) {
  const { t } = useTranslation();
  return (
    <div className={classes.frame}>
      <table className={classes.table}>
        <caption className="only-heard">{t('patient.tests')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('patient.testColumn')}</th>
            <th scope="col">{t('patient.ordered')}</th>
            <th scope="col">{t('patient.result')}</th>
            <th scope="col">{t('patient.range')}</th>
            <th scope="col">{t('patient.performed')}</th>
            <th scope="col">{t('patient.status')}</th>
          </tr>
        </thead>
        {tests.map((test) => (
          <tbody key={test.id} data-cancelled={test.is_cancelled || undefined}>
            {(test.results.length > 0 ? test.results : [null]).map((result, index) => (
              <tr key={result?.id ?? 'none'}>
                {index === 0 && <TestCells test={test} now={now} />}
                {result ? <ResultCells result={result} now={now} /> : <NoResult test={test} />}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function TestCells({ test, now }: { test: LabTest; now: number }) {
  const { t } = useTranslation();
  const rows = Math.max(1, test.results.length);
  return (
    <>
      <th scope="rowgroup" rowSpan={rows} className={classes.test}>
        <bdi className={classes.name}>{test.name ?? t('board.unnamedTest')}</bdi>
        <bdi className={classes.second}>{test.test_id}</bdi>
        {test.is_cancelled && <Mark>{t('patient.cancelled')}</Mark>}
        {test.test_id_conflict && <span className={classes.conflict}>{t('patient.testConflict')}</span>}
      </th>
      <td rowSpan={rows} className={classes.ordered} data-label={t('patient.ordered')}>
        <TimeStamp at={test.ordered_at} now={now} />
        {test.ordering_physician && (
          <span className={classes.second}>{t('patient.orderedBy', { name: test.ordering_physician })}</span>
        )}
        {test.lab_location && <bdi className={classes.second}>{test.lab_location}</bdi>}
      </td>
    </>
  );
}

function ResultCells({ result, now }: { result: LabResult; now: number }) {
  const { t } = useTranslation();
  return (
    <>
      <td className={classes.result} data-withdrawn={result.is_withdrawn || undefined}>
        <Value result={result} />
        {result.unit_is_ambiguous && <span className={classes.caution}>{t('patient.ambiguous')}</span>}
        {result.is_withdrawn && <Mark>{t('patient.withdrawn')}</Mark>}
      </td>
      <td data-label={t('patient.range')}>
        <bdi>{result.reference_range ?? <None />}</bdi>
      </td>
      <td data-label={t('patient.performed')}>
        <TimeStamp at={result.performed_at} now={now} />
        {result.reviewing_physician && (
          <span className={classes.second}>
            {t('patient.reviewedBy', { name: result.reviewing_physician })}
          </span>
        )}
      </td>
      <td data-label={t('patient.status')}>
        <bdi>{result.status ?? <None />}</bdi>
      </td>
    </>
  );
}

/** As sent: the value, and the unit as it stands in the file. */
export function Value({ result }: { result: Pick<LabResult, 'value' | 'unit'> }) {
  const { t } = useTranslation();
  if (result.value === null) return <span className={classes.second}>{t('patient.emptyResult')}</span>;
  return (
    <bdi dir="auto" className={classes.value}>
      <span className={classes.number}>{result.value}</span>{' '}
      {result.unit ? (
        <span className={classes.unit}>{result.unit}</span>
      ) : (
        <span className={classes.noUnit}>{t('patient.noUnit')}</span>
      )}
    </bdi>
  );
}

function NoResult({ test }: { test: LabTest }) {
  const { t } = useTranslation();
  return (
    <>
      <td className={classes.noResult}>{test.is_cancelled ? '' : t('patient.noResult')}</td>
      <td />
      <td />
      <td data-label={t('patient.status')}>
        <bdi>{test.status ?? <None />}</bdi>
      </td>
    </>
  );
}

function Mark({ children }: { children: string }) {
  return (
    <span className={classes.mark}>
      <span aria-hidden="true">⊘ </span>
      {children}
    </span>
  );
}

function None() {
  const { t } = useTranslation();
  return (
    <>
      <span aria-hidden="true" className={classes.noUnit}>
        –
      </span>
      <span className="only-heard">{t('app.notSent')}</span>
    </>
  );
}
