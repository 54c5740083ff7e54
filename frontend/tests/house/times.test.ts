import i18next from 'i18next';
import { expect, test } from 'vitest';
import { timesOf } from '@/lib/times';
import { NOW } from '@/testing/invented';

const berlin = timesOf('en', 'Europe/Berlin', i18next.t);
const auckland = timesOf('en', 'Pacific/Auckland', i18next.t);

test('a time is the hospital’s, not the device’s', () => {
  expect(berlin.clock('2026-11-23T13:02:00Z')).toBe('14:02');
  expect(auckland.clock('2026-11-23T13:02:00Z')).toBe('02:02');
});

test('midnight is 00:00', () => {
  expect(berlin.clock('2026-11-22T23:00:00Z')).toBe('00:00');
});

test('a time is as short as is unmistakable', () => {
  expect(berlin.short('2026-11-23T08:00:00Z', NOW)).toBe('09:00');
  expect(berlin.short('2026-11-21T10:58:00Z', NOW)).toBe('Sat 11:58');
  expect(berlin.short('2026-11-02T10:58:00Z', NOW)).toBe('2 Nov, 11:58');
  expect(berlin.short('2025-11-02T10:58:00Z', NOW)).toBe('2 Nov 2025, 11:58');
});

test('a birth date is a day, whatever the zone', () => {
  expect(auckland.date('1990-01-31')).toBe('31 Jan 1990');
  expect(timesOf('en', 'America/New_York', i18next.t).date('1990-01-31')).toBe('31 Jan 1990');
});

test.each([
  ['1992-11-23', '34 y'],
  ['1992-11-24', '33 y'],
  ['2025-01-01', '22 months'],
  ['2026-11-20', '3 days'],
])('born %s is aged %s', (born, age) => {
  expect(berlin.age(born, NOW)).toBe(age);
});

test.each([
  [12_000, '12 s'],
  [5 * 60_000, '5 min'],
  [125 * 60_000, '2 h 5 min'],
  [81 * 3_600_000, '3 d 9 h'],
  [48 * 3_600_000, '2 d'],
])('%d ms is %s', (ms, words) => {
  expect(berlin.duration(ms)).toBe(words);
});

test('digits are Latin in every language, as identifiers are', () => {
  const cairo = timesOf('ar', 'Africa/Cairo', i18next.t);
  expect(cairo.clock('2026-11-23T13:02:00Z')).toBe('15:02');
});
