/**
 * Knows when a person last touched the application. The screen asks the server again and again; only what a
 * person does is use, so that an abandoned ward computer is signed out.
 */
let lastTouch = Date.now();
// Loading the page is use.
let isUntold = true;

export function noteTouch(): void {
  lastTouch = Date.now();
  isUntold = true;
}

export function idleFor(): number {
  return Date.now() - lastTouch;
}

/** Whether somebody has touched the screen since this was last asked: the next request then counts as theirs. */
export function hasBeenTouched(): boolean {
  const was = isUntold;
  isUntold = false;
  return was;
}
