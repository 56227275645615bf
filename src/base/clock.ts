/** Time and timers. Tests put their own in its place, so that none waits or depends on how fast the machine is. */
export interface Clock {
  /** Milliseconds since some moment in the past. */
  now(): number;
  /** Calls `action` once after `ms`. Returns a function that cancels it. */
  after(ms: number, action: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};
