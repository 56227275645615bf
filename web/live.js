import { Camera } from './camera.js';

/** Frames the shown rate is an average of. */
const RECENT = 20;

const button = document.getElementById('camera');
const rate = document.getElementById('rate');
const summary = document.getElementById('summary');
let camera;

/**
 * Shows frame after frame with `show(blob)` until `stopLive`, one at a time.
 * @throws Error with a `reason` when there is no camera; whatever `show` throws, unless the service only asks to wait
 */
export async function startLive(show) {
  button.disabled = true;
  try {
    camera = await Camera.open();
  } finally {
    button.disabled = false;
  }
  const mine = camera;
  button.setAttribute('aria-pressed', 'true');
  // Read aloud for every frame, the summary would never end.
  summary.setAttribute('aria-live', 'off');
  const times = [];
  try {
    while (camera === mine) {
      const blob = await mine.frame();
      if (camera !== mine) return;
      await patiently(show, blob);
      times.push(performance.now());
      if (times.length > RECENT) times.shift();
      const seconds = (times.at(-1) - times[0]) / 1000;
      if (camera === mine && seconds > 0) rate.textContent = `${((times.length - 1) / seconds).toFixed(1)} images/s`;
    }
  } finally {
    if (camera === mine) stopLive();
  }
}

/** A service that is too busy for this frame says when to come back. */
async function patiently(show, blob) {
  try {
    await show(blob);
  } catch (error) {
    if (!error.retryAfter) throw error;
    rate.textContent = `busy, again in ${error.retryAfter} s`;
    await new Promise((resolve) => setTimeout(resolve, 1000 * error.retryAfter));
  }
}

export const isLive = () => camera !== undefined;

export function stopLive() {
  camera?.close();
  camera = undefined;
  button.setAttribute('aria-pressed', 'false');
  summary.removeAttribute('aria-live');
  rate.textContent = '';
}
