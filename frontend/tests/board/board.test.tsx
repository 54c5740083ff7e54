import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { browser } from '@/lib/browser';
import { flawsOf } from '@/testing/axe';
import { FakeHospital } from '@/testing/fake-hospital';
import {
  board,
  doubt,
  feed,
  hoursAgo,
  item,
  PMS_FEED,
  session,
  SILENT_LIS_FEED,
  uuid,
} from '@/testing/invented';
import { passTime, renderApp } from '@/testing/render-app';

let hospital: FakeHospital;
beforeEach(() => {
  hospital = new FakeHospital();
});

const URGENT = item({ hours: 81.4, admission: { id: 1, room: '305A' }, last_test: null });
const DUE = item({
  id: uuid(5),
  hours: 50.5,
  name: 'כהן, אורי',
  patient_id: 'PC7',
  admission: { id: 2, room: 'N-7', department: 'Neurology' },
});
const UNKNOWN = item({
  id: uuid(6),
  hours: 55.2,
  name: 'Johnson, Michael',
  patient_id: '4757402',
  state: 'cannot_know',
  cannot_know_since: '2026-11-23T12:10:00Z',
  admission: { id: 3, room: '512A', department: 'Oncology' },
});

async function rowOf(name: string) {
  const cell = await screen.findByText(name);
  const row = cell.closest('[role=row]');
  if (!(row instanceof HTMLElement)) throw new Error(`${name} stands in no row`);
  return within(row);
}

describe('the board', () => {
  test('tells each state by word and sign, never by colour alone', async () => {
    hospital.items = [URGENT, DUE, UNKNOWN];
    renderApp();
    expect((await rowOf('Brown, Emma')).getByText('Beyond 72 h')).toHaveTextContent('▲Beyond 72 h');
    expect((await rowOf('כהן, אורי')).getByText('Beyond 48 h')).toHaveTextContent('●Beyond 48 h');
    expect((await rowOf('Johnson, Michael')).getByText('Cannot know')).toHaveTextContent('?Cannot know');
  });

  test('shows bed, department, number, age, hours and last test of a patient', async () => {
    hospital.items = [DUE];
    renderApp();
    const row = await rowOf('כהן, אורי');
    expect(row.getByText('N-7')).toBeInTheDocument();
    expect(row.getByText('Neurology')).toBeInTheDocument();
    expect(row.getByText('PC7')).toBeInTheDocument();
    expect(row.getByText('50 hours without a test')).toBeInTheDocument();
    expect(row.getByText('Sodium')).toBeInTheDocument();
    expect(row.getByText('Sat 11:32')).toBeInTheDocument();
  });

  test('shows the hours of "cannot know" as a bound, not as a fact', async () => {
    hospital.items = [UNKNOWN];
    renderApp();
    const row = await rowOf('Johnson, Michael');
    expect(row.getByText('at most 55 hours without a test')).toBeInTheDocument();
    expect(row.queryByText('55 hours without a test')).not.toBeInTheDocument();
  });

  test('counts hours on without a new answer', async () => {
    hospital.items = [item({ hours: 50.99 })];
    renderApp();
    expect((await rowOf('Brown, Emma')).getByText('50 hours without a test')).toBeInTheDocument();
    await passTime(60_000);
    expect((await rowOf('Brown, Emma')).getByText('51 hours without a test')).toBeInTheDocument();
  });

  test('says "none since admission" also when the last test was before it', async () => {
    hospital.items = [item({ last_test: { name: 'Old', at: hoursAgo(300) } })];
    renderApp();
    const row = await rowOf('Brown, Emma');
    expect(row.getByText('none since admission')).toBeInTheDocument();
    expect(row.queryByText('Old')).not.toBeInTheDocument();
  });

  test('explains "cannot know": for how many, since when, because of which feed', async () => {
    hospital.items = [UNKNOWN];
    hospital.board = board({
      counts: { open: 61, due: 0, beyond_second_tier: 0, cannot_know: 3, not_due: 58 },
      cannot_know_since: '2026-11-23T12:10:00Z',
      feeds: [PMS_FEED, SILENT_LIS_FEED],
    });
    renderApp();
    const banner = await screen.findByRole('region', { name: 'Cannot know' });
    expect(banner).toHaveTextContent('Cannot know for 3 patients.');
    expect(banner).toHaveTextContent('The feed LIS tests · lis-haematology has sent nothing since 13:10.');
  });

  test('names each doubt in plain words', async () => {
    hospital.items = [DUE];
    hospital.board = board({
      doubts: [
        doubt(),
        doubt({ kind: 'feed_silent', department: null, since: '2026-11-23T12:10:00Z' }),
        doubt({ kind: 'lab_rows_rejected', department: null, count: 3, feed: 'lis.lab_tests · lis' }),
      ],
    });
    const { user } = renderApp();
    const strip = await screen.findByRole('region', { name: 'What this board cannot vouch for' });
    expect(strip).toHaveTextContent(
      '1 admission row of Cardiology was rejected: a patient may be missing here.',
    );
    expect(strip).toHaveTextContent(
      'The feed PMS admissions · pms is silent since 13:10: new admissions and releases may be missing.',
    );
    await user.click(within(strip).getByRole('button', { name: 'and 1 more' }));
    expect(strip).toHaveTextContent('3 lab rows were rejected: one may have been a cancellation');
  });

  test('asks for page after page as the list is read', async () => {
    hospital.pageSize = 2;
    hospital.items = [URGENT, DUE, UNKNOWN];
    renderApp();
    expect(await screen.findByText('Johnson, Michael')).toBeInTheDocument();
    const cursors = hospital.askedFor('/api/v1/patients/').map((each) => each.url.searchParams.get('cursor'));
    expect(cursors).toContain('2');
  });

  test('asks only for due and cannot know, and for everyone in bed when told to', async () => {
    hospital.items = [DUE];
    const { user, address } = renderApp();
    await screen.findByText('כהן, אורי');
    expect(hospital.askedFor('/api/v1/patients/')[0]?.url.searchParams.getAll('state')).toEqual([
      'due',
      'cannot_know',
    ]);
    await user.click(screen.getByRole('radio', { name: 'Everyone in bed' }));
    await waitFor(() => expect(address()).toBe('/?view=all'));
    await waitFor(() =>
      expect(hospital.askedFor('/api/v1/patients/').at(-1)?.url.searchParams.getAll('state')).toEqual([]),
    );
  });

  test('says on every screen of a demonstration that its people are invented', async () => {
    hospital.session = session({ demo: true });
    renderApp('/nowhere');
    expect(await screen.findByText('Demonstration: every person here is invented')).toBeInTheDocument();
    expect(await screen.findByText('There is nothing at this address.')).toBeInTheDocument();
  });

  test('shows the way to the admin to operators alone', async () => {
    hospital.items = [DUE];
    const first = renderApp();
    await screen.findByText('כהן, אורי');
    expect(screen.queryByRole('link', { name: 'Admin' })).not.toBeInTheDocument();
    first.unmount();
    hospital.session = session({
      user: { username: 'op', display_name: 'Otto Operator', is_operator: true },
    });
    renderApp();
    expect(await screen.findByRole('link', { name: 'Admin' })).toHaveAttribute('href', '/admin/');
  });

  test('has no flaw that axe can find', async () => {
    hospital.items = [URGENT, DUE, UNKNOWN];
    hospital.board = board({
      counts: { open: 61, due: 2, beyond_second_tier: 1, cannot_know: 1, not_due: 57 },
      feeds: [PMS_FEED, SILENT_LIS_FEED],
      doubts: [doubt()],
    });
    const { container } = renderApp();
    await screen.findByText('Brown, Emma');
    vi.useRealTimers();
    expect(await flawsOf(container)).toEqual([]);
  });
});

describe('four conditions look different', () => {
  test('loading shows neither rows nor words about anyone', async () => {
    hospital.mood = 'hanging';
    renderApp();
    expect(await screen.findByText('Loading…', { selector: '[role=status] *' })).toBeInTheDocument();
    expect(screen.queryByRole('table')).not.toBeInTheDocument();
    expect(screen.queryByText(/has had a test/)).not.toBeInTheDocument();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  });

  test('a first failure is an error where the data would be, and goes away by itself', async () => {
    hospital.mood = 'failing';
    hospital.items = [DUE];
    renderApp();
    const error = await screen.findByRole('alert');
    expect(error).toHaveTextContent('The board could not be loaded.');
    expect(error).toHaveTextContent('This does not mean that nobody needs a test.');
    await passTime(1_600);
    expect(screen.getByRole('alert')).toHaveTextContent('The board could not be loaded.');
    hospital.mood = 'well';
    await passTime(3_000);
    expect(await screen.findByText('כהן, אורי')).toBeInTheDocument();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  });

  test('a lost connection keeps the data, dates it, and stops its hours', async () => {
    hospital.items = [item({ hours: 50.99 })];
    renderApp();
    await screen.findByText('Brown, Emma');
    hospital.mood = 'failing';
    await passTime(120_000);
    const banner = screen.getByRole('alert');
    expect(banner).toHaveTextContent('As of 14:02: no connection since.');
    expect(banner).toHaveTextContent('2 min old');
    const row = await rowOf('Brown, Emma');
    expect(row.getByText('50 hours without a test')).toBeInTheDocument();
    expect(screen.queryByText('The board could not be loaded.')).not.toBeInTheDocument();
    expect(screen.getByText('Age of the feeds not known')).toBeInTheDocument();
    hospital.mood = 'well';
    await passTime(4_000);
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
    expect(screen.getByTestId('announcer')).toHaveTextContent('Connected again.');
  });

  test('a connection that hangs is a lost one', async () => {
    hospital.items = [DUE];
    renderApp();
    await screen.findByText('כהן, אורי');
    hospital.mood = 'hanging';
    await passTime(15_000);
    expect(screen.getByRole('alert')).toHaveTextContent('As of 14:02: no connection since.');
  });

  test('a refusal for want of a session empties the screen and leaves for the sign-in', async () => {
    const leave = vi.spyOn(browser, 'leaveFor').mockImplementation(() => undefined);
    hospital.items = [DUE];
    renderApp();
    await screen.findByText('כהן, אורי');
    hospital.mood = 'signedOut';
    await passTime(2_000);
    expect(leave).toHaveBeenCalledExactlyOnceWith('/accounts/login/?next=%2F');
    expect(screen.queryByText('כהן, אורי')).not.toBeInTheDocument();
    expect(screen.getByText('Your session has ended.')).toBeInTheDocument();
  });
});

describe('an empty board', () => {
  const calm = { open: 61, due: 0, beyond_second_tier: 0, cannot_know: 0, not_due: 61 };

  test('is good news when every feed is up to date and nothing is in doubt', async () => {
    hospital.board = board({ counts: calm });
    renderApp();
    expect(await screen.findByText('Everybody in bed has had a test within 48 h.')).toBeInTheDocument();
    expect(screen.getByText('61 patients in bed, every feed up to date, as of 14:02.')).toBeInTheDocument();
  });

  test('names the department when one is chosen', async () => {
    hospital.board = board({ counts: calm });
    renderApp('/?department=Cardiology');
    expect(
      await screen.findByText('Everybody in Cardiology has had a test within 48 h.'),
    ).toBeInTheDocument();
  });

  test('is good news also while a feed is late: it is still alive', async () => {
    hospital.board = board({ counts: calm, feeds: [PMS_FEED, feed({ freshness: 'late' })] });
    renderApp();
    expect(await screen.findByText('Everybody in bed has had a test within 48 h.')).toBeInTheDocument();
    expect(screen.queryByText('late')).not.toBeInTheDocument();
  });

  const objections: [string, Partial<ReturnType<typeof board>>][] = [
    ['a laboratory feed is silent', { feeds: [PMS_FEED, feed(), SILENT_LIS_FEED] }],
    ['the admissions feed is silent', { feeds: [{ ...PMS_FEED, freshness: 'silent' }, feed()] }],
    ['a feed is catching up', { feeds: [PMS_FEED, feed({ freshness: 'catching_up' })] }],
    ['no laboratory feed has ever delivered', { feeds: [PMS_FEED] }],
    ['no admissions feed has ever delivered', { feeds: [feed()] }],
    ['an admission row was rejected', { doubts: [doubt()] }],
    ['an admission waits', { doubts: [doubt({ kind: 'admission_rows_waiting' })] }],
    ['a lab row was rejected', { doubts: [doubt({ kind: 'lab_rows_rejected', department: null })] }],
    ['a file was refused', { doubts: [doubt({ kind: 'files_refused', department: null })] }],
    ['a file is not done', { doubts: [doubt({ kind: 'files_not_done', department: null })] }],
    ['only a doubt of silence is told', { doubts: [doubt({ kind: 'feed_silent', department: null })] }],
  ];
  test.each(objections)('is never good news when %s', async (_, special) => {
    hospital.board = board({ counts: calm, ...special });
    renderApp();
    expect(
      await screen.findByText('Nobody is shown here, but this is not an all-clear.'),
    ).toBeInTheDocument();
    expect(screen.queryByText(/has had a test/)).not.toBeInTheDocument();
  });

  test('is never good news when the connection is lost', async () => {
    hospital.board = board({ counts: calm });
    renderApp();
    await screen.findByText('Everybody in bed has had a test within 48 h.');
    hospital.mood = 'failing';
    await passTime(10_000);
    expect(screen.queryByText(/has had a test/)).not.toBeInTheDocument();
    expect(screen.getByText('Nobody is shown here, but this is not an all-clear.')).toBeInTheDocument();
  });

  test('is no news when nobody in bed is known, and none when the tallies speak against the list', async () => {
    hospital.board = board({ counts: { ...calm, open: 0, not_due: 0 } });
    const first = renderApp();
    expect(await screen.findByText('No one in bed is known here.')).toBeInTheDocument();
    first.unmount();
    hospital.board = board({ counts: { ...calm, due: 1 } });
    renderApp();
    expect(await screen.findByText('The list is being renewed.')).toBeInTheDocument();
  });
});

describe('asking again', () => {
  test('a 304 keeps what is shown and counts as an answer', async () => {
    hospital.items = [DUE];
    renderApp();
    await screen.findByText('כהן, אורי');
    const before = hospital.answered.length;
    await passTime(12_000);
    expect(hospital.answered.slice(before)).toContain(304);
    const asked = hospital.askedFor('/api/v1/patients/').at(-1);
    expect(asked?.headers.get('If-None-Match')).toMatch(/^"/);
    expect(screen.getByText('כהן, אורי')).toBeInTheDocument();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  });

  test('a new patient is on the board within five seconds and is announced politely', async () => {
    hospital.items = [DUE];
    renderApp();
    await screen.findByText('כהן, אורי');
    await passTime(2_000);
    hospital.items = [URGENT, DUE];
    await passTime(5_000);
    expect(screen.getByText('Brown, Emma')).toBeInTheDocument();
    expect(screen.getByTestId('announcer')).toHaveTextContent('1 patient has come onto the board: bed 305A.');
  });

  test('a hidden tab asks nothing', async () => {
    hospital.items = [DUE];
    renderApp();
    await screen.findByText('כהן, אורי');
    vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
    document.dispatchEvent(new Event('visibilitychange'));
    await passTime(2_000);
    const before = hospital.asked.length;
    await passTime(10_000);
    expect(hospital.asked.length).toBe(before);
  });
});
