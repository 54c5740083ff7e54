/** The server's clock, as seen from here. A workstation whose own clock is wrong must not show wrong hours. */
import { useEffect, useState } from 'react';

let ahead = 0;

export function noteServerTime(iso: string, receivedAt = Date.now()): void {
  const told = Date.parse(iso);
  if (!Number.isNaN(told)) ahead = told - receivedAt;
}

export function serverTime(local = Date.now()): number {
  return local + ahead;
}

/** The server's time in milliseconds, renewed at an interval; a component that uses it ticks on. */
export function useServerTime(everyMs: number): number {
  const [now, setNow] = useState(() => serverTime());
  useEffect(() => {
    const renew = () => setNow(serverTime());
    renew();
    const timer = window.setInterval(renew, everyMs);
    document.addEventListener('visibilitychange', renew);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener('visibilitychange', renew);
    };
  }, [everyMs]);
  return now;
}
