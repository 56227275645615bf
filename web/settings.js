/** Confidence the service is asked for, so that the slider goes down to it without asking again. */
const LOW_CONFIDENCE = 0.05;

/**
 * What is wanted: `conf`, `iou`, `max` as in the query of `POST /predict`, `classes` a sorted array of category ids,
 * empty for all of them.
 */
export function queryOf({ conf, iou, max, classes }) {
  const query = new URLSearchParams({ conf, iou, max });
  // Commas need no escape, and commands are read by people.
  return classes.length === 0 ? `${query}` : `${query}&classes=${classes.join(',')}`;
}

/** What to ask of the service to be able to answer `wanted`, and higher confidences as well. */
export function toAsk(wanted) {
  return { ...wanted, conf: Math.min(wanted.conf, LOW_CONFIDENCE) };
}

/**
 * Whether the answer to `asked` holds that to `wanted`. Only a better object suppresses or crowds out another, so the
 * objects at or above a confidence are the same for any lower one. Other settings change who is suppressed.
 */
export function covers(asked, wanted) {
  return asked.conf <= wanted.conf && queryOf({ ...asked, conf: 0 }) === queryOf({ ...wanted, conf: 0 });
}

/** The part of an answer that is wanted: all of it exactly if the question `covers` it, else the best guess. */
export function narrow(answer, { conf, max, classes }) {
  // The service compares scores as float32.
  const lowest = Math.fround(conf);
  const annotations = answer.annotations
    .filter(({ score, category_id }) => score >= lowest && (classes.length === 0 || classes.includes(category_id)))
    .slice(0, max)
    .map((annotation, index) => ({ ...annotation, id: index + 1 }));
  return { ...answer, annotations };
}
