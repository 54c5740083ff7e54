// Invented people and files in the shapes of the API, for looking at the screens without a hospital behind them.
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const iso = (ms) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
const uuid = (n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

const START = Date.now();
const DEPARTMENT_RULES = { 'Intensive Care': [24, 36] };
const PEOPLE = [
  ['6021421', 'Brown', 'Emma', '1992-02-11', '305A', 'Cardiology', 81.4, null],
  ['0027698', 'O’Neil', 'Anne-Marie', '1955-05-02', '410B', 'Neurology', 74.2, 'Sodium'],
  ['4757402', 'Johnson', 'Michael', '1944-01-30', '512A', 'Oncology', 52.7, 'Ferritin'],
  ['P00042', 'Müller', 'Zoë', '1968-08-19', '208C', 'Cardiology', 50.1, 'Haemoglobin'],
  ['PC7', 'כהן', 'אורי', '1975-03-03', 'N-7', 'Neurology', 49.3, 'CRP'],
  ['0010077', 'الحسيني', 'ليلى', '1961-11-23', '309B', 'Cardiology', 48.6, 'Potassium'],
  ['0031337', 'Okonkwo', 'Chidi', '1988-06-14', 'ICU-2', 'Intensive Care', 26.5, 'Lactate'],
  ['7781203', 'von Hohenlohe-Bartenstein', 'Maximiliane Theodora', '1939-09-09', '511', null, 61.3, null],
  [
    '8800112',
    'Nguyễn',
    'Thị Minh Khai',
    '2026-03-30',
    null,
    'Paediatrics',
    55.2,
    'Blood culture, aerobic and anaerobic bottles',
  ],
];
const FIRST = [
  'Ada',
  'Björn',
  'Carmen',
  'Dario',
  'Elif',
  'Farid',
  'Greta',
  'Hana',
  'Ivan',
  'Jonas',
  'Keiko',
  'Lars',
];
const LAST = [
  'Adler',
  'Bauer',
  'Costa',
  'Dvořák',
  'Eriksen',
  'Fischer',
  'García',
  'Hassan',
  'Ito',
  'Jensen',
  'Kaya',
  'Lindt',
];
const WARDS = ['Cardiology', 'Neurology', 'Oncology', 'Surgery', 'Intensive Care', 'Paediatrics'];
const TESTS = ['Sodium', 'Potassium', 'CRP', 'Haemoglobin', 'Creatinine', 'Troponin T'];

function item(index, [number, last, first, born, room, department, hours, test], scenario) {
  const [threshold, second] = DEPARTMENT_RULES[department] ?? [48, 72];
  const quiet = START - hours * HOUR;
  const isBlind =
    scenario !== 'calm' && hours > threshold && ['Oncology', null, 'Paediatrics'].includes(department);
  const now = (Date.now() - quiet) / HOUR;
  const tier = now > second ? 2 : now > threshold ? 1 : 0;
  const state = tier === 0 ? 'not_due' : isBlind ? 'cannot_know' : 'due';
  return {
    id: uuid(index + 1),
    patient_id: number,
    name: `${last}, ${first}`,
    first_name: first,
    last_name: last,
    date_of_birth: born,
    gender: null,
    admission: {
      id: index + 1,
      case_number: `C${1000 + index}`,
      department,
      room,
      admitted_at: iso(test ? quiet - 31 * HOUR : quiet),
      released_at: null,
      planned_release_at: null,
    },
    last_test: test ? { name: test, at: iso(quiet) } : null,
    quiet_since: iso(quiet),
    hours_without_test: Math.round(now * 10) / 10,
    threshold_hours: threshold,
    second_tier_hours: second,
    tier,
    state,
    cannot_know_since: state === 'cannot_know' ? iso(START - 52 * MINUTE) : null,
  };
}

export function items(scenario) {
  if (scenario === 'bare' || scenario === 'nobody') return [];
  const fine = Array.from({ length: scenario === 'many' ? 2_000 : 53 }, (_, n) => [
    String(3_000_000 + n * 37),
    LAST[n % 12],
    FIRST[(n * 5) % 12],
    `19${40 + (n % 55)}-0${1 + (n % 9)}-1${n % 9}`,
    `${100 + n}`,
    WARDS[n % 6],
    scenario === 'many' ? 200 - n * 0.1 : 23 - n * 0.43,
    TESTS[n % 6],
  ]);
  const people = scenario === 'calm' || scenario === 'hollow' ? fine : [...PEOPLE, ...fine];
  return people
    .map((person, index) => item(index, person, scenario))
    .sort((one, other) => other.hours_without_test - one.hours_without_test);
}

export function feeds(scenario) {
  if (scenario === 'bare') return [];
  const blind = scenario !== 'calm' && scenario !== 'many' && scenario !== 'nobody';
  const make = (n, feed, source, seconds, freshness = 'fresh') => ({
    id: uuid(900 + n),
    feed,
    source,
    system: feed.startsWith('pms') ? 'PMS' : 'LIS',
    freshness,
    newest_source_time: iso(freshness === 'silent' ? START - 67 * MINUTE : Date.now() - seconds * 1000),
    silent_since: freshness === 'silent' ? iso(START - 52 * MINUTE) : null,
    interval_minutes: 15,
  });
  return [
    make(1, 'pms.patients', 'pms', 12),
    make(2, 'pms.admissions', 'pms', 9),
    make(3, 'lis.lab_tests', 'lis-chemistry', 4),
    make(4, 'lis.lab_results', 'lis-chemistry', 7),
    ...(blind
      ? [make(5, 'lis.lab_tests', 'lis-haematology', 0, 'silent')]
      : [make(5, 'lis.lab_tests', 'lis-haematology', 6)]),
  ];
}

function doubts(scenario) {
  if (scenario === 'calm' || scenario === 'many' || scenario === 'bare' || scenario === 'nobody') return [];
  return [
    {
      kind: 'admission_rows_rejected',
      department: 'Cardiology',
      count: 1,
      feed: 'pms.admissions · pms',
      since: iso(START - 3 * HOUR),
    },
    {
      kind: 'admission_rows_waiting',
      department: 'Neurology',
      count: 2,
      feed: 'pms.admissions · pms',
      since: iso(START - 20 * MINUTE),
    },
    {
      kind: 'lab_rows_rejected',
      department: null,
      count: 3,
      feed: 'lis.lab_tests · lis-chemistry',
      since: iso(START - 30 * HOUR),
    },
    {
      kind: 'feed_silent',
      department: null,
      count: 1,
      feed: 'lis.lab_tests · lis-haematology',
      since: iso(START - 52 * MINUTE),
    },
    { kind: 'files_refused', department: null, count: 1, feed: null, since: iso(START - 5 * HOUR) },
  ];
}

const key = (each) => each.admission.department ?? '__none__';
const within = (all, departments) =>
  departments.length === 0 ? all : all.filter((each) => departments.includes(key(each)));

function countsOf(all) {
  const by = (test) => all.filter(test).length;
  return {
    open: all.length,
    due: by((each) => each.state === 'due'),
    beyond_second_tier: by((each) => each.state === 'due' && each.tier === 2),
    cannot_know: by((each) => each.state === 'cannot_know'),
    not_due: by((each) => each.state === 'not_due'),
  };
}

export function board(scenario, departments) {
  const counts = countsOf(within(items(scenario), departments));
  return {
    as_of: iso(Date.now()),
    known_at: null,
    time_zone: 'Europe/Berlin',
    rule: {
      threshold_hours: 48,
      second_tier_hours: 72,
      departments:
        scenario === 'calm'
          ? []
          : [{ department: 'Intensive Care', threshold_hours: 24, second_tier_hours: 36 }],
    },
    counts,
    cannot_know_since: counts.cannot_know > 0 ? iso(START - 52 * MINUTE) : null,
    feeds: feeds(scenario),
    doubts: doubts(scenario).filter(
      (doubt) =>
        departments.length === 0 || doubt.department === null || departments.includes(doubt.department),
    ),
  };
}

export function patients(scenario, { departments, states, search = '', cursor, size = 100 }) {
  const words = search.toLocaleLowerCase();
  const all = within(items(scenario), departments)
    .filter((each) => states.length === 0 || states.includes(each.state))
    .filter((each) =>
      `${each.name} ${each.patient_id} ${each.admission.room}`.toLocaleLowerCase().includes(words),
    );
  const from = Number(cursor ?? 0);
  const results = all.slice(from, from + size);
  return {
    as_of: iso(Date.now()),
    known_at: null,
    next: from + size < all.length ? String(from + size) : null,
    results,
  };
}

export function departments(scenario) {
  const all = items(scenario);
  return {
    as_of: iso(Date.now()),
    known_at: null,
    results: [...new Set(all.map(key))].sort().map((each) => {
      const counts = countsOf(all.filter((one) => key(one) === each));
      const [threshold, second] = DEPARTMENT_RULES[each] ?? [48, 72];
      return {
        key: each,
        name: each === '__none__' ? null : each,
        open_admissions: counts.open,
        due: counts.due,
        beyond_second_tier: counts.beyond_second_tier,
        cannot_know: counts.cannot_know,
        threshold_hours: threshold,
        second_tier_hours: second,
      };
    }),
  };
}

const origin = (file, line) => ({
  file,
  line,
  source_time: iso(START - 4 * HOUR),
  known_at: iso(START - 4 * HOUR + MINUTE),
});

export function patient(scenario, id) {
  const found = items(scenario).find((each) => each.id === id);
  if (!found) return null;
  const { admission, state } = found;
  const shared = {
    hours_without_test: found.hours_without_test,
    threshold_hours: found.threshold_hours,
    second_tier_hours: found.second_tier_hours,
  };
  const isOdd = found.patient_id === 'P00042';
  return {
    as_of: iso(Date.now()),
    known_at: null,
    id,
    patient_id: found.patient_id,
    name: found.name,
    first_name: found.first_name,
    last_name: found.last_name,
    date_of_birth: found.date_of_birth,
    gender: 'Female',
    primary_physician: 'Dr. S. Johnson',
    insurance_provider: 'AOK Plus',
    blood_type: 'A+',
    allergies: isOdd ? 'Penicillin, latex' : found.patient_id === 'PC7' ? 'None' : null,
    extra: isOdd ? { preferred_language: 'German', next_of_kin: null } : {},
    origin: origin('pms/patients_2026-11-23T05-20-00Z.csv', 12),
    last_test: found.last_test,
    admissions: [
      {
        ...admission,
        planned_release_at: iso(START + 30 * HOUR),
        is_open: true,
        quiet_since: found.quiet_since,
        ...shared,
        tier: found.tier,
        state,
        cannot_know_since: found.cannot_know_since,
        alert:
          state === 'not_due'
            ? null
            : { raised_at: iso(Date.parse(found.quiet_since) + 48 * HOUR), status: 'open' },
        case_number_conflict: isOdd,
        origin: origin('pms/admissions_2026-11-23T05-20-05Z.csv', 3),
      },
      {
        ...admission,
        id: admission.id + 5_000,
        case_number: 'C0417',
        room: '12',
        department: 'Surgery',
        admitted_at: iso(START - 4_100 * HOUR),
        released_at: iso(START - 3_980 * HOUR),
        is_open: false,
        quiet_since: iso(START - 4_000 * HOUR),
        ...shared,
        hours_without_test: null,
        tier: 0,
        state: 'not_due',
        cannot_know_since: null,
        alert: null,
        case_number_conflict: false,
        origin: origin('pms/admissions_2026-06-06T05-20-05Z.csv', 17),
      },
    ],
  };
}

function result(id, value, unit, range, hoursAgo, more = {}) {
  const match = /^([<>]=?)?\s*([\d.]+)$/.exec(value ?? '');
  return {
    id,
    result_id: `R${id}`,
    value,
    number: match ? match[2] : null,
    comparator: match?.[1] ?? null,
    unit,
    unit_is_ambiguous: unit?.includes(',') ?? false,
    reference_range: range,
    status: 'Final',
    is_withdrawn: false,
    performed_at: iso(START - hoursAgo * HOUR),
    reviewing_physician: null,
    origin: origin('lis/lab_results.csv', 2),
    ...more,
  };
}

export function tests(scenario, id, from) {
  const found = items(scenario).find((each) => each.id === id);
  if (!found) return null;
  const quiet = (START - Date.parse(found.quiet_since)) / HOUR;
  let n = 0;
  const test = (name, hoursAgo, results, more = {}) => ({
    id: ++n,
    test_id: `T${70_000 + n}`,
    name,
    ordered_at: iso(START - (hoursAgo + 2) * HOUR),
    ordering_physician: 'Dr. M. Chen',
    lab_location: null,
    status: 'Completed',
    is_cancelled: false,
    test_id_conflict: false,
    origin: origin('lis/tests_2026-11-20T11-00-00Z.csv', n),
    results: results.map((each) => result(...each)),
    ...more,
  });
  const all = [
    test('Haemoglobin', quiet, [
      [1, '9.8', 'g/dL', '12.0 - 15.5', quiet, { reviewing_physician: 'Dr. S. Johnson' }],
    ]),
    test('Troponin T', quiet + 3, [], { status: 'Cancelled', is_cancelled: true }),
    test('Potassium', quiet + 5, [
      [2, '4.1', 'mmol/L', '3.5-5.1', quiet + 5],
      [3, '6.9', 'mmol/L', '3.5-5.1', quiet + 5, { is_withdrawn: true, status: 'Entered in error' }],
    ]),
    test('Glucose', quiet + 9, [[4, '98', 'mmol/L, mg/dL', '70-99', quiet + 9]]),
    test('CRP', quiet + 12, [[5, '<0.6', 'mg/L', '< 5', quiet + 12]]),
    test('Blood culture', quiet + 14, [
      [6, 'No growth after 48 h', null, null, quiet + 14, { status: 'Preliminary' }],
    ]),
    test('Ferritin', quiet + 15, [], { status: 'Ordered', test_id_conflict: true }),
    ...Array.from({ length: 9 }, (_, k) =>
      test('Potassium', quiet + 24 + k * 19, [
        [100 + k, (4.4 + Math.sin(k) * 0.7).toFixed(1), 'mmol/L', '3.5-5.1', quiet + 24 + k * 19],
      ]),
    ),
    ...Array.from({ length: 6 }, (_, k) =>
      test('CRP', quiet + 30 + k * 20, [
        [200 + k, k === 2 ? '>200' : String(12 + k * 22), 'mg/L', '< 5', quiet + 30 + k * 20],
      ]),
    ),
    ...Array.from({ length: 5 }, (_, k) =>
      test('Haemoglobin', quiet + 40 + k * 25, [
        [300 + k, (10.4 + k * 0.3).toFixed(1), 'g/dL', '12.0 - 15.5', quiet + 40 + k * 25],
      ]),
    ),
    ...Array.from({ length: 3 }, (_, k) =>
      test('Haemoglobin', quiet + 170 + k * 22, [
        [400 + k, String(112 + k * 4), 'g/L', '120 - 155', quiet + 170 + k * 22],
      ]),
    ),
    test('Glucose', quiet + 60, [[5_00, '5.4', 'mmol/L', '3.9-5.5', quiet + 60]]),
  ].sort((one, other) => (one.ordered_at < other.ordered_at ? 1 : -1));
  return { next: null, results: from ? all.filter((each) => each.ordered_at >= from) : all };
}

export function feedsPage(scenario) {
  return {
    as_of: iso(Date.now()),
    known_at: null,
    results: feeds(scenario).map((feed, n) => ({
      ...feed,
      newest_file: {
        key: `${feed.source}/${feed.feed.split('.')[1]}_2026-11-23T07-5${n}-00Z.csv`,
        source_time: feed.newest_source_time,
        finished_at: feed.newest_source_time,
        rows: 12 + n,
      },
      files: { ingested: 1_204 - n * 100, refused: n === 2 ? 1 : 0 },
      rows: 48_123 + n * 7_001,
      rejected: n === 1 ? 1 : n === 2 ? 3 : 0,
      waiting: n === 1 ? 2 : 0,
      flaws: n === 0 ? 4 : 0,
    })),
    refused_files_without_feed: scenario === 'calm' ? 0 : 1,
    files_not_done: 0,
  };
}

export function feedFiles(scenario, feed, status) {
  if (scenario === 'bare') return { next: null, results: [] };
  const sources = feeds(scenario);
  const all = Array.from({ length: 24 }, (_, n) => {
    const from = sources[n % sources.length];
    const at = Date.now() - n * 9_000;
    const parts = {
      created: n % 4,
      updated: (n * 3) % 5,
      unchanged: 8 - (n % 3),
      superseded: n % 7 === 3 ? 2 : 0,
      waiting: n % 9 === 4 ? 1 : 0,
      rejected: n % 11 === 5 ? 1 : 0,
    };
    const kind = n === 0 ? 'received' : n === 6 ? 'refused' : 'ingested';
    const none = Object.fromEntries(Object.keys(parts).map((name) => [name, 0]));
    return {
      id: uuid(5_000 + n),
      key: `${from.source}/${from.feed.split('.')[1]}_${iso(at).replaceAll(':', '-')}.csv`,
      source: from.source,
      feed: n === 6 ? null : from.feed,
      feedId: from.id,
      status: kind,
      reason:
        kind === 'refused'
          ? 'No layout fits its header: patient, ward, bed. The nearest is pms.combined, which also needs admission_id and admission_date.'
          : null,
      found_by: n === 4 ? 'sweep' : 'lookout',
      source_time: iso(at),
      received_at: iso(at),
      finished_at: kind === 'received' ? null : iso(at + 800),
      ...(kind === 'ingested' ? parts : none),
      rows: kind === 'ingested' ? Object.values(parts).reduce((sum, part) => sum + part, 0) : 0,
      flaws: n % 8 === 2 ? 2 : 0,
    };
  });
  const results = all
    .filter((file) => !feed || file.feedId === feed)
    .filter((file) => !status || file.status === status);
  return { next: null, results };
}
