import { createRoute } from '@tanstack/react-router';
import { rootRoute } from '@/app/routes/root';
import { usePageTitle } from '@/app/shell/page-title';
import { FeedsPage, type FilesFilter } from '@/features/feeds/components/feeds-page';

type FeedsSearch = { feed?: string; status?: 'received' | 'ingested' | 'refused' };
const A_UUID = /^[0-9a-f-]{36}$/i;

export const feedsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/feeds',
  validateSearch: ({ feed, status }: Record<string, unknown>): FeedsSearch => ({
    ...(typeof feed === 'string' && A_UUID.test(feed) ? { feed } : {}),
    ...(status === 'received' || status === 'ingested' || status === 'refused' ? { status } : {}),
  }),
  component: FeedsScreen,
});

function FeedsScreen() {
  const { feed, status } = feedsRoute.useSearch();
  const navigate = feedsRoute.useNavigate();
  usePageTitle('app.feeds');
  const setFilter = (filter: FilesFilter) =>
    void navigate({
      search: {
        ...(filter.feed ? { feed: filter.feed } : {}),
        ...(filter.status ? { status: filter.status } : {}),
      },
      replace: true,
    });
  return <FeedsPage filter={{ feed: feed ?? null, status: status ?? null }} onFilter={setFilter} />;
}
