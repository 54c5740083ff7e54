/** Filters in the address as people write them: ?department=ICU&department=Cardiology. */
type Search = Record<string, unknown>;

export function readSearch(text: string): Search {
  const search: Record<string, string | string[]> = {};
  for (const [key, value] of new URLSearchParams(text)) {
    const known = search[key];
    if (known === undefined) search[key] = value;
    else search[key] = [...(Array.isArray(known) ? known : [known]), value];
  }
  return search;
}

export function writeSearch(search: Search): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    for (const each of values) if (typeof each === 'string') params.append(key, each);
  }
  const text = params.toString();
  return text && `?${text}`;
}

/** What the address says under a key, as a list of words. */
export function wordsOf(value: unknown): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((each): each is string => typeof each === 'string' && each !== '');
}
