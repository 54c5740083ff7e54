import { readdirSync } from 'node:fs';
import js from '@eslint/js';
import jsxA11y from 'eslint-plugin-jsx-a11y';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

// Imports flow one way: app → features → components · lib · config. One feature never knows another.
const features = readdirSync(new URL('./src/features', import.meta.url));
const climbing = {
  regex: '^(\\.\\./){2,}',
  message: 'Write @/… : a path that climbs hides which room it enters.',
};
const noApp = { regex: '^@/app/', message: 'app stands above this room.' };
const noFeature = { regex: '^@/features/', message: 'features stand above this room.' };
const restrict = (...patterns) => ({
  'no-restricted-imports': ['error', { patterns: [climbing, ...patterns] }],
});

export default tseslint.config(
  { ignores: ['dist', 'coverage', 'src/lib/api-schema.d.ts'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
    },
  },
  {
    files: ['src/**/*.tsx', 'src/**/*.ts', 'tests/**/*.tsx'],
    extends: [reactHooks.configs.flat['recommended-latest'], jsxA11y.flatConfigs.strict],
    rules: {
      // A region that scrolls must be reachable by keyboard.
      'jsx-a11y/no-noninteractive-tabindex': ['error', { tags: [], roles: ['tabpanel', 'region'] }],
    },
  },
  { files: ['src/{components,lib,config}/**'], rules: restrict(noApp, noFeature) },
  ...features.map((feature) => ({
    files: [`src/features/${feature}/**`],
    rules: restrict(noApp, {
      regex: `^@/features/(?!${feature}/)`,
      message: 'One feature never imports another: put what they share into components, lib or the route.',
    }),
  })),
  { files: ['src/app/**', 'src/testing/**'], rules: restrict() },
  { files: ['**/*.{js,mjs}'], languageOptions: { globals: globals.node } },
);
