/** The way out of the application. One object, so that a test can stand in for the browser's own navigation. */
export const browser = {
  leaveFor(address: string): void {
    window.location.assign(address);
  },
};
