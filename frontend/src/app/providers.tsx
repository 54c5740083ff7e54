import {
  DirectionProvider,
  localStorageColorSchemeManager,
  MantineProvider,
  useDirection,
} from '@mantine/core';
import { QueryClientProvider, type QueryClient } from '@tanstack/react-query';
import { useEffect, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { cspNonce } from '@/app/csp-nonce';
import { theme } from '@/app/theme';
import { Announcer } from '@/lib/announcer';
import { directionOf } from '@/lib/i18n';

const colorSchemeManager = localStorageColorSchemeManager({ key: 'vigil.color-scheme' });

type Props = { queryClient: QueryClient; children: ReactNode; env?: 'default' | 'test' };

export function Providers({ queryClient, children, env = 'default' }: Props) {
  const { i18n } = useTranslation();
  return (
    <DirectionProvider initialDirection={directionOf(i18n.language)} detectDirection={false}>
      <MantineProvider
        theme={theme}
        defaultColorScheme="auto"
        colorSchemeManager={colorSchemeManager}
        getStyleNonce={() => cspNonce() ?? ''}
        env={env}
      >
        <FollowLanguage />
        <QueryClientProvider client={queryClient}>
          <Announcer>{children}</Announcer>
        </QueryClientProvider>
      </MantineProvider>
    </DirectionProvider>
  );
}

/** A language brings its direction, for Mantine's menus as for the text. */
function FollowLanguage() {
  const { i18n } = useTranslation();
  const { setDirection } = useDirection();
  useEffect(() => setDirection(directionOf(i18n.language)), [i18n.language, setDirection]);
  return null;
}
