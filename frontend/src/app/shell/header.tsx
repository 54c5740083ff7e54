import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { DemoRibbon } from '@/app/shell/demo-ribbon';
import { UserMenu } from '@/app/shell/user-menu';
import { ADMIN } from '@/config/addresses';
import { FeedAges } from '@/features/board/components/feed-ages';
import { useServerTime } from '@/lib/clock';
import { useHospital, useTimes } from '@/lib/hospital';
import classes from './shell.module.css';

export function Header() {
  const { t } = useTranslation();
  const { user, demo } = useHospital();
  return (
    <header className={classes.header}>
      {demo && <DemoRibbon />}
      <div className={classes.bar}>
        <Link to="/" className={classes.wordmark} aria-label={t('app.name')}>
          <Mark />
          {t('app.name')}
        </Link>
        <nav className={classes.nav} aria-label={t('app.navigation')}>
          <Link to="/" activeOptions={{ exact: true, includeSearch: false }}>
            {t('app.board')}
          </Link>
          <Link to="/feeds" activeOptions={{ includeSearch: false }}>
            {t('app.feeds')}
          </Link>
          {user?.is_operator && <a href={ADMIN}>{t('app.admin')}</a>}
        </nav>
        <div className={classes.facts}>
          <FeedAges />
          <HospitalClock />
          <UserMenu />
        </div>
      </div>
    </header>
  );
}

function HospitalClock() {
  const { t } = useTranslation();
  const times = useTimes();
  const now = useServerTime(1000);
  return (
    <span className={classes.clock} title={t('app.hospitalTime', { zone: times.timeZone })}>
      <bdi className={classes.zone}>{times.timeZone}</bdi>
      <time dateTime={new Date(now).toISOString()}>{times.clock(now)}</time>
    </span>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0b6e6e" />
      <path
        d="M7 9l9 15 9-15"
        fill="none"
        stroke="#fff"
        strokeWidth="3.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <circle cx="16" cy="10.5" r="2.6" fill="#fff" />
    </svg>
  );
}
