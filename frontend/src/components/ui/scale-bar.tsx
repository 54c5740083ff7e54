import type { Look } from '@/components/ui/state-tag';
import classes from './scale-bar.module.css';

type Props = { hours: number; first: number; second: number | null; look: Look };

/** From nothing to beyond the last limit, a tick at each: who crosses next is seen before it is read. Decoration: the words stand beside it. */
export function ScaleBar({ hours, first, second, look }: Props) {
  // A rule may have one limit alone; the scale then ends half as far beyond it.
  const end = (second ?? first * 1.5) * 1.125;
  const share = (part: number) => `${String(Math.min(100, Math.max(0, (part / end) * 100)))}%`;
  return (
    <span className={classes.scale} data-look={look} aria-hidden="true">
      <span className={classes.fill} style={{ inlineSize: share(hours) }} />
      <span className={classes.tick} style={{ insetInlineStart: share(first) }} />
      {second !== null && <span className={classes.tick} style={{ insetInlineStart: share(second) }} />}
    </span>
  );
}
