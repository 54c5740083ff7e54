/**
 * Knows which results may stand in one line: those of one test name, sent with exactly one and the same unit.
 * It converts nothing, reads nothing into a unit, and leaves out what was cancelled or withdrawn.
 */
import type { LabResult, LabTest } from '@/lib/api-types';

export type Point = {
  id: number;
  at: number;
  performedAt: string;
  number: number;
  comparator: LabResult['comparator'];
  value: string;
  range: string | null;
};

export type Series = { unit: string | null; points: Point[] };

export type Analyte = {
  name: string;
  series: Series[];
  /** Counted values whose unit is ambiguous: shown in the table, drawn nowhere. */
  ambiguous: number;
  /** Counted values that are not numbers. */
  words: number;
};

type Gathering = { units: Map<string | null, Point[]>; ambiguous: number; words: number };

export function analytesOf(tests: LabTest[]): Analyte[] {
  const gathered = new Map<string, Gathering>();
  for (const test of tests) {
    if (test.is_cancelled || test.name === null) continue;
    const analyte = gathered.get(test.name) ?? { units: new Map(), ambiguous: 0, words: 0 };
    gathered.set(test.name, analyte);
    for (const result of test.results) gather(result, analyte);
  }
  return [...gathered]
    .map(([name, { units, ambiguous, words }]) => ({ name, ambiguous, words, series: seriesOf(units) }))
    .filter((analyte) => analyte.series.length > 0)
    .toSorted((one, other) => sizeOf(other) - sizeOf(one) || one.name.localeCompare(other.name));
}

function gather(result: LabResult, analyte: Gathering): void {
  if (result.is_withdrawn || result.value === null) return;
  if (result.unit_is_ambiguous) {
    analyte.ambiguous += 1;
    return;
  }
  const number = result.number === null ? Number.NaN : Number(result.number);
  if (!Number.isFinite(number)) {
    analyte.words += 1;
    return;
  }
  const points = analyte.units.get(result.unit) ?? [];
  analyte.units.set(result.unit, points);
  points.push({
    id: result.id,
    at: Date.parse(result.performed_at),
    performedAt: result.performed_at,
    number,
    comparator: result.comparator,
    value: result.value,
    range: result.reference_range,
  });
}

function seriesOf(units: Map<string | null, Point[]>): Series[] {
  return [...units]
    .map(([unit, points]) => ({ unit, points: points.toSorted((one, other) => one.at - other.at) }))
    .toSorted((one, other) => other.points.length - one.points.length);
}

export function sizeOf(analyte: Analyte): number {
  return analyte.series.reduce((sum, series) => sum + series.points.length, 0);
}
