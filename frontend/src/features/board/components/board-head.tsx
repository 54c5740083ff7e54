import { useTranslation } from 'react-i18next';
import { departmentName } from '@/features/board/components/department-name';
import type { Look } from '@/components/ui/state-tag';
import type { Board } from '@/lib/api-types';
import classes from './board-head.module.css';

const NAMED_AT_MOST = 3;

type Props = { board: Board; departments: string[] };

export function BoardHead({ board, departments }: Props) {
  const { t, i18n } = useTranslation();
  const names = departments.map((key) => departmentName(t, key));
  const which =
    names.length === 0
      ? t('board.everyDepartment')
      : names.length <= NAMED_AT_MOST
        ? new Intl.ListFormat(i18n.language).format(names)
        : t('board.departmentsChosen', { count: names.length });
  return (
    <div className={classes.head}>
      <div>
        <h1 className={classes.title}>{t('board.title')}</h1>
        <p className={classes.lead}>
          <span>{which}</span>
          <span>{t('board.inBed', { count: board.counts.open })}</span>
          <Rule rule={board.rule} departments={departments} />
        </p>
      </div>
      <Tallies board={board} />
    </div>
  );
}

function Rule({ rule, departments }: { rule: Board['rule']; departments: string[] }) {
  const { t } = useTranslation();
  const own = rulesWithin(rule, departments);
  return (
    <>
      <span>{t('board.rule', { first: rule.threshold_hours, second: rule.second_tier_hours })}</span>
      {own.map((each) => (
        <span key={each.department}>
          {t('board.ruleOf', {
            department: each.department,
            first: each.threshold_hours,
            second: each.second_tier_hours,
          })}
        </span>
      ))}
    </>
  );
}

function rulesWithin(rule: Board['rule'], departments: string[]) {
  if (departments.length === 0) return rule.departments;
  return rule.departments.filter((each) => departments.includes(each.department));
}

function Tallies({ board }: { board: Board }) {
  const { t } = useTranslation();
  const { counts, rule } = board;
  // Where departments have limits of their own, "48 h" would be wrong for some of those counted.
  const one = rule.departments.length === 0;
  const tallies: { look: Look; count: number; words: string }[] = [
    {
      look: 'urgent',
      count: counts.beyond_second_tier,
      words: one ? t('board.beyondHours', { hours: rule.second_tier_hours }) : t('board.beyondSecond'),
    },
    {
      look: 'due',
      count: counts.due - counts.beyond_second_tier,
      words: one ? t('board.beyondHours', { hours: rule.threshold_hours }) : t('board.beyondFirst'),
    },
    { look: 'unknown', count: counts.cannot_know, words: t('board.cannotKnow') },
    { look: 'fine', count: counts.not_due, words: t('board.fine') },
  ];
  return (
    <ul className={classes.tallies} aria-label={t('board.tallies')}>
      {tallies.map(({ look, count, words }) => (
        <li key={look} className={classes.tally} data-look={look} data-none={count === 0 || undefined}>
          <strong>{count}</strong> {words}
        </li>
      ))}
    </ul>
  );
}
