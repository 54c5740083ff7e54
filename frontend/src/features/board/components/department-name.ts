import type { TFunction } from 'i18next';
import { NO_DEPARTMENT } from '@/config/addresses';

/** Departments are named as the hospital sends them; only "none" needs a word of ours. */
export function departmentName(t: TFunction, key: string | null): string {
  return key === null || key === NO_DEPARTMENT ? t('board.noDepartment') : key;
}
