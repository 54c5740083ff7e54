import { screen } from '@testing-library/react';
import { beforeEach, expect, test, vi } from 'vitest';
import { browser } from '@/lib/browser';
import { FakeHospital } from '@/testing/fake-hospital';
import { item, session } from '@/testing/invented';
import { passTime, renderApp } from '@/testing/render-app';

let hospital: FakeHospital;
beforeEach(() => {
  hospital = new FakeHospital();
  hospital.items = [item()];
  hospital.session = session({ idle_sign_out_seconds: 60 });
});

test('a screen that nobody touches signs out and shows no patient any more', async () => {
  const leave = vi.spyOn(browser, 'leaveFor').mockImplementation(() => undefined);
  renderApp();
  await screen.findByText('Brown, Emma');
  await passTime(65_000);
  const [asked] = hospital.askedFor('/accounts/logout/');
  expect(asked?.method).toBe('POST');
  expect(asked?.body).toBe('csrfmiddlewaretoken=token-of-nora');
  expect(leave).toHaveBeenCalledExactlyOnceWith('/accounts/login/?next=%2F');
  expect(screen.queryByText('Brown, Emma')).not.toBeInTheDocument();
});

test('a touch keeps the session, though the screen’s own questions do not', async () => {
  const leave = vi.spyOn(browser, 'leaveFor').mockImplementation(() => undefined);
  const { user } = renderApp();
  await screen.findByText('Brown, Emma');
  await passTime(40_000);
  await user.keyboard('j');
  await passTime(40_000);
  expect(leave).not.toHaveBeenCalled();
  expect(screen.getByText('Brown, Emma')).toBeInTheDocument();
});

test('what the screen asks by itself is marked, so that it does not prolong the session', async () => {
  const { user } = renderApp();
  await screen.findByText('Brown, Emma');
  await passTime(4_000);
  const before = hospital.asked.length;
  await passTime(4_000);
  const alone = hospital.asked.slice(before).map((each) => each.headers.get('X-Background'));
  expect(new Set(alone)).toEqual(new Set(['1']));
  const touchedAt = hospital.asked.length;
  await user.keyboard('j');
  await passTime(4_000);
  const after = hospital.asked.slice(touchedAt).map((each) => each.headers.get('X-Background'));
  expect(after.filter((mark) => mark === null)).toHaveLength(1);
});

test('who is not signed in sees nothing of a board', async () => {
  const leave = vi.spyOn(browser, 'leaveFor').mockImplementation(() => undefined);
  hospital.session = session({ signed_in: false, user: null });
  renderApp();
  expect(await screen.findByText('Your session has ended.')).toBeInTheDocument();
  expect(leave).toHaveBeenCalledExactlyOnceWith('/accounts/login/?next=%2F');
  expect(hospital.askedFor('/api/v1/patients/')).toEqual([]);
});
