import { useTranslation } from 'react-i18next';
import { departmentName } from '@/features/board/components/department-name';
import { Notice } from '@/components/ui/notice';
import { objectionsTo, type Objection } from '@/features/board/components/all-clear';
import type { Board } from '@/lib/api-types';
import { feedName } from '@/lib/feed-name';
import { useTimes } from '@/lib/hospital';

export type ListKind = 'needsTest' | 'everyone' | 'search';

type Props = { board: Board; list: ListKind; isStale: boolean; departments: string[]; now: number };

/** An empty list is good news only when everything speaks for it. Each other emptiness says what it is. */
export function BoardEmpty({ board, list, isStale, departments, now }: Props) {
  const { t } = useTranslation();
  const { counts } = board;
  if (list === 'search') {
    return (
      <Notice kind="plain" title={t('empty.noMatch')}>
        {t('empty.noMatchBody')}
      </Notice>
    );
  }
  const objections = objectionsTo(board);
  if (objections.length > 0 || isStale) return <NotAnAllClear objections={objections} />;
  if (counts.open === 0) {
    return (
      <Notice kind="plain" title={t('empty.nobody')}>
        {t('empty.nobodyBody')}
      </Notice>
    );
  }
  if (list === 'everyone' || counts.due + counts.cannot_know > 0) {
    return (
      <Notice kind="plain" title={t('empty.changing')}>
        {t('empty.changingBody')}
      </Notice>
    );
  }
  return <AllClear board={board} departments={departments} now={now} />;
}

function NotAnAllClear({ objections }: { objections: Objection[] }) {
  const { t } = useTranslation();
  return (
    <Notice kind="doubt" title={t('empty.doubt')}>
      {objections.length > 0 && t('empty.doubtBody')}
      {objections.length > 0 && (
        <ul>
          {objections.map((objection, index) => (
            <li key={index}>
              {'feed' in objection
                ? t(`empty.${objection.kind}`, { feed: feedName(t, objection.feed, objection.source) })
                : t(objection.kind === 'doubts' ? 'empty.doubtsAbove' : `empty.${objection.kind}`)}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  );
}

function AllClear({ board, departments, now }: Pick<Props, 'board' | 'departments' | 'now'>) {
  const { t } = useTranslation();
  const times = useTimes();
  const { rule, counts } = board;
  const [only] = departments;
  const own = rule.departments.find((each) => each.department === only);
  const hours = own?.threshold_hours ?? rule.threshold_hours;
  const title =
    departments.length === 1 && only
      ? t('empty.goodOne', { department: departmentName(t, only), hours })
      : rule.departments.length > 0
        ? t('empty.goodRules')
        : t('empty.goodAll', { hours });
  return (
    <Notice kind="good" title={title}>
      {t('empty.goodBody', { count: counts.open, time: times.clock(now) })}
    </Notice>
  );
}
