import { Outlet } from '@tanstack/react-router';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Header } from '@/app/shell/header';
import { SessionEnded } from '@/app/shell/session-ended';
import { FailedNotice } from '@/components/ui/failed-notice';
import { useSession } from '@/features/session/api/get-session';
import { useIdleSignOut } from '@/features/session/components/use-idle-sign-out';
import { HospitalProvider } from '@/lib/hospital';
import { conditionOf } from '@/lib/live';
import { endSession, useSessionHasEnded } from '@/lib/session-end';
import classes from './shell.module.css';

/** Everything around a screen: who is signed in, which feeds are alive, what time it is in the hospital. */
export function Shell() {
  const ended = useSessionHasEnded();
  return ended ? <Ended /> : <SignedIn />;
}

function Ended() {
  const queryClient = useQueryClient();
  useEffect(() => queryClient.clear(), [queryClient]);
  return <SessionEnded />;
}

function SignedIn() {
  const { t } = useTranslation();
  const session = useSession();
  const condition = conditionOf(session);
  const signedOut = session.data?.signed_in === false;
  useEffect(() => {
    if (signedOut) endSession();
  }, [signedOut]);

  if (condition.kind === 'failed') {
    return (
      <FailedNotice
        title={t('failed.start')}
        retrying={condition.retrying}
        onRetry={() => void session.refetch()}
      >
        {t('failed.startBody')}
      </FailedNotice>
    );
  }
  if (!session.data || signedOut) return <p className={classes.starting}>{t('app.loading')}</p>;
  return (
    <HospitalProvider value={session.data}>
      <Watched idleSeconds={session.data.idle_sign_out_seconds}>
        <a className={classes.skip} href="#content">
          {t('app.skip')}
        </a>
        <Header />
        <main id="content" className={classes.main} tabIndex={-1}>
          <Outlet />
        </main>
      </Watched>
    </HospitalProvider>
  );
}

function Watched({ idleSeconds, children }: { idleSeconds: number; children: ReactNode }) {
  useIdleSignOut(idleSeconds);
  return children;
}
