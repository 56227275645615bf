import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// The one way to it that needs no flag on the command line; it acts on contexts made from now on.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;

/**
 * Frees the images and outputs of the last batch. Megabytes of memory outside V8's heap hang on a few small, young objects,
 * whose weight it feels late: uncollected they make up 60 MB a thread, and each image lands in memory no cache knows.
 * Takes 0.3 ms.
 */
export const collectYoung = (): void => collect({ type: 'minor' });

/** Frees what opening a model left: the bytes of its file, as much again as its weights. Takes some milliseconds. */
export const collectAll = (): void => collect({ type: 'major' });
