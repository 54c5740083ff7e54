import { createRoute } from '@tanstack/react-router';
import { rootRoute } from '@/app/routes/root';
import { usePageTitle } from '@/app/shell/page-title';
import { useBoard } from '@/features/board/api/get-board';
import { PatientPage } from '@/features/patient/components/patient-page';

type PatientSearch = { from?: string };
const A_DAY = /^\d{4}-\d{2}-\d{2}$/;

export const patientRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/patients/$id',
  validateSearch: (search: Record<string, unknown>): PatientSearch =>
    typeof search.from === 'string' && A_DAY.test(search.from) ? { from: search.from } : {},
  component: PatientScreen,
});

function PatientScreen() {
  const { id } = patientRoute.useParams();
  const { from } = patientRoute.useSearch();
  const navigate = patientRoute.useNavigate();
  const board = useBoard([]);
  usePageTitle('app.patient');
  return (
    <PatientPage
      key={id}
      id={id}
      from={from ?? null}
      onFrom={(day) => void navigate({ search: day ? { from: day } : {}, replace: true })}
      feeds={board.data?.feeds ?? []}
    />
  );
}
