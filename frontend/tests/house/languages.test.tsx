import { screen, waitFor } from '@testing-library/react';
import { expect, test } from 'vitest';
import { ar } from '@/lib/i18n/ar';
import { de } from '@/lib/i18n/de';
import { en } from '@/lib/i18n/en';
import { he } from '@/lib/i18n/he';
import { FakeHospital } from '@/testing/fake-hospital';
import { item } from '@/testing/invented';
import { renderApp } from '@/testing/render-app';

type Words = Record<string, Record<string, string>>;
const LANGUAGES: [string, Words][] = [
  ['de', de],
  ['he', he],
  ['ar', ar],
];
const FORM = /_(zero|one|two|few|many|other)$/;

function keysOf(words: Words): Map<string, { forms: Set<string>; texts: string[] }> {
  const keys = new Map<string, { forms: Set<string>; texts: string[] }>();
  for (const [section, entries] of Object.entries(words)) {
    for (const [name, text] of Object.entries(entries)) {
      const form = FORM.exec(name)?.[1];
      const key = `${section}.${name.replace(FORM, '')}`;
      const known = keys.get(key) ?? { forms: new Set(), texts: [] };
      if (form) known.forms.add(form);
      known.texts.push(text);
      keys.set(key, known);
    }
  }
  return keys;
}

const valuesIn = (text: string) => (text.match(/\{\{\w+\}\}/g) ?? []).toSorted();

test.each(LANGUAGES)(
  '%s says everything that English says, in every plural form of its own',
  (language, words) => {
    const english = keysOf(en);
    const other = keysOf(words);
    expect([...other.keys()].toSorted()).toEqual([...english.keys()].toSorted());
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const [key, { forms: known }] of other) {
      const isPlural = (english.get(key)?.forms.size ?? 0) > 0;
      expect([key, [...known].toSorted()]).toEqual([key, isPlural ? [...forms].toSorted() : []]);
    }
  },
);

test.each(LANGUAGES)('%s names no value that English does not give', (_, words) => {
  const english = keysOf(en);
  for (const [key, { texts }] of keysOf(words)) {
    const given = new Set(english.get(key)?.texts.flatMap(valuesIn));
    const unknown = texts.flatMap(valuesIn).filter((value) => !given.has(value) && value !== '{{count}}');
    expect([key, unknown]).toEqual([key, []]);
  }
});

test.each(LANGUAGES)('%s leaves no sentence in English', (_, words) => {
  const same = Object.entries(words).flatMap(([section, entries]) =>
    Object.entries(entries)
      .filter(
        ([name, text]) =>
          (en as Words)[section]?.[name] === text &&
          /[a-z]{4}.* .*[a-z]{4}/i.test(text.replace(/\{\{\w+\}\}/g, '')),
      )
      .map(([name]) => `${section}.${name}`),
  );
  expect(same).toEqual([]);
});

test('choosing Hebrew turns the page round, and only the choice is kept', async () => {
  const hospital = new FakeHospital();
  hospital.items = [item()];
  const { user } = renderApp();
  await screen.findByText('Brown, Emma');
  await user.click(screen.getByRole('button', { name: 'Menu of Nora Nurse' }));
  await user.click(await screen.findByRole('menuitemradio', { name: /עברית/ }));
  expect(await screen.findByText('ללא בדיקת מעבדה חדשה')).toBeInTheDocument();
  expect(document.documentElement).toHaveAttribute('dir', 'rtl');
  expect(document.documentElement).toHaveAttribute('lang', 'he');
  expect(Object.entries(window.localStorage)).toEqual([['vigil.language', 'he']]);
  expect(screen.getByText('Brown, Emma').tagName).toBe('BDI');
});

test('back in English the page runs from left to right again', async () => {
  const hospital = new FakeHospital();
  hospital.items = [item()];
  const { user } = renderApp();
  await user.click(await screen.findByRole('button', { name: 'Menu of Nora Nurse' }));
  await user.click(await screen.findByRole('menuitemradio', { name: /العربية/ }));
  await waitFor(() => expect(document.documentElement).toHaveAttribute('dir', 'rtl'));
  await user.click(screen.getByRole('button', { name: /Nora Nurse/ }));
  await user.click(await screen.findByRole('menuitemradio', { name: /English/ }));
  await waitFor(() => expect(document.documentElement).toHaveAttribute('dir', 'ltr'));
});
