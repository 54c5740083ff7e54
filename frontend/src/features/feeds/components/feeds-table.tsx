import { useTranslation } from 'react-i18next';
import { FreshnessMark } from '@/components/ui/freshness-mark';
import { TimeStamp } from '@/components/ui/time-stamp';
import type { Feed } from '@/lib/api-types';
import { feedName } from '@/lib/feed-name';
import { useTimes } from '@/lib/hospital';
import { figureOf } from '@/lib/times';
import classes from './feeds-table.module.css';

type Props = { feeds: Feed[]; now: number; chosen: string | null; onChoose: (feed: string | null) => void };

export function FeedsTable({ feeds, now, chosen, onChoose }: Props) {
  const { t } = useTranslation();
  return (
    <table className={classes.table}>
      <caption className="only-heard">{t('feeds.title')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('feeds.feed')}</th>
          <th scope="col">{t('feeds.freshness')}</th>
          <th scope="col">{t('feeds.newest')}</th>
          <th scope="col">{t('feeds.files')}</th>
          <th scope="col" className={classes.figure}>
            {t('feeds.rows')}
          </th>
          <th scope="col" className={classes.figure}>
            {t('feeds.waiting')}
          </th>
          <th scope="col" className={classes.figure}>
            {t('feeds.rejected')}
          </th>
          <th scope="col" className={classes.figure}>
            {t('feeds.flaws')}
          </th>
        </tr>
      </thead>
      <tbody>
        {feeds.map((feed) => (
          <Row
            key={feed.id}
            feed={feed}
            now={now}
            isChosen={feed.id === chosen}
            onToggle={() => onChoose(feed.id === chosen ? null : feed.id)}
          />
        ))}
      </tbody>
    </table>
  );
}

type RowProps = { feed: Feed; now: number; isChosen: boolean; onToggle: () => void };

function Row({ feed, now, isChosen, onToggle }: RowProps) {
  const { t, i18n } = useTranslation();
  return (
    <tr data-freshness={feed.freshness} data-chosen={isChosen || undefined}>
      <th scope="row">
        <button type="button" className={classes.name} aria-pressed={isChosen} onClick={onToggle}>
          {feedName(t, feed.feed)}
        </button>
        <bdi className={classes.second}>
          {feed.feed} · {feed.source}
        </bdi>
      </th>
      <td>
        <Freshness feed={feed} now={now} />
        <span className={classes.second}>{t('feeds.interval', { minutes: feed.interval_minutes })}</span>
      </td>
      <td data-label={t('feeds.newest')}>
        {feed.newest_source_time ? (
          <TimeStamp at={feed.newest_source_time} now={now} show="ago" />
        ) : (
          t('freshness.neverHeard')
        )}
        {feed.newest_file && <bdi className={classes.key}>{feed.newest_file.key}</bdi>}
      </td>
      <td data-label={t('feeds.files')}>
        {t('feeds.filesIngested', {
          count: feed.files.ingested,
          figure: figureOf(feed.files.ingested, i18n.language),
        })}
        {feed.files.refused > 0 && (
          <strong className={classes.refused}>
            {t('feeds.filesRefused', {
              count: feed.files.refused,
              figure: figureOf(feed.files.refused, i18n.language),
            })}
          </strong>
        )}
      </td>
      <Figure name={t('feeds.rows')} count={feed.rows} />
      <Figure name={t('feeds.waiting')} count={feed.waiting} isConcern />
      <Figure name={t('feeds.rejected')} count={feed.rejected} isConcern />
      <Figure name={t('feeds.flaws')} count={feed.flaws} isConcern />
    </tr>
  );
}

function Freshness({ feed, now }: { feed: Feed; now: number }) {
  const { t } = useTranslation();
  const times = useTimes();
  const words =
    feed.freshness === 'silent' && feed.silent_since
      ? t('freshness.silentSince', { time: times.short(feed.silent_since, now) })
      : t(`freshness.${feed.freshness}`);
  return <FreshnessMark freshness={feed.freshness} words={words} />;
}

type FigureProps = { name: string; count: number; isConcern?: boolean };

function Figure({ name, count, isConcern = false }: FigureProps) {
  const { i18n } = useTranslation();
  return (
    <td
      className={`${classes.figure ?? ''} figures`}
      data-label={name}
      data-concern={(isConcern && count > 0) || undefined}
      data-none={count === 0 || undefined}
    >
      {figureOf(count, i18n.language)}
    </td>
  );
}
