import { CloseButton, MultiSelect, SegmentedControl, TextInput } from '@mantine/core';
import type { RefObject } from 'react';
import { useTranslation } from 'react-i18next';
import { useDepartments } from '@/features/board/api/get-departments';
import { departmentName } from '@/features/board/components/department-name';
import type { BoardFilter } from '@/features/board/components/board-page';
import classes from './board-tools.module.css';

type Props = {
  filter: BoardFilter;
  onFilter: (filter: BoardFilter) => void;
  typed: string;
  onType: (text: string) => void;
  searchBox: RefObject<HTMLInputElement | null>;
  onKeys: () => void;
};

export function BoardTools({ filter, onFilter, typed, onType, searchBox, onKeys }: Props) {
  const { t } = useTranslation();
  return (
    <div className={classes.tools} role="search">
      <SegmentedControl
        aria-label={t('board.view')}
        className={classes.view}
        value={filter.view}
        onChange={(view) => onFilter({ ...filter, view })}
        data={[
          { value: 'needsTest' as const, label: t('board.needsTest') },
          { value: 'everyone' as const, label: t('board.everyone') },
        ]}
        disabled={typed !== ''}
      />
      <TextInput
        ref={searchBox}
        className={classes.search}
        aria-label={t('board.search')}
        placeholder={t('board.search')}
        value={typed}
        onChange={(event) => onType(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          if (typed === '') event.currentTarget.blur();
          onType('');
        }}
        // A browser that remembers what was typed would keep patients' names.
        autoComplete="off"
        autoCorrect="off"
        spellCheck={false}
        rightSection={
          typed === '' ? (
            <kbd aria-hidden="true">/</kbd>
          ) : (
            <CloseButton size="sm" aria-label={t('board.clearSearch')} onClick={() => onType('')} />
          )
        }
      />
      <DepartmentFilter
        chosen={filter.departments}
        onChoose={(departments) => onFilter({ ...filter, departments })}
      />
      <button type="button" className={classes.keys} onClick={onKeys}>
        <kbd>J</kbd> <kbd>K</kbd> {t('board.keysHint')} · <kbd>?</kbd> {t('board.allKeys')}
      </button>
    </div>
  );
}

type FilterProps = { chosen: string[]; onChoose: (departments: string[]) => void };

function DepartmentFilter({ chosen, onChoose }: FilterProps) {
  const { t } = useTranslation();
  const departments = useDepartments();
  const known = (departments.data ?? []).map(({ key, open_admissions: count }) => ({
    value: key,
    label: departmentName(t, key),
    count,
  }));
  // A department that is in the address stays in the filter, also when nobody lies there any more.
  const missing = chosen
    .filter((key) => !known.some((each) => each.value === key))
    .map((key) => ({ value: key, label: departmentName(t, key), count: 0 }));
  const choices = [...known, ...missing];
  return (
    <MultiSelect
      className={classes.departments}
      aria-label={t('board.departments')}
      placeholder={chosen.length === 0 ? t('board.everyDepartment') : undefined}
      data={choices.map(({ value, label }) => ({ value, label }))}
      value={chosen}
      onChange={onChoose}
      clearable
      clearButtonProps={{ 'aria-label': t('board.chooseAll') }}
      searchable={choices.length > 8}
      hidePickedOptions={false}
      withCheckIcon
      maxDropdownHeight={320}
      comboboxProps={{ withinPortal: true }}
      renderOption={({ option }) => (
        <span className={classes.option}>
          <bdi>{option.label}</bdi>
          <span className={classes.count}>{choices.find((each) => each.value === option.value)?.count}</span>
        </span>
      )}
    />
  );
}
