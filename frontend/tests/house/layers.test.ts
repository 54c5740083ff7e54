import { ESLint } from 'eslint';
import { expect, test } from 'vitest';

const eslint = new ESLint({
  overrideConfig: { languageOptions: { parserOptions: { projectService: false } } },
});

/** The complaints about one import, as if it stood in that file. */
async function complaintsAbout(file: string, imported: string): Promise<string[]> {
  const config = (await eslint.calculateConfigForFile(file)) as { rules: Record<string, unknown> };
  const rule = config.rules['no-restricted-imports'];
  const alone = new ESLint({
    overrideConfigFile: true,
    overrideConfig: [{ files: ['**/*.js'], rules: { 'no-restricted-imports': rule as never } }],
  });
  const [result] = await alone.lintText(`import '${imported}';\n`, { filePath: 'planted.js' });
  return result?.messages.map((each) => each.message) ?? [];
}

const WRONG: [string, string][] = [
  ['src/features/board/components/board-page.tsx', '@/features/patient/api/get-patient'],
  ['src/features/patient/components/why.tsx', '@/features/board/api/get-board'],
  ['src/features/feeds/components/feeds-page.tsx', '@/app/router'],
  ['src/components/ui/notice.tsx', '@/features/board/api/get-board'],
  ['src/lib/times.ts', '@/app/theme'],
  ['src/features/board/components/board-page.tsx', '../../patient/api/get-patient'],
];
test.each(WRONG)('%s may not import %s', async (file, imported) => {
  expect(await complaintsAbout(file, imported)).toHaveLength(1);
});

const RIGHT: [string, string][] = [
  ['src/features/board/components/board-page.tsx', '@/features/board/api/get-board'],
  ['src/features/board/components/board-page.tsx', '@/components/ui/notice'],
  ['src/app/routes/patient.tsx', '@/features/board/api/get-board'],
];
test.each(RIGHT)('%s may import %s', async (file, imported) => {
  expect(await complaintsAbout(file, imported)).toEqual([]);
});
