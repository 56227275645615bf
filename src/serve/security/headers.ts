import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';

type Policy = NonNullable<NonNullable<Parameters<typeof secureHeaders>[0]>['contentSecurityPolicy']>;

const none: Policy = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };

/** Answers for programs, should a browser show one. */
const data: Policy = { ...none, sandbox: [] };

/** The web page and the docs: their own files, and images that the browser made. */
const page: Policy = {
  ...none,
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'blob:', 'data:'],
  mediaSrc: ["'self'", 'blob:'],
  connectSrc: ["'self'"],
  fontSrc: ["'self'"],
  manifestSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
};

/** What browsers must not do with answers: a content security policy for data, and one for what is for people. */
export function securityHeaders(): MiddlewareHandler {
  const headers = (contentSecurityPolicy: Policy, camera: boolean) =>
    secureHeaders({
      contentSecurityPolicy,
      permissionsPolicy: { camera: camera ? ['self'] : [], microphone: [], geolocation: [] },
      xFrameOptions: 'DENY',
      // Plain HTTP: whether browsers must use TLS is for the proxy in front to say.
      strictTransportSecurity: false,
    });
  const [forData, forPage, forDocs] = [headers(data, false), headers(page, true), headers(page, false)];
  return (c, next) => {
    const { path } = c.req;
    if (path === '/' || path.startsWith('/page/')) return forPage(c, next);
    return (/^\/docs(\/|$)/.test(path) ? forDocs : forData)(c, next);
  };
}
