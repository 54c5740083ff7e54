import { createMemoryHistory, RouterProvider } from '@tanstack/react-router';
import { act, render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { vi } from 'vitest';
import { Providers } from '@/app/providers';
import { makeQueryClient } from '@/app/query-client';
import { makeRouter } from '@/app/router';
import { NOW } from '@/testing/invented';

/** The whole application at an address, at 14:02 in Berlin, with a clock that tests can move on. */
export function renderApp(address = '/') {
  vi.useFakeTimers({ shouldAdvanceTime: true, now: NOW });
  const queryClient = makeQueryClient();
  const router = makeRouter(createMemoryHistory({ initialEntries: [address] }));
  const rendered = render(
    <Providers queryClient={queryClient} env="test">
      <RouterProvider router={router} />
    </Providers>,
  );
  const user = userEvent.setup({ advanceTimers: (ms) => vi.advanceTimersByTime(ms) });
  const address_ = () => router.state.location.href;
  return { ...rendered, router, user, queryClient, address: address_ };
}

export async function passTime(ms: number): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(ms);
  });
}
