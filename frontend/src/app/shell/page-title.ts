import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';

type Title = 'app.board' | 'app.patient' | 'app.feeds' | 'gone.title';

/** The tab says which screen it is, never which patient: titles go into histories. */
export function usePageTitle(title: Title): void {
  const { t } = useTranslation();
  useEffect(() => {
    document.title = `${t(title)} · ${t('app.name')}`;
  }, [t, title]);
}
