import { screen, waitFor } from '@testing-library/react';
import { beforeEach, expect, test } from 'vitest';
import { FakeHospital } from '@/testing/fake-hospital';
import { item, patient, uuid } from '@/testing/invented';
import { renderApp } from '@/testing/render-app';

let hospital: FakeHospital;
beforeEach(() => {
  hospital = new FakeHospital();
  hospital.patient = patient();
  hospital.items = [
    item({ id: uuid(1), name: 'Adler, Ada', hours: 60, admission: { id: 1 } }),
    item({ id: uuid(2), name: 'Brown, Emma', hours: 55, admission: { id: 2 } }),
    item({ id: uuid(3), name: 'Costa, Carmen', hours: 50, admission: { id: 3 } }),
  ];
});

const linkOf = (name: string) => screen.getByRole('link', { name });

test('J and K, and the arrows, move from patient to patient and stop at the ends', async () => {
  const { user } = renderApp();
  await screen.findByText('Adler, Ada');
  await user.keyboard('j');
  await waitFor(() => expect(linkOf('Adler, Ada')).toHaveFocus());
  await user.keyboard('{ArrowDown}');
  await waitFor(() => expect(linkOf('Brown, Emma')).toHaveFocus());
  await user.keyboard('jj');
  await waitFor(() => expect(linkOf('Costa, Carmen')).toHaveFocus());
  await user.keyboard('k{ArrowUp}k');
  await waitFor(() => expect(linkOf('Adler, Ada')).toHaveFocus());
});

test('Enter opens the patient that the keys stand on, under an opaque address', async () => {
  const { user, address } = renderApp();
  await screen.findByText('Adler, Ada');
  await user.keyboard('jj');
  await waitFor(() => expect(linkOf('Brown, Emma')).toHaveFocus());
  await user.keyboard('{Enter}');
  await waitFor(() => expect(address()).toBe(`/patients/${uuid(2)}`));
  expect(document.title).toBe('Patient · Vigil');
});

test('/ goes to the search, where letters are letters', async () => {
  const { user, address } = renderApp();
  await screen.findByText('Adler, Ada');
  await user.keyboard('/');
  const box = screen.getByRole('textbox', { name: 'Bed, name or number' });
  expect(box).toHaveFocus();
  await user.keyboard('jv?');
  expect(box).toHaveValue('jv?');
  expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
  expect(address()).toBe('/');
});

test('? shows every key', async () => {
  const { user } = renderApp();
  await screen.findByText('Adler, Ada');
  await user.keyboard('?');
  const dialog = await screen.findByRole('dialog', { name: 'Keys' });
  for (const words of ['Next patient', 'Previous patient', 'Open the patient', 'Go to the search']) {
    expect(dialog).toHaveTextContent(words);
  }
});

test('a key with a modifier stays the browser’s', async () => {
  const { user } = renderApp();
  await screen.findByText('Adler, Ada');
  await user.keyboard('{Control>}j{/Control}');
  expect(linkOf('Adler, Ada')).not.toHaveFocus();
});
