import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// Where `npm run dev` finds the API; the built application is served by the same host as the API.
const apiAddress = process.env.VIGIL_API ?? 'http://127.0.0.1:8000';

export default defineConfig(({ command }) => ({
  // Django serves the built files under this path; the development server stands at the root.
  base: command === 'build' ? '/static/app/' : '/',
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: 'dist',
    // Inlined fonts would be data: addresses, which the Content-Security-Policy (font-src 'self') refuses.
    assetsInlineLimit: 0,
    sourcemap: false,
    target: 'es2022',
    // Libraries change less often than the application: apart, they stay in the browser's cache.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/ },
            { name: 'mantine', test: /node_modules[\\/](@mantine|@floating-ui)[\\/]/ },
            { name: 'tanstack', test: /node_modules[\\/]@tanstack[\\/]/ },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/accounts', '/admin', '/static'].map((path) => [path, { target: apiAddress }]),
    ),
  },
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'http://vigil.test/' } },
    setupFiles: ['src/testing/setup.ts'],
    include: ['tests/**/*.test.{ts,tsx}'],
    css: false,
    restoreMocks: true,
    testTimeout: 20_000,
  },
}));
