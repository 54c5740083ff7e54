import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Notice } from '@/components/ui/notice';

/** An error of the application itself. It says nothing of what it held: that may be a patient's. */
export function ScreenFailed() {
  const { t } = useTranslation();
  return (
    <Notice
      kind="failed"
      title={t('failed.screen')}
      level={1}
      action={<Button onClick={() => window.location.reload()}>{t('failed.reload')}</Button>}
    >
      {t('failed.screenBody')}
    </Notice>
  );
}
