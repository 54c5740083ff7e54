import { useTranslation } from 'react-i18next';
import { TimeStamp } from '@/components/ui/time-stamp';
import { balances, COLUMNS } from '@/features/feeds/components/ledger';
import type { FeedFile } from '@/lib/api-types';
import { feedName } from '@/lib/feed-name';
import { figureOf } from '@/lib/times';
import classes from './file-card.module.css';

type Props = { file: FeedFile; now: number };

export function FileCard({ file, now }: Props) {
  const { t } = useTranslation();
  return (
    <li className={classes.file} data-status={file.status}>
      <div className={classes.what}>
        <bdi className={classes.key}>{file.key}</bdi>
        <span className={classes.second}>
          {file.feed ? feedName(t, file.feed, file.source) : `${t('feeds.noFeed')} · ${file.source}`}
          {file.source_time && (
            <>
              {' · '}
              <TimeStamp at={file.source_time} now={now} />
              {' · '}
              <TimeStamp at={file.source_time} now={now} show="ago" />
            </>
          )}
        </span>
      </div>
      <div className={classes.outcome}>
        {file.status === 'ingested' && <Ledger file={file} />}
        {file.status === 'refused' && (
          <p className={classes.refused}>
            <strong>{t('feeds.refusedStatus')}</strong>{' '}
            {t('feeds.reason', { reason: file.reason ?? t('feeds.noReason') })}
          </p>
        )}
        {file.status === 'received' && <p className={classes.received}>{t('feeds.received')}</p>}
      </div>
    </li>
  );
}

/** rows = created + updated + …, written as a sum that anyone can check. */
function Ledger({ file }: { file: FeedFile }) {
  const { t, i18n } = useTranslation();
  const words = {
    created: t('feeds.created'),
    updated: t('feeds.updated'),
    unchanged: t('feeds.unchanged'),
    superseded: t('feeds.superseded'),
    waiting: t('feeds.waitingPart'),
    rejected: t('feeds.rejectedPart'),
  };
  const isBalanced = balances(file);
  return (
    <p className={`${classes.ledger ?? ''} figures`}>
      <span className={classes.rows}>
        {t('feeds.rowsCount', { count: file.rows, figure: figureOf(file.rows, i18n.language) })}
      </span>
      {COLUMNS.map((column, index) => (
        <span
          key={column}
          className={classes.part}
          data-column={column}
          data-none={file[column] === 0 || undefined}
        >
          <span className={classes.sign}>{index === 0 ? '=' : '+'}</span>
          <span>
            <strong>{figureOf(file[column], i18n.language)}</strong> {words[column]}
          </span>
        </span>
      ))}
      <span className={isBalanced ? classes.balanced : classes.unbalanced}>
        <span aria-hidden="true">{isBalanced ? '✓ ' : '✗ '}</span>
        {isBalanced ? t('feeds.balances') : t('feeds.doesNotBalance')}
      </span>
      {file.flaws > 0 && (
        <span className={classes.flaws}>{t('feeds.flawsCount', { count: file.flaws })}</span>
      )}
    </p>
  );
}
