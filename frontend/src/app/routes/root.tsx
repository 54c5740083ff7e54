import { createRootRoute } from '@tanstack/react-router';
import { Shell } from '@/app/shell/shell';

export const rootRoute = createRootRoute({ component: Shell });
