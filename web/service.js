const KEY = 'yolox-api-key';

/** An answer outside 2xx, or none at all: `reason` has code, message and perhaps expected, received and hint. */
export class Refusal extends Error {
  constructor(status, reason, retryAfter) {
    super(reason.message);
    this.status = status;
    this.reason = reason;
    /** Seconds. */
    this.retryAfter = retryAfter;
  }
}

/** Address of a path of the service, also behind a proxy that adds a prefix. */
export const addressOf = (path) => new URL(path, document.baseURI).href;

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const useKey = (key) => sessionStorage.setItem(KEY, key);

/** @throws Refusal for everything but 2xx; AbortError when `signal` says so. */
async function request(path, { headers = {}, ...options } = {}) {
  const key = sessionStorage.getItem(KEY);
  const all = key === null ? headers : { ...headers, 'X-API-Key': key };
  const response = await fetch(addressOf(path), { ...options, headers: all }).catch((error) => {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, { message: 'The service cannot be reached.', hint: 'Is it still running?' });
  });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  const reason = error ?? { message: `The service answered ${response.status} ${response.statusText}.` };
  throw new Refusal(response.status, reason, Number(response.headers.get('Retry-After')) || undefined);
}

export const getJson = async (path) => (await request(path)).json();
export const getBlob = async (path) => (await request(path)).blob();

const post = (query, image, signal) =>
  request(`predict?${query}`, { method: 'POST', body: image, headers: { 'Content-Type': typeOf(image) }, signal });

/** Type an image is sent as; the service looks at the bytes anyway. */
export const typeOf = ({ type }) => (type.startsWith('image/') ? type : 'application/octet-stream');

/** Objects of an image, milliseconds of the whole round trip and of each stage in the server, and who answered. */
export async function predict(query, image, signal) {
  const start = performance.now();
  const response = await post(query, image, signal);
  const answer = await response.json();
  const total = performance.now() - start;
  const model = decodeURI(response.headers.get('X-Model-Version') ?? '').replace(/@([^@]*)$/, ' $1');
  return { answer, model, times: { total, stages: stagesOf(response.headers.get('Server-Timing') ?? '') } };
}

/** The image with its objects drawn into it, PNG. */
export async function drawn(query, image) {
  return (await post(`${query}&format=png`, image)).blob();
}

/** Names and milliseconds in a Server-Timing header; entries without a duration say something else. */
function stagesOf(header) {
  return [...header.matchAll(/(?:^|,)\s*([^\s;,]+)[^,]*?;\s*dur=([\d.]+)/g)]
    .map(([, name, ms]) => ({ name, ms: Number(ms) }))
    .filter(({ name }) => name !== 'total');
}
