/** A file's books: every row in exactly one column. */
import type { FeedFile } from '@/lib/api-types';

export const COLUMNS = ['created', 'updated', 'unchanged', 'superseded', 'waiting', 'rejected'] as const;

export function balances(file: FeedFile): boolean {
  return COLUMNS.reduce((sum, column) => sum + file[column], 0) === file.rows;
}
