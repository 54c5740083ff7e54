import axe from 'axe-core';

/** What axe finds wrong, as short lines. Contrast needs real rendering: it is looked at in the browser's journey. */
export async function flawsOf(container: Element): Promise<string[]> {
  const { violations } = await axe.run(container, {
    rules: { 'color-contrast': { enabled: false }, region: { enabled: false } },
  });
  return violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' | ')}`);
}
