import { useEffect } from 'react';

type Keys = {
  onMove: (step: 1 | -1) => void;
  onSearch: () => void;
  onView: () => void;
  onHelp: () => void;
  onEscape: () => void;
};

/** The board's keys. They are silent while somebody types, chooses from a menu, or holds a modifier for the browser. */
export function useRowKeys({ onMove, onSearch, onView, onHelp, onEscape }: Keys): void {
  useEffect(() => {
    const acts: Record<string, () => void> = {
      j: () => onMove(1),
      ArrowDown: () => onMove(1),
      k: () => onMove(-1),
      ArrowUp: () => onMove(-1),
      '/': onSearch,
      v: onView,
      '?': onHelp,
      Escape: onEscape,
    };
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (belongsElsewhere(event.target)) return;
      const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, [onMove, onSearch, onView, onHelp, onEscape]);
}

function belongsElsewhere(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  return (
    target.closest(
      'input, textarea, select, [contenteditable], [role=menu], [role=dialog], [role=listbox]',
    ) !== null
  );
}
