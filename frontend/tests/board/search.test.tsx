import { screen, waitFor } from '@testing-library/react';
import { beforeEach, expect, test } from 'vitest';
import { FakeHospital } from '@/testing/fake-hospital';
import { item, uuid } from '@/testing/invented';
import { passTime, renderApp } from '@/testing/render-app';

let hospital: FakeHospital;
beforeEach(() => {
  hospital = new FakeHospital();
  hospital.items = [
    item({ name: 'Brown, Emma', admission: { id: 1 } }),
    item({ id: uuid(5), name: 'כהן, אורי', patient_id: 'PC7', admission: { id: 2 } }),
  ];
});

async function searchFor(text: string) {
  const app = renderApp();
  await screen.findByText('Brown, Emma');
  await app.user.type(screen.getByRole('textbox', { name: 'Bed, name or number' }), text);
  await passTime(1_000);
  return app;
}

test('searched text travels in the body of a POST, with the token', async () => {
  await searchFor('brown');
  const [asked] = hospital.askedFor('/api/v1/patients/search/');
  expect(asked?.method).toBe('POST');
  expect(JSON.parse(asked?.body ?? '')).toEqual({
    search: 'brown',
    status: 'open',
    departments: [],
    state: [],
    last_test_hours: null,
    cursor: null,
  });
  expect(asked?.headers.get('X-CSRFToken')).toBe('token-of-nora');
  expect(screen.queryByText('כהן, אורי')).not.toBeInTheDocument();
});

test('searched text stands in no address, no storage and no title', async () => {
  const { address } = await searchFor('brown');
  expect(address()).toBe('/');
  expect(window.location.href).not.toMatch(/brown/i);
  expect(hospital.asked.filter((each) => /brown/i.test(each.url.href))).toEqual([]);
  expect(document.title).toBe('Board · Vigil');
  expect(
    JSON.stringify([Object.entries(window.localStorage), Object.entries(window.sessionStorage)]),
  ).not.toMatch(/brown/i);
});

test('the search asks for each settled text once, not for each letter', async () => {
  await searchFor('brown');
  const texts = hospital
    .askedFor('/api/v1/patients/search/')
    .map((each) => (JSON.parse(each.body) as { search: string }).search);
  expect(new Set(texts)).toEqual(new Set(['brown']));
});

test('nobody found is said plainly, and is no good news', async () => {
  await searchFor('zzz');
  expect(await screen.findByText('Nobody matches the search.')).toBeInTheDocument();
  expect(screen.queryByText(/has had a test/)).not.toBeInTheDocument();
});

test('Escape clears the search and brings the list back', async () => {
  const { user } = await searchFor('brown');
  await user.keyboard('{Escape}');
  expect(await screen.findByText('כהן, אורי')).toBeInTheDocument();
});

test('the search is still there after a look at a patient', async () => {
  const { router } = await searchFor('brown');
  await router.navigate({ to: '/feeds' });
  await screen.findByRole('heading', { name: 'Feeds' });
  await router.navigate({ to: '/' });
  await waitFor(() =>
    expect(screen.getByRole('textbox', { name: 'Bed, name or number' })).toHaveValue('brown'),
  );
});
