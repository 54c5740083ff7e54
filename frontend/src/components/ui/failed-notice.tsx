import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Notice } from '@/components/ui/notice';

type Props = { title: string; children?: ReactNode; retrying: boolean; onRetry: () => void };

/** An error where the data would be. It stays while it tries again. */
export function FailedNotice({ title, children, retrying, onRetry }: Props) {
  const { t } = useTranslation();
  return (
    <Notice
      kind="failed"
      title={title}
      action={
        <Button variant="default" onClick={onRetry} aria-disabled={retrying}>
          {retrying ? t('app.retrying') : t('app.retry')}
        </Button>
      }
    >
      {children ?? t('failed.body')}
    </Notice>
  );
}
