import { useCallback, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { FailedNotice } from '@/components/ui/failed-notice';
import { StaleBanner } from '@/components/ui/stale-banner';
import { useBoard } from '@/features/board/api/get-board';
import { usePatients } from '@/features/board/api/get-patients';
import { usePatientSearch } from '@/features/board/api/search-patients';
import { BoardEmpty, type ListKind } from '@/features/board/components/board-empty';
import { BoardHead } from '@/features/board/components/board-head';
import { BoardLoading } from '@/features/board/components/board-loading';
import { BoardTable, type Selection } from '@/features/board/components/board-table';
import { BoardTools } from '@/features/board/components/board-tools';
import { CannotKnowBanner } from '@/features/board/components/cannot-know-banner';
import { Doubts } from '@/features/board/components/doubts';
import { KeysHelp } from '@/features/board/components/keys-help';
import { useSearchedText } from '@/features/board/components/searched-text';
import { useChangeAnnouncements } from '@/features/board/components/use-change-announcements';
import { useRowKeys } from '@/features/board/components/use-row-keys';
import type { BoardItem, State } from '@/lib/api-types';
import { serverTime, useServerTime } from '@/lib/clock';
import { useTimes } from '@/lib/hospital';
import { conditionOf, worstOf } from '@/lib/live';
import classes from './board-page.module.css';

export type BoardFilter = { view: 'needsTest' | 'everyone'; departments: string[] };

const NEEDS_TEST: State[] = ['due', 'cannot_know'];
const NOBODY: BoardItem[] = [];

type Props = { filter: BoardFilter; onFilter: (filter: BoardFilter) => void };

export function BoardPage({ filter, onFilter }: Props) {
  const { t } = useTranslation();
  const searched = useSearchedText();
  const searchBox = useRef<HTMLInputElement>(null);
  const [hasHelp, setHelp] = useState(false);
  const list = useList(filter, searched.text);
  const board = useBoard(filter.departments);
  const condition = worstOf([conditionOf(board), conditionOf(list.query)]);
  const ticking = useServerTime(5_000);
  // Hours that nobody can confirm do not tick on: they belong to the moment of the last answer.
  const now = condition.kind === 'stale' ? serverTime(condition.at) : ticking;
  const items = list.query.data ?? NOBODY;
  const { selection, select, move, release } = useSelection(items);

  useChangeAnnouncements({ items, scope: list.scope, pages: Math.ceil(items.length / 100) }, condition);
  useRowKeys({
    onMove: move,
    onSearch: useCallback(() => searchBox.current?.focus(), []),
    onView: useCallback(
      () => onFilter({ ...filter, view: filter.view === 'everyone' ? 'needsTest' : 'everyone' }),
      [filter, onFilter],
    ),
    onHelp: useCallback(() => setHelp(true), []),
    onEscape: release,
  });
  const retry = () => {
    void board.refetch();
    void list.query.refetch();
  };

  return (
    <>
      {condition.kind === 'stale' && <StaleBanner at={condition.at} />}
      {board.data && <CannotKnowBanner board={board.data} now={now} />}
      {board.data ? (
        <BoardHead board={board.data} departments={filter.departments} />
      ) : (
        <h1 className={classes.title}>{t('board.title')}</h1>
      )}
      <BoardTools
        filter={filter}
        onFilter={onFilter}
        typed={searched.typed}
        onType={searched.setTyped}
        searchBox={searchBox}
        onKeys={() => setHelp(true)}
      />
      {board.data && <Doubts board={board.data} now={now} />}
      {condition.kind === 'failed' ? (
        <div className={classes.instead}>
          <FailedNotice title={t('failed.board')} retrying={condition.retrying} onRetry={retry}>
            {t('failed.boardBody')}
          </FailedNotice>
        </div>
      ) : condition.kind === 'loading' || !board.data ? (
        <BoardLoading />
      ) : items.length === 0 ? (
        <div className={classes.instead}>
          <BoardEmpty
            board={board.data}
            list={list.kind}
            isStale={condition.kind === 'stale'}
            departments={filter.departments}
            now={now}
          />
        </div>
      ) : (
        <BoardTable
          items={items}
          now={now}
          total={list.query.hasNextPage ? null : items.length}
          hasMore={list.query.hasNextPage}
          isLoadingMore={list.query.isFetchingNextPage || condition.kind === 'stale'}
          onMore={list.more}
          selection={selection}
          onSelect={select}
        />
      )}
      {(condition.kind === 'live' || condition.kind === 'stale') && (
        <Foot shown={items.length} hasMore={list.query.hasNextPage} at={serverTime(condition.at)} />
      )}
      <KeysHelp isOpen={hasHelp} onClose={() => setHelp(false)} />
    </>
  );
}

/** The list that is asked for: by state, or by what was searched. */
function useList({ view, departments }: BoardFilter, text: string) {
  const kind: ListKind = text === '' ? view : 'search';
  const states = view === 'needsTest' ? NEEDS_TEST : [];
  const listed = usePatients({ departments, states }, { enabled: kind !== 'search' });
  const found = usePatientSearch({ text, departments });
  const query = kind === 'search' ? found : listed;
  const { fetchNextPage } = query;
  const more = useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]);
  return { kind, query, more, scope: `${kind} ${text} ${departments.join('|')}` };
}

function useSelection(items: BoardItem[]) {
  const [selection, setSelection] = useState<Selection>(null);
  const ids = useMemo(() => items.map((item) => item.admission.id), [items]);
  const select = useCallback(
    (id: number) => setSelection((last) => (last?.id === id ? last : { id, asked: last?.asked ?? 0 })),
    [],
  );
  const move = useCallback(
    (step: 1 | -1) =>
      setSelection((last) => {
        const from = last ? ids.indexOf(last.id) : -1;
        const to = from < 0 ? 0 : Math.min(ids.length - 1, Math.max(0, from + step));
        const id = ids[to];
        return id === undefined ? null : { id, asked: (last?.asked ?? 0) + 1 };
      }),
    [ids],
  );
  const release = useCallback(() => {
    setSelection(null);
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  }, []);
  return { selection, select, move, release };
}

function Foot({ shown, hasMore, at }: { shown: number; hasMore: boolean; at: number }) {
  const { t } = useTranslation();
  const times = useTimes();
  return (
    <p className={classes.foot}>
      <span>{hasMore ? t('board.shownMore', { count: shown }) : t('board.shown', { count: shown })}</span>
      <span>{t('board.asOf', { time: times.clockWithSeconds(at) })}</span>
    </p>
  );
}
