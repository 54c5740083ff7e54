import { createRouter, type RouterHistory } from '@tanstack/react-router';
import { boardRoute } from '@/app/routes/board';
import { feedsRoute } from '@/app/routes/feeds';
import { patientRoute } from '@/app/routes/patient';
import { rootRoute } from '@/app/routes/root';
import { NotFoundPage } from '@/app/routes/not-found';
import { ScreenFailed } from '@/app/shell/screen-failed';
import { readSearch, writeSearch } from '@/app/search-params';

const routeTree = rootRoute.addChildren([boardRoute, patientRoute, feedsRoute]);

export function makeRouter(history?: RouterHistory) {
  return createRouter({
    routeTree,
    history,
    parseSearch: readSearch,
    stringifySearch: writeSearch,
    defaultNotFoundComponent: NotFoundPage,
    defaultErrorComponent: ScreenFailed,
    // Positions would be kept in the browser's storage, by address. Nothing about patients is kept there.
    scrollRestoration: false,
  });
}

declare module '@tanstack/react-router' {
  // eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- the router is told its routes this way
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
