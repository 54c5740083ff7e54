import { screen, waitFor } from '@testing-library/react';
import { beforeEach, expect, test } from 'vitest';
import { FakeHospital } from '@/testing/fake-hospital';
import { board, item } from '@/testing/invented';
import { renderApp } from '@/testing/render-app';

const counts = { due: 0, beyond_second_tier: 0, cannot_know: 0, threshold_hours: 48, second_tier_hours: 72 };

let hospital: FakeHospital;
beforeEach(() => {
  hospital = new FakeHospital();
  hospital.items = [item()];
  hospital.departments = [
    { key: 'Cardiology', name: 'Cardiology', open_admissions: 12, ...counts },
    { key: 'Neurology', name: 'Neurology', open_admissions: 7, ...counts },
    { key: '__none__', name: null, open_admissions: 1, ...counts },
  ];
});

test('the chosen departments stand in the address, each by itself', async () => {
  const { user, address } = renderApp();
  await user.click(await screen.findByRole('combobox', { name: 'Departments' }));
  await user.click(await screen.findByRole('option', { name: /Cardiology/ }));
  await user.click(await screen.findByRole('option', { name: /No department/ }));
  await waitFor(() => expect(address()).toBe('/?department=Cardiology&department=__none__'));
});

test('departments in the address are asked for, in the list and in the tallies', async () => {
  renderApp('/?department=Cardiology&department=Neurology');
  await screen.findByText('Brown, Emma');
  for (const path of ['/api/v1/patients/', '/api/v1/board/']) {
    const asked = hospital.askedFor(path).map((each) => each.url.searchParams.getAll('department'));
    expect(asked).toContainEqual(['Cardiology', 'Neurology']);
  }
  expect(await screen.findByText('Cardiology and Neurology')).toBeInTheDocument();
});

test('a department that is in the address stays chosen when nobody lies there any more', async () => {
  const { user } = renderApp('/?department=Closed+ward');
  expect(await screen.findByText('Brown, Emma')).toBeInTheDocument();
  await user.click(screen.getByRole('combobox', { name: 'Departments' }));
  expect(await screen.findByRole('option', { name: /Closed ward/ })).toHaveAttribute('aria-selected', 'true');
});

test('where departments have limits of their own, no tally claims 48 hours for all', async () => {
  hospital.board = board({
    rule: {
      threshold_hours: 48,
      second_tier_hours: 72,
      departments: [{ department: 'ICU', threshold_hours: 24, second_tier_hours: 36 }],
    },
  });
  renderApp();
  const tallies = await screen.findByRole('list', { name: 'Tallies' });
  expect(tallies).toHaveTextContent('2 beyond the second limit');
  expect(tallies).toHaveTextContent('3 beyond the first limit');
  expect(tallies).not.toHaveTextContent('48 h');
  expect(screen.getByText('ICU 24 h, then 36 h')).toBeInTheDocument();
});

test('tallies count those beyond the second limit once', async () => {
  renderApp();
  const tallies = await screen.findByRole('list', { name: 'Tallies' });
  expect(tallies).toHaveTextContent('2 beyond 72 h3 beyond 48 h0 cannot know56 fine');
});
