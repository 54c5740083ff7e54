import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, expect, test, vi } from 'vitest';
import { flawsOf } from '@/testing/axe';
import { FakeHospital } from '@/testing/fake-hospital';
import { feedFile, feedRow, hoursAgo, uuid } from '@/testing/invented';
import { renderApp } from '@/testing/render-app';

let hospital: FakeHospital;
beforeEach(() => {
  hospital = new FakeHospital();
});

test('shows of each feed its freshness by word, and its rows, rejects, waiting and flaws', async () => {
  hospital.feeds = [
    feedRow(),
    feedRow({
      id: uuid(8),
      source: 'lis-2',
      freshness: 'silent',
      silent_since: hoursAgo(1),
      files: { ingested: 3, refused: 1 },
    }),
  ];
  renderApp('/feeds');
  const [, first, second] = await screen.findAllByRole('row');
  if (!first || !second) throw new Error('Two feeds make two rows.');
  expect(first).toHaveTextContent('up to date');
  expect(
    within(first)
      .getAllByRole('cell')
      .slice(-4)
      .map((cell) => cell.textContent),
  ).toEqual(['1,234', '1', '3', '4']);
  expect(second).toHaveTextContent('silent since 13:02');
  expect(second).toHaveTextContent('1 refused');
});

test('warns of a feed that is late, by a sign and a word of its own', async () => {
  hospital.feeds = [feedRow({ freshness: 'late' })];
  renderApp('/feeds');
  const mark = await screen.findByText('late');
  expect(mark).toHaveTextContent('◔late');
  expect(mark).toHaveAttribute('data-freshness', 'late');
});

test('writes a ledger as a sum that adds up', async () => {
  hospital.files = [feedFile()];
  renderApp('/feeds');
  const file = (await screen.findByText('lis/tests_2026-11-23T13-00-00Z.csv')).closest('li');
  expect(file).toHaveTextContent(
    /9 rows=7 created\+0 updated\+0 unchanged\+0 superseded\+1 waiting\+1 rejected✓ adds up/,
  );
});

test('says so when a ledger does not add up', async () => {
  hospital.files = [feedFile({ rows: 10 })];
  renderApp('/feeds');
  expect(await screen.findByText('does not add up')).toBeInTheDocument();
});

test('gives the reason of a refused file, and no ledger', async () => {
  hospital.files = [feedFile({ status: 'refused', feed: null, reason: 'No layout fits its header.' })];
  renderApp('/feeds');
  expect(
    await screen.findByText('Nothing of it was applied: No layout fits its header.'),
  ).toBeInTheDocument();
  expect(screen.queryByText('adds up')).not.toBeInTheDocument();
});

test('the choice of feed and status stands in the address and is asked for', async () => {
  hospital.feeds = [feedRow()];
  const { user, address } = renderApp('/feeds');
  await user.click(await screen.findByRole('radio', { name: 'refused' }));
  await user.selectOptions(screen.getByRole('combobox', { name: 'Feed' }), uuid(901));
  await waitFor(() => expect(address()).toBe(`/feeds?feed=${uuid(901)}&status=refused`));
  await waitFor(() =>
    expect(hospital.askedFor('/api/v1/feed-files/').at(-1)?.url.search).toBe(
      `?feed=${uuid(901)}&status=refused`,
    ),
  );
});

test('no feed at all is a doubt, not a calm', async () => {
  renderApp('/feeds');
  expect(await screen.findByText('No feed has delivered anything yet.')).toBeInTheDocument();
});

test('a failure stands where the feeds would be', async () => {
  hospital.mood = 'failing';
  renderApp('/feeds');
  expect(await screen.findByText('The feeds could not be loaded.')).toBeInTheDocument();
  expect(screen.queryByText('No feed has delivered anything yet.')).not.toBeInTheDocument();
});

test('has no flaw that axe can find', async () => {
  hospital.feeds = [feedRow(), feedRow({ id: uuid(8), source: 'lis-2' })];
  hospital.files = [feedFile(), feedFile({ id: uuid(78), status: 'refused', reason: 'Empty.' })];
  const { container } = renderApp('/feeds');
  await screen.findByText('Nothing of it was applied: Empty.');
  vi.useRealTimers();
  expect(await flawsOf(container)).toEqual([]);
});
