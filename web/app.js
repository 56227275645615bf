import { connectControls } from './controls.js';
import { curlOf } from './curl.js';
import { connectIntake, copy, save } from './intake.js';
import { isLive, startLive, stopLive } from './live.js';
import { showTable, summaryOf } from './objects.js';
import { showProblem } from './problem.js';
import { drawn, getBlob, getJson, predict, useKey } from './service.js';
import { covers, narrow, queryOf, toAsk } from './settings.js';
import { markObject, setBusy, showImage, showObjects } from './stage.js';
import { showTimes } from './times.js';

/** Milliseconds the settings must rest before the service is asked. */
const REST_MS = 150;

const element = (id) => document.getElementById(id);

/** What is wanted; the image `{ blob, name, sample }`; the last answer, what was asked for it, how long it took. */
const state = { wanted: undefined, image: undefined, answer: undefined, asked: undefined, times: undefined };
/** The question that is open, and the wait before one: at most one of them. */
let question;
let resting;

/** Does what a person began, and says so when it fails, and why. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error.name === 'AbortError') return;
    if (error.status === 401) element('key-form').hidden = false;
    showProblem(error.reason ?? { message: 'This page failed.', received: `${error}` });
  }
}

function dropQuestion() {
  clearTimeout(resting);
  question?.abort();
  question = undefined;
  setBusy(false);
}

/** Asks the service about an image, in place of a question that is still open. */
async function ask(image) {
  dropQuestion();
  const mine = new AbortController();
  const { signal } = mine;
  question = mine;
  setBusy(true);
  try {
    const asked = toAsk(state.wanted);
    const { answer, times, model } = await predict(queryOf(asked), image.blob, signal);
    signal.throwIfAborted();
    // A frame of the camera is shown together with its boxes.
    if (image !== state.image) await showImage(image);
    signal.throwIfAborted();
    Object.assign(state, { image, answer, asked, times });
    showProblem();
    showModel(model);
    render();
  } finally {
    if (question === mine) dropQuestion();
  }
}

/** Shows an image at once, and its objects when the service has found them. */
async function take(image) {
  stopLive();
  dropQuestion();
  Object.assign(state, { image, answer: undefined, asked: undefined, times: undefined });
  showProblem();
  await showImage(image);
  if (image !== state.image) return;
  render();
  await ask(image);
}

/** Shows the answer as it is wanted now, and asks again unless that is sure to be what the service would say. */
function settingsChanged(wanted) {
  state.wanted = wanted;
  render();
  // The next frame of the camera will be asked about as it is wanted then.
  if (!state.image || isLive()) return;
  dropQuestion();
  if (state.answer && covers(state.asked, wanted)) return;
  setBusy(true);
  resting = setTimeout(() => attempt(() => ask(state.image)), REST_MS);
}

function render() {
  const { image, answer, wanted, times } = state;
  showTimes(times);
  for (const id of ['annotated', 'save-json']) element(id).disabled = !answer;
  for (const id of ['copy', 'save-image']) element(id).disabled = !image;
  if (!image) return;
  element('curl').value = curlOf(image, queryOf(wanted));
  const shown = answer && narrow(answer, wanted);
  element('json').value = shown ? pretty(shown) : '';
  element('count').textContent = shown ? shown.annotations.length : '';
  element('summary').textContent = shown ? summaryOf(shown) : '';
  showTable(shown ?? { annotations: [], categories: [] }, markObject);
  if (shown) showObjects(shown);
}

/** JSON for people, a box on one line. */
const pretty = (value) =>
  JSON.stringify(value, null, 2).replace(
    /\[\n\s+([-\d.e,\s]+?)\n\s+\]/g,
    (_, list) => `[${list.replace(/\s+/g, ' ')}]`,
  );

function showModel(name) {
  element('model').textContent = name;
}

/** Connects what needs to know the model, and says which it is. */
async function meetModel() {
  const { name, version, categories, thresholds } = await getJson('service_version');
  showModel(`${name} ${version}`);
  const { confidence: conf, iou, maxDetections: max } = thresholds;
  connectControls({ conf, iou, max, classes: [] }, categories, settingsChanged);
  for (const id of ['choose', 'sample', 'camera']) element(id).disabled = false;
  connectIntake((file) => attempt(() => take({ blob: file, name: file.name })));
}

function on(id, event, work) {
  element(id).addEventListener(event, (happened) => attempt(() => work(happened)));
}

const stem = () => state.image.name.replace(/\.\w+$/, '');

on('sample', 'click', async () => take({ blob: await getBlob('test_data'), name: 'sample.jpg', sample: true }));
on('camera', 'click', async () => {
  if (!isLive()) return startLive((blob) => ask({ blob, name: 'camera.jpg' }));
  stopLive();
  settingsChanged(state.wanted);
});
on('annotated', 'click', async () => {
  const { image, wanted } = state;
  save(await drawn(queryOf(wanted), image.blob), `${stem()}_boxes.png`);
});
on('save-image', 'click', () => save(state.image.blob, state.image.name));
on('save-json', 'click', () => save(new Blob([element('json').value]), `${stem()}.json`));
on('copy', 'click', async ({ target }) => {
  await copy(element('curl'));
  target.textContent = 'Copied';
  setTimeout(() => {
    target.textContent = 'Copy';
  }, 2000);
});
on('key-form', 'submit', async (event) => {
  event.preventDefault();
  useKey(element('key').value);
  if (!state.wanted) await meetModel();
  else if (state.image) await ask(state.image);
  showProblem();
  element('key-form').hidden = true;
  element('choose').focus();
});
attempt(meetModel);
