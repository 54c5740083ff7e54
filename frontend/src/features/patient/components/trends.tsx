import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { analytesOf, sizeOf, type Analyte, type Series } from '@/features/patient/components/series';
import { TrendPlot } from '@/features/patient/components/trend-plot';
import type { LabTest } from '@/lib/api-types';
import { useTimes } from '@/lib/hospital';
import classes from './trends.module.css';

type Props = { tests: LabTest[]; isPartial: boolean };

export function Trends({ tests, isPartial }: Props) {
  const { t } = useTranslation();
  const analytes = analytesOf(tests);
  const [chosen, setChosen] = useState<string | null>(null);
  const analyte = analytes.find((each) => each.name === chosen) ?? analytes[0];
  if (!analyte) return <p className={classes.nothing}>{t('trend.nothing')}</p>;
  return (
    <div className={classes.trends}>
      <ul className={classes.names} aria-label={t('trend.choose')}>
        {analytes.map((each) => (
          <li key={each.name}>
            <button
              type="button"
              className={classes.name}
              aria-pressed={each === analyte}
              onClick={() => setChosen(each.name)}
            >
              <bdi>{each.name}</bdi>
              <span className={classes.count}>{t('trend.values', { count: sizeOf(each) })}</span>
            </button>
          </li>
        ))}
      </ul>
      <div className={classes.charts}>
        <Remarks analyte={analyte} isPartial={isPartial} />
        {analyte.series.map((series) => (
          <OneUnit key={series.unit ?? ''} name={analyte.name} series={series} />
        ))}
      </div>
    </div>
  );
}

function Remarks({ analyte, isPartial }: { analyte: Analyte; isPartial: boolean }) {
  const { t } = useTranslation();
  const remarks = [
    analyte.series.length > 1 && t('trend.several', { count: analyte.series.length }),
    analyte.ambiguous > 0 && t('trend.notDrawn', { count: analyte.ambiguous }),
    analyte.words > 0 && t('trend.notNumeric', { count: analyte.words }),
    isPartial && t('trend.partial'),
  ].filter((remark) => remark !== false);
  return remarks.length > 0 ? <p className={classes.remarks}>{remarks.join(' ')}</p> : null;
}

/** A chart and, beside it, the same values as a table: the table is the form that everyone can read. */
function OneUnit({ name, series }: { name: string; series: Series }) {
  const { t } = useTranslation();
  const unit = series.unit ?? t('trend.noUnit');
  const hasBounds = series.points.some((point) => point.comparator !== null);
  return (
    <div className={classes.one}>
      <figure className={classes.figure}>
        <figcaption className={classes.caption}>
          <bdi>{name}</bdi> <bdi className={classes.unit}>{unit}</bdi>
        </figcaption>
        <TrendPlot
          series={series}
          label={t('trend.chart', { name, unit, count: series.points.length })}
          unit={unit}
        />
        {hasBounds && <p className={classes.legend}>{t('trend.comparators')}</p>}
        {series.points.length === 1 && <p className={classes.legend}>{t('trend.one')}</p>}
      </figure>
      <ValuesTable name={name} unit={unit} series={series} />
    </div>
  );
}

function ValuesTable({ name, unit, series }: { name: string; unit: string; series: Series }) {
  const { t } = useTranslation();
  const times = useTimes();
  return (
    // A long table scrolls by itself, so it must be reachable by keyboard.
    <div
      className={classes.values}
      tabIndex={0}
      role="region"
      aria-label={t('trend.tableOf', { name, unit })}
    >
      <table>
        <caption className="only-heard">{t('trend.tableOf', { name, unit })}</caption>
        <thead>
          <tr>
            <th scope="col">{t('trend.when')}</th>
            <th scope="col">{t('trend.value')}</th>
            <th scope="col">{t('trend.range')}</th>
          </tr>
        </thead>
        <tbody>
          {series.points.toReversed().map((point) => (
            <tr key={point.id}>
              <td>
                <time dateTime={point.performedAt}>{times.full(point.at)}</time>
              </td>
              <td>
                <bdi className={classes.value}>{point.value}</bdi>
              </td>
              <td>
                <bdi>{point.range ?? '–'}</bdi>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
