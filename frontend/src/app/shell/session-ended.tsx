import { useTranslation } from 'react-i18next';
import { Notice } from '@/components/ui/notice';
import { signInAddress } from '@/lib/session-end';

export function SessionEnded() {
  const { t } = useTranslation();
  return (
    <main>
      <Notice
        kind="plain"
        title={t('ended.title')}
        level={1}
        action={<a href={signInAddress()}>{t('ended.signIn')}</a>}
      >
        {t('ended.body')}
      </Notice>
    </main>
  );
}
