import { Link } from '@tanstack/react-router';
import { useMediaQuery } from '@mantine/hooks';
import type { TFunction } from 'i18next';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Board, Doubt } from '@/lib/api-types';
import { feedNameOf } from '@/lib/feed-name';
import { useTimes } from '@/lib/hospital';
import type { Times } from '@/lib/times';
import classes from './doubts.module.css';

const AT_FIRST = 2;
const AT_FIRST_ON_A_PHONE = 1;
const WEIGHT: Record<Doubt['kind'], number> = {
  admission_rows_waiting: 0,
  admission_rows_rejected: 1,
  feed_silent: 2,
  files_refused: 3,
  lab_rows_rejected: 4,
  files_not_done: 5,
};

type Props = { board: Board; now: number };

/** What the board cannot vouch for, each doubt a sentence. Always there while there is one; never folded away whole. */
export function Doubts({ board, now }: Props) {
  const { t } = useTranslation();
  const times = useTimes();
  const [isOpen, setOpen] = useState(false);
  const isNarrow = useMediaQuery('(max-width: 40em)');
  const doubts = board.doubts
    .filter((doubt) => !isToldByBanner(doubt, board))
    .toSorted((one, other) => WEIGHT[one.kind] - WEIGHT[other.kind]);
  if (doubts.length === 0) return null;
  const shown = isOpen ? doubts : doubts.slice(0, isNarrow ? AT_FIRST_ON_A_PHONE : AT_FIRST);
  const more = doubts.length - shown.length;
  return (
    <section className={classes.doubts} aria-labelledby="doubts-title">
      <h2 id="doubts-title" className={classes.title}>
        <span className={classes.sign} aria-hidden="true">
          !
        </span>
        {t('vouch.title')}
      </h2>
      <ul className={classes.list}>
        {shown.map((doubt, index) => (
          <li key={`${doubt.kind} ${doubt.department ?? ''} ${doubt.feed ?? ''} ${String(index)}`}>
            {sentenceOf(doubt, t, times, now)} <Whence doubt={doubt} now={now} />
            {more > 0 && index === shown.length - 1 && (
              <>
                {' '}
                <button type="button" className={classes.more} onClick={() => setOpen(true)}>
                  {t('vouch.moreDoubts', { count: more })}
                </button>
              </>
            )}
          </li>
        ))}
      </ul>
      <span className={classes.acts}>
        <Link to="/feeds">{t('vouch.seeFeeds')}</Link>
      </span>
    </section>
  );
}

/** While patients are "cannot know", the banner names the silent laboratory feeds: not twice. */
function isToldByBanner(doubt: Doubt, board: Board): boolean {
  return doubt.kind === 'feed_silent' && isLaboratory(doubt) && board.counts.cannot_know > 0;
}

function isLaboratory(doubt: Doubt): boolean {
  return doubt.feed?.startsWith('lis.') ?? false;
}

function Whence({ doubt, now }: { doubt: Doubt; now: number }) {
  const { t } = useTranslation();
  const times = useTimes();
  if (doubt.kind === 'feed_silent') return null;
  const parts = [
    hasOwnSentence(doubt) ? null : doubt.department,
    doubt.feed && feedNameOf(t, doubt.feed),
    doubt.since && t('vouch.sinceShort', { time: times.short(doubt.since, now) }),
  ].filter((part) => part !== null && part !== '');
  return parts.length > 0 ? <span className={classes.whence}>({parts.join(', ')})</span> : null;
}

function hasOwnSentence({ kind }: Doubt): boolean {
  return kind === 'admission_rows_rejected' || kind === 'admission_rows_waiting';
}

function sentenceOf(doubt: Doubt, t: TFunction, times: Times, now: number): string {
  const { kind, count, department } = doubt;
  if (kind === 'feed_silent') return silenceOf(doubt, t, times, now);
  if (department !== null) {
    if (kind === 'admission_rows_rejected')
      return t('vouch.admission_rows_rejected_in', { count, department });
    if (kind === 'admission_rows_waiting') return t('vouch.admission_rows_waiting_in', { count, department });
  }
  return t(`vouch.${kind}`, { count });
}

function silenceOf(doubt: Doubt, t: TFunction, times: Times, now: number): string {
  const feed = doubt.feed ? feedNameOf(t, doubt.feed) : '';
  const system = isLaboratory(doubt) ? 'lis' : 'pms';
  return doubt.since
    ? t(`vouch.${system}_silent`, { feed, time: times.short(doubt.since, now) })
    : t(`vouch.${system}_silent_always`, { feed });
}
