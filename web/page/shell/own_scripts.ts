/** As much of Trusted Types as is used here; not all browsers have it. */
interface TrustedTypes {
  createPolicy(name: string, rules: { readonly createScriptURL: (url: string) => string }): unknown;
}

/**
 * Lets workers start from this origin's own files, and from nowhere else. Where the page's policy
 * says `require-trusted-types-for 'script'`, no worker starts without this; markup from text stays
 * forbidden.
 *
 * @see https://www.w3.org/TR/trusted-types/#default-policy-hdr
 */
export function allowOwnScripts(): void {
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy("default", {
    createScriptURL: (url) => ownScript(url, location.href),
  });
}

/**
 * The address of a script, if it is of this origin.
 *
 * @throws {TypeError} If it is not.
 */
export function ownScript(url: string, base: string): string {
  const { origin } = new URL(url, base);
  const own = new URL(base).origin;
  if (origin === own && origin !== "null") return url;
  throw new TypeError(`Cannot start a script: it must come from "${own}", got "${url}"`);
}
