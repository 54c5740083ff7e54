/** The nonce that the server gave this page for styles. Without a server (development, tests) there is none. */
export function cspNonce(): string | undefined {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]');
  // The browser hides nonces of elements from scripts, but not the content of a meta.
  const nonce = meta?.content;
  return nonce && nonce !== '__CSP_NONCE__' ? nonce : undefined;
}
