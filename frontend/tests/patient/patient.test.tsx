import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, expect, test, vi } from 'vitest';
import { FakeHospital } from '@/testing/fake-hospital';
import { flawsOf } from '@/testing/axe';
import {
  board,
  hoursAgo,
  labResult,
  labTest,
  patient,
  patientAdmission,
  PMS_FEED,
  SILENT_LIS_FEED,
  uuid,
} from '@/testing/invented';
import { passTime, renderApp } from '@/testing/render-app';

const ADDRESS = `/patients/${uuid(4)}`;
let hospital: FakeHospital;
beforeEach(() => {
  hospital = new FakeHospital();
  hospital.patient = patient();
});

const valueOf = (name: string) => screen.getByText(name, { selector: 'dt' }).nextElementSibling;

test('explains why a patient is due: counted from, limit, rule, alert and what clears it', async () => {
  renderApp(ADDRESS);
  await screen.findByRole('heading', { name: 'Brown, Emma' });
  expect(valueOf('Verdict')).toHaveTextContent('Beyond 48 h since 11:32.');
  expect(valueOf('Counted from')).toHaveTextContent('the last test, Sodium, Sat, 21 Nov 2026, 11:32');
  expect(valueOf('Without a test')).toHaveTextContent('2 d 2 h at 14:02');
  expect(valueOf('Rule')).toHaveTextContent('no new test for 48 h; urgent beyond 72 h (Cardiology)');
  expect(valueOf('Alert')).toHaveTextContent('raised 11:32');
  expect(valueOf('What clears it')).toHaveTextContent(
    'a new test that is not cancelled, or a confirmed release',
  );
});

test('explains "cannot know" without a verdict of due or not due', async () => {
  hospital.board = board({ feeds: [PMS_FEED, SILENT_LIS_FEED] });
  hospital.patient = patient({
    admissions: [patientAdmission({ state: 'cannot_know', cannot_know_since: '2026-11-23T12:10:00Z' })],
  });
  renderApp(ADDRESS);
  await screen.findByRole('heading', { name: 'Brown, Emma' });
  expect(valueOf('Verdict')).toHaveTextContent(
    'a laboratory feed is silent since 13:10: neither due nor not due.',
  );
  expect(valueOf('Without a test')).toHaveTextContent('at most 2 d 2 h at 14:02');
  expect(valueOf('Alert')).toHaveTextContent(
    'stays open, because nobody can know whether a test has been made',
  );
  expect(valueOf('What clears it')).toHaveTextContent('the silent feed’s return');
  expect(await screen.findByText('LIS tests · lis-haematology: silent, 1 h 12 min ago')).toBeInTheDocument();
});

test('unknown allergies are not "none"', async () => {
  renderApp(ADDRESS);
  await screen.findByRole('heading', { name: 'Brown, Emma' });
  expect(valueOf('Allergies')).toHaveTextContent('Not known: none were sent');
});

test('"None" that was sent means that there are no known allergies', async () => {
  hospital.patient = patient({ allergies: 'None' });
  renderApp(ADDRESS);
  await screen.findByRole('heading', { name: 'Brown, Emma' });
  expect(valueOf('Allergies')).toHaveTextContent('No known allergies (as sent: None)');
});

test('a planned release closes nothing, and a shared case number is flagged', async () => {
  hospital.patient = patient({
    admissions: [patientAdmission({ planned_release_at: hoursAgo(-20), case_number_conflict: true })],
  });
  renderApp(ADDRESS);
  expect(await screen.findByText('a plan closes nothing')).toBeInTheDocument();
  expect(screen.getByText('Beyond 48 h')).toBeInTheDocument();
  expect(screen.getByText(/Another patient is on record with the same case number/)).toBeInTheDocument();
});

test('cancelled tests and withdrawn results stay visible, marked as not counted', async () => {
  hospital.tests = [
    labTest({ name: 'Troponin T', is_cancelled: true, status: 'Cancelled' }),
    labTest({ results: [labResult({ value: '6.9', number: '6.9', is_withdrawn: true })] }),
  ];
  renderApp(ADDRESS);
  expect(await screen.findByText('Cancelled, not counted')).toBeInTheDocument();
  expect(screen.getByText('Withdrawn, not counted')).toBeInTheDocument();
  expect(screen.getByText('6.9')).toBeInTheDocument();
});

test('an ambiguous unit is shown as sent and drawn nowhere', async () => {
  const glucose = (special: Parameters<typeof labResult>[0]) =>
    labTest({ name: 'Glucose', results: [labResult(special)] });
  hospital.tests = [
    glucose({ value: '98', number: '98', unit: 'mmol/L, mg/dL', unit_is_ambiguous: true }),
    glucose({ value: '5.4', number: '5.4', unit: 'mmol/L' }),
  ];
  renderApp(ADDRESS);
  const all = await screen.findByRole('table', { name: 'Tests and results' });
  expect(within(all).getByText('mmol/L, mg/dL')).toBeInTheDocument();
  expect(within(all).getByText('unit ambiguous, as sent: not interpreted')).toBeInTheDocument();
  const drawn = await screen.findByRole('table', { name: 'Values of Glucose in mmol/L' });
  expect(within(drawn).getByText('5.4')).toBeInTheDocument();
  expect(within(drawn).queryByText('98')).not.toBeInTheDocument();
  expect(screen.getByText(/1 value is not drawn, because its unit is ambiguous\./)).toBeInTheDocument();
});

test('two units are two charts, each with its own table', async () => {
  hospital.tests = [
    labTest({ name: 'Haemoglobin', results: [labResult({ value: '9.8', number: '9.8', unit: 'g/dL' })] }),
    labTest({ name: 'Haemoglobin', results: [labResult({ value: '112', number: '112', unit: 'g/L' })] }),
  ];
  renderApp(ADDRESS);
  expect(await screen.findAllByRole('img', { name: /Trend of Haemoglobin/ })).toHaveLength(2);
  expect(screen.getByText('Sent in 2 different units: drawn apart, never converted.')).toBeInTheDocument();
  expect(screen.getByRole('table', { name: 'Values of Haemoglobin in g/dL' })).toHaveTextContent('9.8');
  expect(screen.getByRole('table', { name: 'Values of Haemoglobin in g/L' })).not.toHaveTextContent('9.8');
});

test('no value is ever called normal or abnormal', async () => {
  hospital.tests = [labTest({ results: [labResult({ value: '9.9', number: '9.9' }), labResult()] })];
  const { container } = renderApp(ADDRESS);
  await screen.findByText('9.9', { selector: 'span' });
  expect(container).not.toHaveTextContent(/normal|\bhigh\b|\blow\b|elevated/i);
});

test('the date filter stands in the address and is asked for', async () => {
  hospital.tests = [labTest()];
  const { address } = renderApp(`${ADDRESS}?from=2026-11-20`);
  expect(await screen.findByLabelText('From')).toHaveValue('2026-11-20');
  expect(hospital.askedFor(`/api/v1${ADDRESS}/tests/`)[0]?.url.searchParams.get('from_date')).toBe(
    '2026-11-20',
  );
  expect(address()).toBe(`${ADDRESS}?from=2026-11-20`);
});

test('clearing the date asks for all tests again', async () => {
  hospital.tests = [labTest()];
  const { user, address } = renderApp(`${ADDRESS}?from=2026-11-20`);
  await user.click(await screen.findByRole('button', { name: 'All dates' }));
  await waitFor(() => expect(address()).toBe(ADDRESS));
  const asked = () => hospital.askedFor(`/api/v1${ADDRESS}/tests/`).at(-1)?.url.search;
  await waitFor(() => expect(asked()).toBe(''));
});

test('a patient who is not there is another thing than a failure', async () => {
  hospital.patient = null;
  const first = renderApp(ADDRESS);
  expect(await screen.findByText('There is no such patient here.')).toBeInTheDocument();
  first.unmount();
  hospital.mood = 'failing';
  renderApp(ADDRESS);
  expect(await screen.findByRole('alert')).toHaveTextContent('The patient could not be loaded.');
});

test('a lost connection dates the patient’s page and keeps it', async () => {
  renderApp(ADDRESS);
  await screen.findByRole('heading', { name: 'Brown, Emma' });
  hospital.mood = 'failing';
  await passTime(15_000);
  expect(screen.getAllByRole('alert')[0]).toHaveTextContent('As of 14:02: no connection since.');
  expect(screen.getByRole('heading', { name: 'Brown, Emma' })).toBeInTheDocument();
});

test('has no flaw that axe can find', async () => {
  hospital.tests = [labTest({ results: [labResult(), labResult()] }), labTest({ is_cancelled: true })];
  const { container } = renderApp(ADDRESS);
  await screen.findByRole('table', { name: 'Values of Potassium in mmol/L' });
  vi.useRealTimers();
  expect(await flawsOf(container)).toEqual([]);
});
