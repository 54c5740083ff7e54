import { useTranslation } from 'react-i18next';
import { Origin } from '@/features/patient/components/origin';
import { Why } from '@/features/patient/components/why';
import { ScaleBar } from '@/components/ui/scale-bar';
import { lookOf, StateTag } from '@/components/ui/state-tag';
import { TimeStamp } from '@/components/ui/time-stamp';
import type { BoardFeed, Patient, PatientAdmission } from '@/lib/api-types';
import classes from './admission-card.module.css';

type Props = {
  admission: PatientAdmission;
  lastTest: Patient['last_test'];
  feeds: BoardFeed[];
  now: number;
};

export function AdmissionCard({ admission, lastTest, feeds, now }: Props) {
  const { t } = useTranslation();
  const look = lookOf(admission);
  const hours = (now - Date.parse(admission.quiet_since)) / 3_600_000;
  return (
    <article className={classes.card} data-look={admission.is_open ? look : 'closed'}>
      <header className={classes.head}>
        <h3 className={classes.bed}>
          <bdi>{admission.room ?? t('board.noBed')}</bdi>{' '}
          <bdi className={classes.department}>{admission.department ?? t('board.noDepartment')}</bdi>
        </h3>
        {admission.is_open ? (
          <div className={classes.state}>
            <span className={classes.hours}>
              <bdi dir="ltr">
                {look === 'unknown' && '≤ '}
                {Math.floor(Math.max(0, hours))}
              </bdi>{' '}
              <small>{t('board.hoursShort')}</small>
            </span>
            <ScaleBar
              hours={hours}
              first={admission.threshold_hours}
              second={admission.second_tier_hours}
              look={look}
            />
            <StateTag judged={admission} />
          </div>
        ) : (
          <span className={classes.closed}>{t('state.released')}</span>
        )}
      </header>
      {admission.case_number_conflict && (
        <p className={classes.conflict}>
          <span aria-hidden="true">! </span>
          {t('patient.caseConflict')}
        </p>
      )}
      <Stay admission={admission} now={now} />
      {admission.is_open && <Why admission={admission} lastTest={lastTest} feeds={feeds} now={now} />}
      <Origin origin={admission.origin} now={now} />
    </article>
  );
}

function Stay({ admission, now }: Pick<Props, 'admission' | 'now'>) {
  const { t } = useTranslation();
  const { case_number: number, admitted_at: admitted, released_at: released } = admission;
  const planned = admission.planned_release_at;
  return (
    <dl className={classes.stay}>
      <div>
        <dt>{t('patient.caseNumber')}</dt>
        <dd>
          <bdi>{number}</bdi>
        </dd>
      </div>
      <div>
        <dt>{t('patient.admitted')}</dt>
        <dd>
          <TimeStamp at={admitted} now={now} show="full" />{' '}
          <span className={classes.ago}>
            <TimeStamp at={admitted} now={now} show="ago" />
          </span>
        </dd>
      </div>
      {released && (
        <div>
          <dt>{t('patient.released')}</dt>
          <dd>
            <TimeStamp at={released} now={now} show="full" />
          </dd>
        </div>
      )}
      {planned && (
        <div>
          <dt>{t('patient.planned')}</dt>
          <dd>
            <TimeStamp at={planned} now={now} show="full" />{' '}
            <span className={classes.ago}>{t('patient.plannedNote')}</span>
          </dd>
        </div>
      )}
    </dl>
  );
}
