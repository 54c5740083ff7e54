import { expect, test } from 'vitest';
import { analytesOf } from '@/features/patient/components/series';
import { hoursAgo, labResult, labTest } from '@/testing/invented';

const numbersOf = (tests: Parameters<typeof analytesOf>[0]) =>
  analytesOf(tests).map(({ name, series }) => [
    name,
    series.map((each) => [each.unit, each.points.map((p) => p.value)]),
  ]);

test('one line holds one name and one unit, oldest first', () => {
  const tests = [
    labTest({ results: [labResult({ value: '4.4', number: '4.4', performed_at: hoursAgo(1) })] }),
    labTest({ results: [labResult({ value: '4.1', number: '4.1', performed_at: hoursAgo(9) })] }),
    labTest({ results: [labResult({ value: '16', number: '16', unit: 'mg/dL' })] }),
    labTest({ results: [labResult({ value: '5', number: '5', unit: null })] }),
  ];
  expect(numbersOf(tests)).toEqual([
    [
      'Potassium',
      [
        ['mmol/L', ['4.1', '4.4']],
        ['mg/dL', ['16']],
        [null, ['5']],
      ],
    ],
  ]);
});

test('units are compared to the letter: mg/dl is not mg/dL', () => {
  const tests = [labTest({ results: [labResult({ unit: 'mg/dL' }), labResult({ unit: 'mg/dl' })] })];
  expect(analytesOf(tests)[0]?.series).toHaveLength(2);
});

test('an ambiguous unit is in no line', () => {
  const tests = [
    labTest({ results: [labResult({ unit_is_ambiguous: true, unit: 'mmol/L, mg/dL' }), labResult()] }),
  ];
  const [potassium] = analytesOf(tests);
  expect(potassium?.series.map((each) => each.unit)).toEqual(['mmol/L']);
  expect(potassium?.ambiguous).toBe(1);
});

test('cancelled tests and withdrawn results are in no line', () => {
  const tests = [
    labTest({ is_cancelled: true, results: [labResult()] }),
    labTest({ results: [labResult({ is_withdrawn: true })] }),
  ];
  expect(analytesOf(tests)).toEqual([]);
});

test('a bound keeps its comparator, and words are counted', () => {
  const tests = [
    labTest({
      results: [
        labResult({ value: '<0.1', number: '0.1', comparator: '<' }),
        labResult({ value: 'haemolysed', number: null }),
      ],
    }),
  ];
  const [potassium] = analytesOf(tests);
  expect(potassium?.series[0]?.points.map((point) => [point.value, point.comparator])).toEqual([
    ['<0.1', '<'],
  ]);
  expect(potassium?.words).toBe(1);
});
