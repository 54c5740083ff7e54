import { useEffect, useState } from 'react';
import { useDebouncedValue } from '@mantine/hooks';

const PAUSE_MS = 250;
// In memory alone: it survives a look at a patient, never the page. It may be a name.
let kept = '';

export function forgetSearchedText(): void {
  kept = '';
}

export function useSearchedText() {
  const [typed, setTyped] = useState(kept);
  const [settled] = useDebouncedValue(typed.trim(), PAUSE_MS);
  useEffect(() => {
    kept = typed;
  }, [typed]);
  return { typed, setTyped, text: typed.trim() === '' ? '' : settled };
}
