import type { Context } from 'hono';

/** Milliseconds by stage, in the order in which an image went through them. */
export type Stages = Record<string, number>;

/** What one image of a request took. */
export interface Timed {
  stages: Stages;
  /** When the last stage was over, `performance.now()`. */
  end: number;
}

declare module 'hono' {
  interface ContextVariableMap {
    timed?: Timed[];
  }
}

/** Tells metrics, log and traces of a request what an image of it took. */
export function reportStages(c: Context, stages: Stages): void {
  c.set('timed', [...(c.var.timed ?? []), { stages, end: performance.now() }]);
}
