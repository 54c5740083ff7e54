import { Skeleton } from '@mantine/core';
import { useTranslation } from 'react-i18next';

export function PatientLoading() {
  const { t } = useTranslation();
  return (
    <div role="status" aria-busy="true">
      <span className="only-heard">{t('app.loading')}</span>
      <Skeleton height={32} width={280} mt={8} aria-hidden="true" />
      <Skeleton height={16} width={420} maw="100%" mt={12} aria-hidden="true" />
      <Skeleton height={220} mt={32} aria-hidden="true" />
      <Skeleton height={320} mt={24} aria-hidden="true" />
    </div>
  );
}
