import type { TFunction } from 'i18next';

const KNOWN = [
  'pms_patients',
  'pms_admissions',
  'pms_combined',
  'lis_lab_tests',
  'lis_lab_results',
  'lis_combined',
] as const;

/** A feed by a name people use. A layout that has no such name is called what the API calls it. */
export function feedName(t: TFunction, feed: string, source?: string): string {
  const known = KNOWN.find((layout) => layout === feed.replace('.', '_'));
  const name = known ? t(`feedName.${known}`) : feed;
  return source ? `${name} · ${source}` : name;
}

/** The same for a feed that comes as one text, "pms.admissions · pms". */
export function feedNameOf(t: TFunction, label: string): string {
  const [feed = label, ...source] = label.split(' · ');
  return feedName(t, feed, source.join(' · '));
}
