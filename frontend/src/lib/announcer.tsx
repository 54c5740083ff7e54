/** One polite live region for the whole application: says what changed without taking the focus. */
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from 'react';

type Announce = (words: string) => void;
const AnnouncerContext = createContext<Announce>(() => undefined);

export function useAnnounce(): Announce {
  return useContext(AnnouncerContext);
}

export function Announcer({ children }: { children: ReactNode }) {
  const [words, setWords] = useState('');
  const announce = useCallback((next: string) => setWords(next), []);
  const region = useMemo(
    () => (
      <div className="only-heard" role="status" aria-live="polite" aria-atomic="true" data-testid="announcer">
        {words}
      </div>
    ),
    [words],
  );
  return (
    <AnnouncerContext.Provider value={announce}>
      {children}
      {region}
    </AnnouncerContext.Provider>
  );
}
