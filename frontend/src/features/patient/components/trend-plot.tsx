import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import type { Point, Series } from '@/features/patient/components/series';
import { useTimes } from '@/lib/hospital';
import type { Times } from '@/lib/times';
import classes from './trend-plot.module.css';

const HEIGHT = 264;
const DAY_S = 86_400;

type Props = { series: Series; label: string; unit: string };

/** One line, one unit. Bounds ("<0.1") are open triangles and no part of the line: they are not measurements. */
export function TrendPlot({ series, label }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const times = useTimes();
  const scheme = useComputedColorScheme('light');
  useEffect(() => {
    const at = place.current;
    if (!at) return;
    const plot = new uPlot(optionsFor(at, series.points, times), dataOf(series.points), at);
    const watcher = new ResizeObserver(() => plot.setSize({ width: at.clientWidth, height: HEIGHT }));
    watcher.observe(at);
    return () => {
      watcher.disconnect();
      plot.destroy();
    };
    // The colours are read from the page, so another scheme needs another plot.
  }, [series, times, scheme]);
  // Time runs from left to right in every language.
  return <div ref={place} className={classes.plot} dir="ltr" role="img" aria-label={label} />;
}

function dataOf(points: Point[]): uPlot.AlignedData {
  return [
    points.map((point) => point.at / 1000),
    points.map((point) => (point.comparator === null ? point.number : null)),
    points.map((point) => (point.comparator === null ? null : point.number)),
  ];
}

function optionsFor(at: HTMLElement, points: Point[], times: Times): uPlot.Options {
  const style = getComputedStyle(at);
  const colour = (token: string) => style.getPropertyValue(token).trim();
  const [accent, muted, line, card] = ['--accent', '--muted', '--line', '--card'].map(colour);
  const axis = {
    stroke: muted ?? '',
    font: '12px "Inter Variable", sans-serif',
    grid: { stroke: line ?? '', width: 1 },
    ticks: { show: false },
  };
  return {
    width: at.clientWidth || 600,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), times.timeZone),
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: true, range: spanOf }, y: { range: heightOf } },
    axes: [
      { ...axis, values: (_, splits) => labelsOf(splits, times), space: 112 },
      { ...axis, size: 56, values: (_, splits) => splits.map((split) => String(split)) },
    ],
    series: [
      {},
      {
        stroke: accent ?? '',
        width: 2,
        spanGaps: true,
        points: { show: true, size: 8, width: 2, fill: card ?? '', stroke: accent ?? '' },
      },
      { stroke: muted ?? '', paths: () => null, points: { show: true, paths: trianglesOf(points) } },
    ],
  };
}

/** A day of air around the values, so that a single one stands in the middle and none on the edge. */
function spanOf(_: uPlot, from: number, to: number): uPlot.Range.MinMax {
  const air = Math.max(DAY_S / 4, (to - from) * 0.05);
  return [from - air, to + air];
}

function heightOf(_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax {
  const from = low ?? 0;
  const to = high ?? 1;
  const air = Math.max((to - from) * 0.15, Math.abs(to) * 0.05, 0.1);
  return [from - air, to + air];
}

function labelsOf(splits: number[], times: Times): string[] {
  const days = splits.map((split) => times.day(split * 1000));
  // The same day twice under one axis tells nobody which of the two it was.
  const isTold = new Set(days).size === days.length;
  return isTold ? days : splits.map((split) => times.dayAndClock(split * 1000));
}

/** Pointing down for "less than", up for "more than". */
function trianglesOf(points: Point[]): uPlot.Series.Points.PathBuilder {
  return (plot) => {
    const path = new Path2D();
    const size = 6 * devicePixelRatio;
    for (const { at, number, comparator } of points) {
      if (comparator === null) continue;
      const x = plot.valToPos(at / 1000, 'x', true);
      const y = plot.valToPos(number, 'y', true);
      const towards = comparator.startsWith('<') ? size : -size;
      path.moveTo(x - size, y - towards);
      path.lineTo(x + size, y - towards);
      path.lineTo(x, y + towards);
      path.closePath();
    }
    return { stroke: path, fill: null, flags: 3 };
  };
}
