/** Languages: English is always there, the others are fetched when chosen. Only the choice of a language is kept on the device. */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { en } from '@/lib/i18n/en';

export const LANGUAGES = {
  en: { name: 'English', direction: 'ltr' },
  de: { name: 'Deutsch', direction: 'ltr' },
  he: { name: 'עברית', direction: 'rtl' },
  ar: { name: 'العربية', direction: 'rtl' },
} as const;

export type Language = keyof typeof LANGUAGES;

const KEPT_UNDER = 'vigil.language';

declare module 'i18next' {
  // An interface is the only way to tell i18next its words.
  // eslint-disable-next-line @typescript-eslint/consistent-type-definitions
  interface CustomTypeOptions {
    resources: { translation: typeof en };
  }
}

const loaders: Record<Exclude<Language, 'en'>, () => Promise<object>> = {
  de: async () => (await import('@/lib/i18n/de')).de,
  he: async () => (await import('@/lib/i18n/he')).he,
  ar: async () => (await import('@/lib/i18n/ar')).ar,
};

export function isLanguage(word: string | null | undefined): word is Language {
  return word !== null && word !== undefined && Object.hasOwn(LANGUAGES, word);
}

export function directionOf(language: string): 'ltr' | 'rtl' {
  return isLanguage(language) ? LANGUAGES[language].direction : 'ltr';
}

function kept(): string | null {
  try {
    return window.localStorage.getItem(KEPT_UNDER);
  } catch {
    return null; // A browser that keeps nothing still shows a board.
  }
}

function firstLanguage(): Language {
  const chosen = kept();
  if (isLanguage(chosen)) return chosen;
  const wanted = navigator.languages.map((tag) => tag.split('-')[0]);
  return wanted.find(isLanguage) ?? 'en';
}

const FOREIGN_TO_LTR = /[\u0590-\u08ff\ufb1d-\ufefc]/;
const FIGURES_ALONE = /^[\d.,:]*$/;

/**
 * A value inside a sentence keeps its own direction (by Unicode's isolates), or a Latin file name would turn a
 * Hebrew sentence round. React escapes what it shows, so nothing else is to be escaped here.
 */
function isolated(value: string): string {
  const isRtl = directionOf(i18next.language) === 'rtl';
  const mayTurn = isRtl ? !FIGURES_ALONE.test(value) : FOREIGN_TO_LTR.test(value);
  return mayTurn ? `\u2068${value}\u2069` : value;
}

function tellTheDocument(language: Language): void {
  document.documentElement.lang = language;
  document.documentElement.dir = directionOf(language);
}

export async function chooseLanguage(language: Language): Promise<void> {
  if (language !== 'en' && !i18next.hasResourceBundle(language, 'translation')) {
    i18next.addResourceBundle(language, 'translation', await loaders[language]());
  }
  await i18next.changeLanguage(language);
  tellTheDocument(language);
}

export function keepLanguage(language: Language): void {
  try {
    window.localStorage.setItem(KEPT_UNDER, language);
  } catch {
    // The choice then lasts as long as the page.
  }
}

export async function startLanguages(language: Language = firstLanguage()): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    resources: { en: { translation: en } },
    interpolation: { escapeValue: true, escape: isolated },
  });
  await chooseLanguage(language);
}
