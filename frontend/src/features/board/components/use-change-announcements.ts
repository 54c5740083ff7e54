import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useAnnounce } from '@/lib/announcer';
import type { BoardItem } from '@/lib/api-types';
import { serverTime } from '@/lib/clock';
import { useTimes } from '@/lib/hospital';
import type { Condition } from '@/lib/live';

const BEDS_SPOKEN = 3;

type Watched = { items: BoardItem[]; scope: string; pages: number };

/** Says politely who came onto the list and how many left it. Another filter or another page is no change of the ward. */
export function useChangeAnnouncements({ items, scope, pages }: Watched, condition: Condition): void {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const before = useRef<{ scope: string; ids: Set<number> } | null>(null);
  useEffect(() => {
    if (condition.kind !== 'live') return;
    const here = `${scope} ${String(pages)}`;
    const ids = new Set(items.map((item) => item.admission.id));
    const last = before.current;
    before.current = { scope: here, ids };
    if (last?.scope !== here) return;
    const joined = items.filter((item) => !last.ids.has(item.admission.id));
    const left = [...last.ids].filter((id) => !ids.has(id)).length;
    const words = [];
    if (joined.length > 0) {
      const beds = joined.slice(0, BEDS_SPOKEN).map((item) => item.admission.room ?? t('board.noBed'));
      words.push(t('change.joined', { count: joined.length, beds: beds.join(', ') }));
    }
    if (left > 0) words.push(t('change.left', { count: left }));
    if (words.length > 0) announce(words.join(' '));
  }, [items, scope, pages, condition.kind, announce, t]);
  useConnectionAnnouncements(condition);
}

function useConnectionAnnouncements(condition: Condition): void {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const times = useTimes();
  const wasStale = useRef(false);
  const lostAt = condition.kind === 'stale' ? condition.at : null;
  useEffect(() => {
    if (lostAt !== null) announce(t('change.lost', { time: times.clock(serverTime(lostAt)) }));
    else if (wasStale.current) announce(t('change.back'));
    wasStale.current = lostAt !== null;
  }, [lostAt, announce, t, times]);
}
