import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { FailedNotice } from '@/components/ui/failed-notice';
import { Notice } from '@/components/ui/notice';
import { StaleBanner } from '@/components/ui/stale-banner';
import { usePatient } from '@/features/patient/api/get-patient';
import { AdmissionCard } from '@/features/patient/components/admission-card';
import { PatientHead } from '@/features/patient/components/patient-head';
import { PatientLoading } from '@/features/patient/components/patient-loading';
import { PatientTests } from '@/features/patient/components/patient-tests';
import { RequestFailed } from '@/lib/api-client';
import type { BoardFeed } from '@/lib/api-types';
import { serverTime, useServerTime } from '@/lib/clock';
import { conditionOf } from '@/lib/live';
import classes from './patient-page.module.css';

type Props = {
  id: string;
  from: string | null;
  onFrom: (day: string | null) => void;
  feeds: BoardFeed[];
};

export function PatientPage({ id, from, onFrom, feeds }: Props) {
  const { t } = useTranslation();
  const query = usePatient(id);
  const condition = conditionOf(query);
  const ticking = useServerTime(5_000);
  const now = condition.kind === 'stale' ? serverTime(condition.at) : ticking;
  const patient = query.data;
  const isUnknown = query.error instanceof RequestFailed && query.error.status === 404;

  return (
    <>
      {condition.kind === 'stale' && <StaleBanner at={condition.at} />}
      <p className={classes.back}>
        <Link to="/">
          <span className={classes.arrow} aria-hidden="true">
            ←
          </span>{' '}
          {t('patient.back')}
        </Link>
      </p>
      {!patient && isUnknown ? (
        <Notice kind="plain" title={t('patient.notFound')} level={1}>
          {t('patient.notFoundBody')}
        </Notice>
      ) : condition.kind === 'failed' ? (
        <FailedNotice
          title={t('failed.patient')}
          retrying={condition.retrying}
          onRetry={() => void query.refetch()}
        />
      ) : !patient ? (
        <PatientLoading />
      ) : (
        <>
          <PatientHead patient={patient} now={now} />
          <section aria-labelledby="admissions-title">
            <h2 id="admissions-title" className={classes.heading}>
              {t('patient.admissions')}
            </h2>
            {patient.admissions.length === 0 && <p className={classes.muted}>{t('patient.noAdmission')}</p>}
            {patient.admissions.map((admission) => (
              <AdmissionCard
                key={admission.id}
                admission={admission}
                lastTest={patient.last_test}
                feeds={feeds}
                now={now}
              />
            ))}
          </section>
          <PatientTests id={id} from={from} onFrom={onFrom} now={now} />
        </>
      )}
    </>
  );
}
