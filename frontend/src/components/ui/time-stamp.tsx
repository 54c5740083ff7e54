import { useTimes } from '@/lib/hospital';

type Props = { at: string; now: number; show?: 'short' | 'full' | 'ago' };

/** A moment as words; the other form (absolute for relative, full for short) is one hover or one screen-reader key away. */
export function TimeStamp({ at, now, show = 'short' }: Props) {
  const times = useTimes();
  const full = `${times.full(at)} (${times.timeZone})`;
  const words = {
    short: () => times.short(at, now),
    full: () => times.full(at),
    ago: () => times.ago(at, now),
  };
  return (
    <time dateTime={at} title={show === 'ago' ? full : `${full} · ${times.ago(at, now)}`}>
      {words[show]()}
    </time>
  );
}
