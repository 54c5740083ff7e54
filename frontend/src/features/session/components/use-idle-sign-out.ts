import { useEffect } from 'react';
import { SIGN_OUT } from '@/config/addresses';
import { useHospital } from '@/lib/hospital';
import { endSession } from '@/lib/session-end';

const SIGNS_OF_LIFE = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;
const TOLD_EVERY_MS = 5_000;

/**
 * Signs out when nobody has touched any of this user's tabs for so long. The screen asks the server again and
 * again, so the server alone would take an abandoned ward computer for a busy one.
 */
export function useIdleSignOut(seconds: number): void {
  const { csrf_token: token } = useHospital();
  useEffect(() => {
    if (seconds <= 0) return;
    let lastTouch = Date.now();
    let lastTold = 0;
    const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('vigil.touch');
    const touched = () => {
      lastTouch = Date.now();
      if (lastTouch - lastTold < TOLD_EVERY_MS) return;
      lastTold = lastTouch;
      tabs?.postMessage('touched');
    };
    const elsewhere = () => {
      lastTouch = Date.now();
    };
    tabs?.addEventListener('message', elsewhere);
    for (const sign of SIGNS_OF_LIFE) window.addEventListener(sign, touched, { passive: true });
    const timer = window.setInterval(() => {
      if (Date.now() - lastTouch < seconds * 1000) return;
      window.clearInterval(timer);
      void signOut(token).finally(endSession);
    }, 1_000);
    return () => {
      window.clearInterval(timer);
      tabs?.close();
      for (const sign of SIGNS_OF_LIFE) window.removeEventListener(sign, touched);
    };
  }, [seconds, token]);
}

async function signOut(token: string): Promise<void> {
  const body = new URLSearchParams({ csrfmiddlewaretoken: token });
  await globalThis.fetch(new URL(SIGN_OUT, window.location.origin), {
    method: 'POST',
    credentials: 'same-origin',
    body,
    redirect: 'manual',
  });
}
