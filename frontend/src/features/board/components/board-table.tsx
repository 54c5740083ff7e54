import { createColumnHelper, flexRender, getCoreRowModel, useReactTable } from '@tanstack/react-table';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useMediaQuery } from '@mantine/hooks';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import {
  BedCell,
  HoursCell,
  LastTestCell,
  PatientCell,
  StateCell,
} from '@/features/board/components/board-row';
import { lookOf } from '@/components/ui/state-tag';
import type { BoardItem } from '@/lib/api-types';
import classes from './board-table.module.css';

const ROW_HEIGHT = 64;
const CARD_HEIGHT = 124;
const NEAR_THE_END = 20;

const column = createColumnHelper<BoardItem>();
const COLUMNS = [
  column.display({ id: 'bed', header: 'board.bed' }),
  column.display({ id: 'patient', header: 'board.patient' }),
  column.display({ id: 'hours', header: 'board.hours' }),
  column.display({ id: 'state', header: 'board.stateColumn' }),
  column.display({ id: 'last', header: 'board.lastTest' }),
];
const CELLS = { bed: BedCell, patient: PatientCell, hours: HoursCell, state: StateCell, last: LastTestCell };
type ColumnId = keyof typeof CELLS;

export type Selection = { id: number; asked: number } | null;

type Props = {
  items: BoardItem[];
  now: number;
  total: number | null;
  hasMore: boolean;
  isLoadingMore: boolean;
  onMore: () => void;
  selection: Selection;
  onSelect: (id: number) => void;
};

/** Rows as a table to listeners, as cards on a phone; only those near the window are in the page. */
export function BoardTable(props: Props) {
  const { items, now, total, hasMore, isLoadingMore, onMore, selection, onSelect } = props;
  const { t } = useTranslation();
  const isNarrow = useMediaQuery('(max-width: 48em)');
  const body = useRef<HTMLDivElement>(null);
  const offset = useDistanceFromTop(body);
  const columns = useMemo(() => COLUMNS, []);
  // eslint-disable-next-line react-hooks/incompatible-library -- nothing here is compiled or memoised by hand
  const table = useReactTable({
    data: items,
    columns,
    getCoreRowModel: getCoreRowModel(),
    getRowId: (item) => String(item.admission.id),
  });
  const { rows } = table.getRowModel();
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => (isNarrow ? CARD_HEIGHT : ROW_HEIGHT),
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 10,
    scrollMargin: offset,
  });
  useEffect(() => virtual.measure(), [isNarrow, virtual]);
  const shown = virtual.getVirtualItems();
  const end = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoadingMore && end >= rows.length - NEAR_THE_END) onMore();
  }, [end, rows.length, hasMore, isLoadingMore, onMore]);
  useFocusOfSelection(selection, items, body, (index) => virtual.scrollToIndex(index, { align: 'auto' }));

  return (
    <div
      role="table"
      className={classes.table}
      aria-label={t('board.tableLabel')}
      aria-rowcount={total === null ? -1 : total + 1}
      aria-colcount={COLUMNS.length}
    >
      <div role="rowgroup" className={classes.headGroup}>
        {table.getHeaderGroups().map((group) => (
          <div role="row" aria-rowindex={1} className={classes.head} key={group.id}>
            {group.headers.map((header) => (
              <div role="columnheader" key={header.id}>
                {t(`board.${headerOf(header.id)}`)}
              </div>
            ))}
          </div>
        ))}
      </div>
      <div role="rowgroup" ref={body} className={classes.body} style={{ height: virtual.getTotalSize() }}>
        {shown.map(({ index, start, key }) => {
          const row = rows[index];
          if (!row) return null;
          const item = row.original;
          return (
            <div
              role="row"
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              data-admission={item.admission.id}
              data-look={lookOf(item)}
              data-selected={selection?.id === item.admission.id || undefined}
              aria-rowindex={index + 2}
              className={classes.row}
              style={{ transform: `translateY(${String(start - virtual.options.scrollMargin)}px)` }}
              onFocus={() => onSelect(item.admission.id)}
            >
              {row.getVisibleCells().map((cell) => {
                const Cell = CELLS[cell.column.id as ColumnId];
                return (
                  <div role="cell" key={cell.id} className={classes[cell.column.id]}>
                    {flexRender(Cell, { item, now })}
                  </div>
                );
              })}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function headerOf(id: string): 'bed' | 'patient' | 'hours' | 'stateColumn' | 'lastTest' {
  if (id === 'state') return 'stateColumn';
  if (id === 'last') return 'lastTest';
  return id as 'bed' | 'patient' | 'hours';
}

/** How far the rows begin below the top of the page: banners above them come and go. */
function useDistanceFromTop(of: React.RefObject<HTMLElement | null>): number {
  const [distance, setDistance] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      if (of.current) setDistance(of.current.getBoundingClientRect().top + window.scrollY);
    };
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(document.body);
    return () => watcher.disconnect();
  }, [of]);
  return distance;
}

/** A key moved the selection: bring the row into view, and the focus onto its link once it is there. */
function useFocusOfSelection(
  selection: Selection,
  items: BoardItem[],
  body: React.RefObject<HTMLElement | null>,
  scrollTo: (index: number) => void,
): void {
  const done = useRef(0);
  useEffect(() => {
    if (!selection || selection.asked === done.current) return;
    const link = body.current?.querySelector<HTMLElement>(
      `[data-admission="${String(selection.id)}"] [data-row-link]`,
    );
    const index = items.findIndex((item) => item.admission.id === selection.id);
    if (index < 0) return;
    scrollTo(index);
    if (!link) return;
    done.current = selection.asked;
    link.focus({ preventScroll: true });
  });
}
