import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useBoard } from '@/features/board/api/get-board';
import { FreshnessMark } from '@/components/ui/freshness-mark';
import type { BoardFeed } from '@/lib/api-types';
import { useServerTime } from '@/lib/clock';
import { feedName } from '@/lib/feed-name';
import { useTimes } from '@/lib/hospital';
import { conditionOf } from '@/lib/live';
import classes from './feed-ages.module.css';

/** How old what we know is, on every page. A silent feed is named; live ones are told by their oldest. */
export function FeedAges() {
  const { t } = useTranslation();
  const board = useBoard([]);
  const condition = conditionOf(board);
  return (
    <Link to="/feeds" className={classes.ages}>
      <span className="only-heard">{t('app.feedAges')}: </span>
      {condition.kind === 'loading' ? null : condition.kind === 'live' && board.data ? (
        <Ages feeds={board.data.feeds} />
      ) : (
        <FreshnessMark freshness="silent" words={t('freshness.unknown')} />
      )}
    </Link>
  );
}

function Ages({ feeds }: { feeds: BoardFeed[] }) {
  const { t } = useTranslation();
  if (feeds.length === 0) return <FreshnessMark freshness="silent" words={t('freshness.noFeeds')} />;
  const silent = feeds.filter((feed) => feed.freshness === 'silent');
  return (
    <>
      <span className={classes.each}>
        {(['PMS', 'LIS'] as const).map((system) => (
          <SystemAge
            key={system}
            system={system}
            feeds={feeds.filter((feed) => feed.system === system && feed.freshness !== 'silent')}
          />
        ))}
        {silent.slice(0, 2).map((feed) => (
          <SilentFeed key={feed.id} feed={feed} />
        ))}
        {silent.length > 2 && <FreshnessMark freshness="silent" words={`+${String(silent.length - 2)}`} />}
      </span>
      <span className={classes.brief}>
        {silent.length > 0 ? (
          <FreshnessMark freshness="silent" words={t('freshness.feedsSilent', { count: silent.length })} />
        ) : (
          <FreshnessMark freshness="fresh" words={t('freshness.feedsFresh', { count: feeds.length })} />
        )}
      </span>
    </>
  );
}

function SystemAge({ system, feeds }: { system: string; feeds: BoardFeed[] }) {
  const times = useTimes();
  const now = useServerTime(1000);
  const dated = feeds.map((feed) => feed.newest_source_time).filter((at) => at !== null);
  const oldest = dated.toSorted().at(0);
  if (oldest === undefined) return null;
  const isLate = feeds.some((feed) => feed.freshness === 'catching_up');
  return (
    <span className={classes.age}>
      <FreshnessMark freshness={isLate ? 'catching_up' : 'fresh'} words={system} />
      <strong>{times.ago(oldest, now)}</strong>
    </span>
  );
}

function SilentFeed({ feed }: { feed: BoardFeed }) {
  const { t } = useTranslation();
  const times = useTimes();
  const now = useServerTime(60_000);
  const since = feed.silent_since
    ? t('freshness.silentSince', { time: times.short(feed.silent_since, now) })
    : t('freshness.silent');
  return <FreshnessMark freshness="silent" words={`${feedName(t, feed.feed, feed.source)} ${since}`} />;
}
