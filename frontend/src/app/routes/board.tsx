import { createRoute } from '@tanstack/react-router';
import { useCallback } from 'react';
import { rootRoute } from '@/app/routes/root';
import { wordsOf } from '@/app/search-params';
import { usePageTitle } from '@/app/shell/page-title';
import { BoardPage, type BoardFilter } from '@/features/board/components/board-page';

type BoardSearch = { view?: 'all'; department?: string[] };

export const boardRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  validateSearch: (search: Record<string, unknown>): BoardSearch => {
    const departments = wordsOf(search.department);
    return {
      ...(search.view === 'all' ? { view: 'all' as const } : {}),
      ...(departments.length > 0 ? { department: departments } : {}),
    };
  },
  component: BoardScreen,
});

function BoardScreen() {
  const search = boardRoute.useSearch();
  const navigate = boardRoute.useNavigate();
  usePageTitle('app.board');
  const setFilter = useCallback(
    (filter: BoardFilter) =>
      void navigate({
        search: {
          ...(filter.view === 'everyone' ? { view: 'all' as const } : {}),
          ...(filter.departments.length > 0 ? { department: filter.departments } : {}),
        },
        replace: true,
      }),
    [navigate],
  );
  return (
    <BoardPage
      filter={{
        view: search.view === 'all' ? 'everyone' : 'needsTest',
        departments: search.department ?? [],
      }}
      onFilter={setFilter}
    />
  );
}
