/** Invented people, feeds and files in the shapes of the API. Each builder gives an ordinary one; a test says what is special. */
import type {
  Board,
  BoardFeed,
  BoardItem,
  Doubt,
  Feed,
  FeedFile,
  LabResult,
  LabTest,
  Patient,
  PatientAdmission,
  Session,
} from '@/lib/api-types';

export const NOW = Date.parse('2026-11-23T13:02:00Z'); // 14:02 in Berlin
const HOUR = 3_600_000;
export const hoursAgo = (hours: number) => new Date(NOW - hours * HOUR).toISOString().replace('.000Z', 'Z');
export const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

export function session(special: Partial<Session> = {}): Session {
  return {
    signed_in: true,
    user: { username: 'nurse', display_name: 'Nora Nurse', is_operator: false },
    demo: false,
    time_zone: 'Europe/Berlin',
    idle_sign_out_seconds: 1800,
    version: '0.1.0',
    csrf_token: 'token-of-nora',
    ...special,
  };
}

export function feed(special: Partial<BoardFeed> = {}): BoardFeed {
  return {
    id: uuid(901),
    feed: 'lis.lab_tests',
    source: 'lis-chemistry',
    system: 'LIS',
    freshness: 'fresh',
    newest_source_time: hoursAgo(0.01),
    silent_since: null,
    interval_minutes: 15,
    ...special,
  };
}

export const PMS_FEED = feed({ id: uuid(902), feed: 'pms.admissions', source: 'pms', system: 'PMS' });
export const SILENT_LIS_FEED = feed({
  id: uuid(903),
  source: 'lis-haematology',
  freshness: 'silent',
  newest_source_time: hoursAgo(1.2),
  silent_since: '2026-11-23T12:10:00Z',
});

export function doubt(special: Partial<Doubt> = {}): Doubt {
  return {
    kind: 'admission_rows_rejected',
    department: 'Cardiology',
    count: 1,
    feed: 'pms.admissions · pms',
    since: hoursAgo(3),
    ...special,
  };
}

export function board(special: Partial<Board> = {}): Board {
  return {
    as_of: hoursAgo(0),
    known_at: null,
    time_zone: 'Europe/Berlin',
    rule: { threshold_hours: 48, second_tier_hours: 72, departments: [] },
    counts: { open: 61, due: 5, beyond_second_tier: 2, cannot_know: 0, not_due: 56 },
    cannot_know_since: null,
    feeds: [PMS_FEED, feed()],
    doubts: [],
    ...special,
  };
}

type ItemSpecial = Omit<Partial<BoardItem>, 'admission'> & {
  hours?: number;
  admission?: Partial<BoardItem['admission']>;
};

export function item({ hours = 50.5, admission, ...special }: ItemSpecial = {}): BoardItem {
  const tier = hours > 72 ? 2 : hours > 48 ? 1 : 0;
  return {
    id: uuid(4),
    patient_id: '0042',
    name: 'Brown, Emma',
    first_name: 'Emma',
    last_name: 'Brown',
    date_of_birth: '1992-02-11',
    gender: null,
    last_test: { name: 'Sodium', at: hoursAgo(hours) },
    quiet_since: hoursAgo(hours),
    hours_without_test: hours,
    threshold_hours: 48,
    second_tier_hours: 72,
    tier,
    state: tier > 0 ? 'due' : 'not_due',
    cannot_know_since: null,
    ...special,
    admission: {
      id: 17,
      case_number: 'C1',
      department: 'Cardiology',
      room: '305A',
      admitted_at: hoursAgo(100),
      released_at: null,
      planned_release_at: null,
      ...admission,
    },
  };
}

const origin = { file: 'pms/admissions.csv', line: 3, source_time: hoursAgo(4), known_at: hoursAgo(3.9) };

export function patientAdmission(special: Partial<PatientAdmission> = {}): PatientAdmission {
  return {
    id: 17,
    case_number: 'C1',
    department: 'Cardiology',
    room: '305A',
    admitted_at: hoursAgo(100),
    released_at: null,
    planned_release_at: null,
    is_open: true,
    quiet_since: hoursAgo(50.5),
    hours_without_test: 50.5,
    threshold_hours: 48,
    second_tier_hours: 72,
    tier: 1,
    state: 'due',
    cannot_know_since: null,
    alert: { raised_at: hoursAgo(2.5), status: 'open' },
    case_number_conflict: false,
    origin,
    ...special,
  };
}

export function patient(special: Partial<Patient> = {}): Patient {
  return {
    as_of: hoursAgo(0),
    known_at: null,
    id: uuid(4),
    patient_id: '0042',
    name: 'Brown, Emma',
    first_name: 'Emma',
    last_name: 'Brown',
    date_of_birth: '1992-02-11',
    gender: 'Female',
    primary_physician: 'Dr. S. Johnson',
    insurance_provider: null,
    blood_type: null,
    allergies: null,
    extra: {},
    origin,
    last_test: { name: 'Sodium', at: hoursAgo(50.5) },
    admissions: [patientAdmission()],
    ...special,
  };
}

let nextResult = 1;

export function labResult(special: Partial<LabResult> = {}): LabResult {
  const id = nextResult++;
  return {
    id,
    result_id: `R${String(id)}`,
    value: '4.1',
    number: '4.1',
    comparator: null,
    unit: 'mmol/L',
    unit_is_ambiguous: false,
    reference_range: '3.5-5.1',
    status: 'Final',
    is_withdrawn: false,
    performed_at: hoursAgo(60 + id),
    reviewing_physician: null,
    origin,
    ...special,
  };
}

export function labTest(special: Partial<LabTest> = {}): LabTest {
  return {
    id: nextResult++,
    test_id: 'T1',
    name: 'Potassium',
    ordered_at: hoursAgo(61),
    ordering_physician: null,
    lab_location: null,
    status: 'Completed',
    is_cancelled: false,
    test_id_conflict: false,
    origin,
    results: [],
    ...special,
  };
}

export function feedRow(special: Partial<Feed> = {}): Feed {
  return {
    ...feed(),
    newest_file: { key: 'lis/tests.csv', source_time: hoursAgo(0.01), finished_at: hoursAgo(0.01), rows: 9 },
    files: { ingested: 12, refused: 0 },
    rows: 1234,
    rejected: 3,
    waiting: 1,
    flaws: 4,
    ...special,
  };
}

export function feedFile(special: Partial<FeedFile> = {}): FeedFile {
  return {
    id: uuid(77),
    key: 'lis/tests_2026-11-23T13-00-00Z.csv',
    source: 'lis-chemistry',
    feed: 'lis.lab_tests',
    status: 'ingested',
    reason: null,
    found_by: 'notice',
    source_time: hoursAgo(0.03),
    received_at: hoursAgo(0.03),
    finished_at: hoursAgo(0.03),
    rows: 9,
    created: 7,
    updated: 0,
    unchanged: 0,
    superseded: 0,
    waiting: 1,
    rejected: 1,
    flaws: 0,
    ...special,
  };
}
