import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { usePageTitle } from '@/app/shell/page-title';
import { Notice } from '@/components/ui/notice';

export function NotFoundPage() {
  const { t } = useTranslation();
  usePageTitle('gone.title');
  return (
    <Notice kind="plain" title={t('gone.title')} level={1} action={<Link to="/">{t('gone.toBoard')}</Link>}>
      {t('gone.body')}
    </Notice>
  );
}
