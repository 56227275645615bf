import { colorsOf } from './colors.js';

/** From this many classes on, a field finds those whose name contains a word. */
const MANY_CLASSES = 12;

const element = (id) => document.getElementById(id);
const form = element('settings');
const DIGITS = { conf: 2, iou: 2, max: 0 };

/**
 * Connects sliders and classes: calls `changed(settings)` whenever they change, and once at the start. `suggested` is
 * what the model's makers chose; categories are in the order of the model's classes.
 */
export function connectControls(suggested, categories, changed) {
  let settings = suggested;
  // No more than the slider would reach: a bundle may allow more objects.
  const slider = element('max');
  slider.max = Math.max(slider.max, suggested.max);

  const update = (change) => {
    settings = { ...settings, ...change };
    showValues(settings);
    changed(settings);
  };
  for (const name of Object.keys(DIGITS)) {
    element(name).addEventListener('input', ({ target }) => update({ [name]: Number(target.value) }));
  }
  const choices = categories.map(choiceOf);
  element('class-list').replaceChildren(...choices);
  element('class-list').addEventListener('change', () => {
    const chosen = [...form.querySelectorAll('#class-list input:checked')];
    update({ classes: chosen.map(({ value }) => Number(value)) });
  });
  const search = element('class-search');
  search.hidden = categories.length < MANY_CLASSES;
  search.addEventListener('input', () => {
    const word = search.value.trim().toLowerCase();
    choices.forEach((choice, index) => {
      choice.hidden = !categories[index].name.toLowerCase().includes(word);
    });
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', (event) => {
    event.preventDefault();
    for (const input of form.querySelectorAll('#class-list input')) input.checked = false;
    update(suggested);
  });
  update(suggested);
}

function showValues(settings) {
  for (const [name, digits] of Object.entries(DIGITS)) {
    element(name).value = settings[name];
    element(`${name}-value`).textContent = settings[name].toFixed(digits);
  }
  const { length } = settings.classes;
  element('classes-chosen').textContent = length === 0 ? 'all' : `${length} chosen`;
}

function choiceOf({ id, name }, index) {
  const label = document.createElement('label');
  const input = document.createElement('input');
  input.type = 'checkbox';
  input.value = id;
  const swatch = document.createElement('i');
  swatch.style.background = colorsOf(index).paint;
  label.append(input, swatch, name);
  return label;
}
