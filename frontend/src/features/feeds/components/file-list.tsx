import { Button, NativeSelect, SegmentedControl } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { FailedNotice } from '@/components/ui/failed-notice';
import { Notice } from '@/components/ui/notice';
import { StaleBanner } from '@/components/ui/stale-banner';
import { useFeedFiles, type FilesFilter } from '@/features/feeds/api/get-feed-files';
import { FileCard } from '@/features/feeds/components/file-card';
import type { Feed } from '@/lib/api-types';
import { feedName } from '@/lib/feed-name';
import { conditionOf } from '@/lib/live';
import classes from './file-list.module.css';

type Props = { filter: FilesFilter; onFilter: (filter: FilesFilter) => void; feeds: Feed[]; now: number };

export function FileList({ filter, onFilter, feeds, now }: Props) {
  const { t } = useTranslation();
  const query = useFeedFiles(filter);
  const condition = conditionOf(query);
  const files = query.data;
  return (
    <section aria-labelledby="files-title">
      <div className={classes.head}>
        <h2 id="files-title" className={classes.title}>
          {t('feeds.recent')}
        </h2>
        <p className={classes.legend}>{t('feeds.legend')}</p>
        <FilesFilterBar filter={filter} onFilter={onFilter} feeds={feeds} />
      </div>
      {condition.kind === 'stale' && <StaleBanner at={condition.at} />}
      <div className={classes.card}>
        {condition.kind === 'failed' ? (
          <FailedNotice
            title={t('failed.files')}
            retrying={condition.retrying}
            onRetry={() => void query.refetch()}
          />
        ) : !files ? (
          <p className={classes.loading} role="status">
            {t('app.loading')}
          </p>
        ) : files.length === 0 ? (
          <Notice kind="plain" title={t('feeds.noFiles')} level={3}>
            {t('feeds.noFilesBody')}
          </Notice>
        ) : (
          <ul className={classes.list}>
            {files.map((file) => (
              <FileCard key={file.id} file={file} now={now} />
            ))}
          </ul>
        )}
      </div>
      {query.hasNextPage && (
        <Button
          variant="default"
          mt="sm"
          onClick={() => void query.fetchNextPage()}
          aria-disabled={query.isFetchingNextPage}
        >
          {query.isFetchingNextPage ? t('board.loadingMore') : t('app.more')}
        </Button>
      )}
    </section>
  );
}

function FilesFilterBar({ filter, onFilter, feeds }: Omit<Props, 'now'>) {
  const { t } = useTranslation();
  return (
    <div className={classes.filters}>
      <NativeSelect
        aria-label={t('feeds.feed')}
        value={filter.feed ?? ''}
        onChange={(event) => onFilter({ ...filter, feed: event.currentTarget.value || null })}
        data={[
          { value: '', label: t('feeds.allFeeds') },
          ...feeds.map((feed) => ({ value: feed.id, label: feedName(t, feed.feed, feed.source) })),
        ]}
      />
      <SegmentedControl
        aria-label={t('feeds.status')}
        value={filter.status ?? 'all'}
        onChange={(status) => onFilter({ ...filter, status: status === 'all' ? null : status })}
        data={[
          { value: 'all', label: t('feeds.allStatuses') },
          { value: 'ingested', label: t('feeds.ingested') },
          { value: 'refused', label: t('feeds.refusedStatus') },
          { value: 'received', label: t('feeds.received') },
        ]}
      />
    </div>
  );
}
