import '@/app/mantine-styles';
import '@fontsource-variable/inter';
import '@fontsource-variable/noto-sans-hebrew';
import '@fontsource-variable/noto-sans-arabic';
import '@/app/tokens.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '@/app/app';
import { cspNonce } from '@/app/csp-nonce';
import { startLanguages } from '@/lib/i18n';

// The scroll lock behind menus and dialogs writes a <style> of its own; it looks for the nonce here.
Object.assign(globalThis, { __webpack_nonce__: cspNonce() });

await startLanguages();
const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root.');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
