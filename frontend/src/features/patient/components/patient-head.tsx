import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Origin } from '@/features/patient/components/origin';
import type { Patient } from '@/lib/api-types';
import { useTimes } from '@/lib/hospital';
import classes from './patient-head.module.css';

const NO_KNOWN_ALLERGIES = /^(none|nka|nkda|no known( drug)? allergies)$/i;

type Props = { patient: Patient; now: number };

export function PatientHead({ patient, now }: Props) {
  const { t } = useTranslation();
  const times = useTimes();
  const born = patient.date_of_birth;
  return (
    <header className={classes.head}>
      <h1 className={classes.name}>
        <bdi>{patient.name || t('board.unnamed')}</bdi>
      </h1>
      <p className={classes.who}>
        <span>
          {t('patient.number')} <bdi className={classes.number}>{patient.patient_id}</bdi>
        </span>
        <span>
          {born
            ? `${t('patient.born')} ${times.date(born)} (${times.age(born, now)})`
            : t('patient.bornUnknown')}
        </span>
        {patient.gender && <bdi>{patient.gender}</bdi>}
      </p>
      <dl className={classes.facts}>
        <Fact name={t('patient.allergies')}>
          <Allergies value={patient.allergies} />
        </Fact>
        <Fact name={t('patient.physician')}>
          <Sent value={patient.primary_physician} />
        </Fact>
        <Fact name={t('patient.bloodType')}>
          <Sent value={patient.blood_type} />
        </Fact>
        <Fact name={t('patient.insurance')}>
          <Sent value={patient.insurance_provider} />
        </Fact>
      </dl>
      <Further extra={patient.extra} />
      <Origin origin={patient.origin} now={now} />
    </header>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Sent({ value }: { value: string | null }) {
  const { t } = useTranslation();
  if (value === null || value === '') return <span className={classes.unknown}>{t('patient.unknown')}</span>;
  return <bdi>{value}</bdi>;
}

/** Unknown is not none: only a value that was sent may say that there are no allergies. */
function Allergies({ value }: { value: string | null }) {
  const { t } = useTranslation();
  if (value === null || value === '') {
    return (
      <span className={classes.warn}>
        <span aria-hidden="true">? </span>
        {t('patient.allergiesUnknown')}
      </span>
    );
  }
  if (NO_KNOWN_ALLERGIES.test(value)) return t('patient.allergiesNone', { value });
  return <bdi className={classes.allergies}>{value}</bdi>;
}

function Further({ extra }: { extra: Patient['extra'] }) {
  const { t } = useTranslation();
  const sent = Object.entries(extra);
  if (sent.length === 0) return null;
  return (
    <details className={classes.further}>
      <summary>{t('patient.further')}</summary>
      <dl className={classes.facts}>
        {sent.map(([column, value]) => (
          <div key={column}>
            <dt>
              <bdi>{column}</bdi>
            </dt>
            <dd>
              <bdi>{value ?? t('app.notSent')}</bdi>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
