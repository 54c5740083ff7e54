import type { ReactNode } from 'react';
import classes from './notice.module.css';

type Kind = 'good' | 'doubt' | 'plain' | 'failed';

type Props = {
  kind: Kind;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  level?: 1 | 2 | 3;
};

const SIGNS: Record<Kind, string> = { good: '✓', doubt: '?', plain: '', failed: '!' };

/** What stands where data would be. Each kind looks unlike the others, also without colour. */
export function Notice({ kind, title, children, action, level = 2 }: Props) {
  const Heading = `h${String(level)}` as 'h1' | 'h2' | 'h3';
  return (
    <section className={classes.notice} data-kind={kind} role={kind === 'failed' ? 'alert' : undefined}>
      {SIGNS[kind] && (
        <span className={classes.sign} aria-hidden="true">
          {SIGNS[kind]}
        </span>
      )}
      <Heading className={classes.title}>{title}</Heading>
      {children && <div className={classes.body}>{children}</div>}
      {action && <div className={classes.action}>{action}</div>}
    </section>
  );
}
