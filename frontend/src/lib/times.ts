/** Times as the hospital reads them: in its own zone, with 24 hours, in Latin digits in every language. */
import type { TFunction } from 'i18next';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const REGIONS: Record<string, string> = { en: 'en-GB', de: 'de-DE', he: 'he-IL', ar: 'ar' };

export function localeOf(language: string): string {
  return `${REGIONS[language] ?? 'en-GB'}-u-ca-gregory-nu-latn`;
}

/** A whole number with the language's separators, in Latin digits. */
export function figureOf(count: number, language: string): string {
  return count.toLocaleString(localeOf(language));
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options);
  const known = formats.get(key);
  if (known) return known;
  const made = new Intl.DateTimeFormat(locale, { hourCycle: 'h23', ...options });
  formats.set(key, made);
  return made;
}

export type Times = ReturnType<typeof timesOf>;

/** What can be said of times in one language and one zone. `t` gives the words of durations. */
export function timesOf(language: string, timeZone: string, t: TFunction) {
  const locale = localeOf(language);
  const format = (at: number | string, options: Intl.DateTimeFormatOptions) =>
    formatOf(locale, { timeZone, ...options }).format(new Date(at));
  const yearOf = (at: number | string) => formatOf('en', { timeZone, year: 'numeric' }).format(new Date(at));
  const dayOf = (at: number | string) =>
    formatOf('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(at));

  const clock = (at: number | string) => format(at, { hour: '2-digit', minute: '2-digit' });
  const clockWithSeconds = (at: number | string) =>
    format(at, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

  return {
    timeZone,
    clock,
    clockWithSeconds,
    /** Day and time in full, for whoever wants to be sure. */
    full: (at: number | string) =>
      format(at, {
        weekday: 'short',
        day: 'numeric',
        month: 'short',
        year: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
      }),
    /** As short as is unmistakable: "14:02" today, "Sat 11:58" this week, "3 Nov 11:58" this year. */
    short(at: number | string, now: number): string {
      if (dayOf(at) === dayOf(now)) return clock(at);
      const age = now - new Date(at).getTime();
      const time = { hour: '2-digit', minute: '2-digit' } as const;
      if (age >= 0 && age < 6 * DAY) return format(at, { weekday: 'short', ...time });
      if (yearOf(at) === yearOf(now)) return format(at, { day: 'numeric', month: 'short', ...time });
      return format(at, { day: 'numeric', month: 'short', year: 'numeric', ...time });
    },
    day: (at: number | string) => format(at, { day: 'numeric', month: 'short' }),
    dayAndClock: (at: number | string) =>
      format(at, { weekday: 'short', hour: '2-digit', minute: '2-digit' }),
    /** A calendar date such as a birth date: it has no zone. */
    date: (iso: string) =>
      formatOf(locale, { timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric' }).format(
        new Date(`${iso}T00:00:00Z`),
      ),
    duration: (ms: number) => durationOf(ms, t),
    ago(at: number | string, now: number): string {
      const age = now - new Date(at).getTime();
      if (age < -MINUTE) return t('time.ahead', { duration: durationOf(-age, t) });
      if (age < 5_000) return t('time.justNow');
      return t('time.ago', { duration: durationOf(age, t) });
    },
    age: (birthDate: string, now: number) => ageOf(birthDate, dayOf(now), t),
  };
}

/** The two largest parts only: "3 d 9 h" says what a ward needs. */
function durationOf(ms: number, t: TFunction): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return t('time.seconds', { seconds });
  const minutes = Math.floor(ms / MINUTE);
  if (minutes < 60) return t('time.minutes', { minutes });
  const hours = Math.floor(ms / HOUR);
  if (hours < 24) return t('time.hoursMinutes', { hours, minutes: minutes % 60 });
  const days = Math.floor(ms / DAY);
  if (days < 14 && hours % 24 > 0) return t('time.daysHours', { days, hours: hours % 24 });
  return t('time.days', { days });
}

function ageOf(birthDate: string, today: string, t: TFunction): string {
  const [by = 0, bm = 0, bd = 0] = birthDate.split('-').map(Number);
  const [y = 0, m = 0, d = 0] = today.split('-').map(Number);
  const months = (y - by) * 12 + (m - bm) - (d < bd ? 1 : 0);
  if (months >= 24) return t('age.years', { count: Math.floor(months / 12) });
  if (months >= 1) return t('age.months', { count: months });
  const days = Math.max(0, Math.round((Date.parse(today) - Date.parse(birthDate)) / DAY));
  return t('age.days', { count: days });
}
