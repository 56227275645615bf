const bar = document.getElementById('stages');
const list = document.getElementById('stage-times');
const total = document.getElementById('total');

const milliseconds = (ms) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;

/** Shows the milliseconds of a round trip as a stacked bar and in words; nothing before there is one. */
export function showTimes(times) {
  document.getElementById('no-time').hidden = times !== undefined;
  if (!times) {
    for (const place of [total, bar, list]) place.replaceChildren();
    return;
  }
  const inServer = times.stages.reduce((sum, { ms }) => sum + ms, 0);
  const parts = [...times.stages, { name: 'network', ms: Math.max(0, times.total - inServer) }];
  total.textContent = milliseconds(times.total);
  bar.replaceChildren(...parts.map(segment));
  list.replaceChildren(...parts.map(line));
}

function segment({ ms }, index) {
  const part = document.createElement('span');
  part.className = `stage-${index}`;
  part.style.flexGrow = `${ms}`;
  return part;
}

function line({ name, ms }, index) {
  const pair = document.createElement('div');
  const term = document.createElement('dt');
  const swatch = document.createElement('i');
  swatch.className = `stage-${index}`;
  term.append(swatch, name === 'network' ? 'network and browser' : name);
  const value = document.createElement('dd');
  value.className = 'figure';
  value.textContent = milliseconds(ms);
  pair.append(term, value);
  return pair;
}
