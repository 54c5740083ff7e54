import { useEffect } from 'react';
import { SIGN_OUT } from '@/config/addresses';
import { useHospital } from '@/lib/hospital';
import { endSession } from '@/lib/session-end';
import { idleFor, noteTouch } from '@/lib/use';

const SIGNS_OF_LIFE = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;
const TOLD_EVERY_MS = 5_000;

/** Signs out when nobody has touched any of this user's tabs for so long, and empties the screen at once. */
export function useIdleSignOut(seconds: number): void {
  const { csrf_token: token } = useHospital();
  useEffect(() => {
    let lastTold = 0;
    noteTouch();
    const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('vigil.touch');
    const touched = () => {
      noteTouch();
      if (Date.now() - lastTold < TOLD_EVERY_MS) return;
      lastTold = Date.now();
      tabs?.postMessage('touched');
    };
    tabs?.addEventListener('message', noteTouch);
    for (const sign of SIGNS_OF_LIFE) window.addEventListener(sign, touched, { passive: true });
    const timer = window.setInterval(() => {
      if (seconds <= 0 || idleFor() < seconds * 1000) return;
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
