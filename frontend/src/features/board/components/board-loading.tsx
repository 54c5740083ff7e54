import { Skeleton } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import classes from './board-loading.module.css';

const ROWS = ['74%', '62%', '81%', '55%', '68%', '77%'];

/** The shape of what is coming, and nothing that could be taken for an answer. */
export function BoardLoading() {
  const { t } = useTranslation();
  return (
    <div className={classes.loading} role="status" aria-busy="true">
      <span className="only-heard">{t('app.loading')}</span>
      {ROWS.map((width) => (
        <div key={width} className={classes.row} aria-hidden="true">
          <Skeleton height={20} width={64} />
          <Skeleton height={16} width={width} />
          <Skeleton height={20} width={48} />
          <Skeleton height={24} width={110} />
          <Skeleton height={16} width="70%" />
        </div>
      ))}
    </div>
  );
}
