import { useTranslation } from 'react-i18next';
import { FailedNotice } from '@/components/ui/failed-notice';
import { Notice } from '@/components/ui/notice';
import { StaleBanner } from '@/components/ui/stale-banner';
import { useFeeds } from '@/features/feeds/api/get-feeds';
import type { FilesFilter } from '@/features/feeds/api/get-feed-files';
import { FeedsTable } from '@/features/feeds/components/feeds-table';
import { FileList } from '@/features/feeds/components/file-list';
import type { Feeds } from '@/lib/api-types';
import { serverTime, useServerTime } from '@/lib/clock';
import { conditionOf } from '@/lib/live';
import classes from './feeds-page.module.css';

export type { FilesFilter };

type Props = { filter: FilesFilter; onFilter: (filter: FilesFilter) => void };

export function FeedsPage({ filter, onFilter }: Props) {
  const { t } = useTranslation();
  const query = useFeeds();
  const condition = conditionOf(query);
  const ticking = useServerTime(1_000);
  const now = condition.kind === 'stale' ? serverTime(condition.at) : ticking;
  const answer = query.data;
  return (
    <>
      {condition.kind === 'stale' && <StaleBanner at={condition.at} />}
      <h1 className={classes.title}>{t('feeds.title')}</h1>
      <p className={classes.lead}>{t('feeds.lead')}</p>
      {answer && <Undone answer={answer} />}
      <div className={classes.card}>
        {condition.kind === 'failed' ? (
          <FailedNotice
            title={t('failed.feeds')}
            retrying={condition.retrying}
            onRetry={() => void query.refetch()}
          />
        ) : !answer ? (
          <p className={classes.loading} role="status">
            {t('app.loading')}
          </p>
        ) : answer.results.length === 0 ? (
          <Notice kind="doubt" title={t('feeds.none')}>
            {t('feeds.noneBody')}
          </Notice>
        ) : (
          <FeedsTable
            feeds={answer.results}
            now={now}
            chosen={filter.feed}
            onChoose={(feed) => onFilter({ ...filter, feed })}
          />
        )}
      </div>
      <FileList filter={filter} onFilter={onFilter} feeds={answer?.results ?? []} now={now} />
    </>
  );
}

/** Files that no feed's row can tell of. */
function Undone({ answer }: { answer: Feeds }) {
  const { t } = useTranslation();
  const { refused_files_without_feed: refused, files_not_done: notDone } = answer;
  if (refused + notDone === 0) return null;
  return (
    <ul className={classes.undone}>
      {refused > 0 && <li>{t('feeds.refusedWithout', { count: refused })}</li>}
      {notDone > 0 && <li>{t('feeds.notDone', { count: notDone })}</li>}
    </ul>
  );
}
