/** Time and timers. Tests inject their own, so that they neither wait nor depend on the speed of the machine. */
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
