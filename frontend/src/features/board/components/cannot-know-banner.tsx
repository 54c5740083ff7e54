import { useTranslation } from 'react-i18next';
import type { Board } from '@/lib/api-types';
import { feedName } from '@/lib/feed-name';
import { isAlive } from '@/lib/freshness';
import { useTimes } from '@/lib/hospital';
import classes from './cannot-know-banner.module.css';
import bannerClasses from '@/components/ui/banner.module.css';

type Props = { board: Board; now: number };

/** Explains "cannot know": for how many, since when, because of which feed, and what follows from it. */
export function CannotKnowBanner({ board, now }: Props) {
  const { t, i18n } = useTranslation();
  const times = useTimes();
  const count = board.counts.cannot_know;
  if (count === 0) return null;
  const silent = board.feeds.filter((feed) => feed.system === 'LIS' && !isAlive(feed));
  const names = new Intl.ListFormat(i18n.language).format(
    silent.map((feed) => feedName(t, feed.feed, feed.source)),
  );
  const first = silent
    .map((feed) => feed.silent_since)
    .filter((at) => at !== null)
    .toSorted()
    .at(0);
  const since = board.cannot_know_since ?? first;
  const time = since ? times.short(since, now) : '';
  return (
    <section className={bannerClasses.banner} data-kind="unknown" aria-label={t('state.cannotKnow')}>
      <span className={bannerClasses.sign} aria-hidden="true">
        ?
      </span>
      <p className={bannerClasses.words}>
        <strong>{t('vouch.cannotKnow', { count })}</strong>{' '}
        {silent.length > 0 && since
          ? t('vouch.becauseFeeds', { count: silent.length, feeds: names, time })
          : since && t('vouch.since', { time })}{' '}
        <span className={classes.detail}>{t('vouch.nothingDecided')}</span>
      </p>
    </section>
  );
}
