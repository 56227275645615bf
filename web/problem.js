const area = document.getElementById('problem');

/** Shows why something did not work, to be read aloud at once; nothing when there is no `reason`. */
export function showProblem(reason) {
  if (!reason) {
    area.replaceChildren();
    return;
  }
  const { message, expected, received, hint } = reason;
  const title = document.createElement('strong');
  title.textContent = message;
  const lines = [
    ['Expected', expected],
    ['Received', typeof received === 'object' ? JSON.stringify(received) : received],
    ['', hint],
  ].filter(([, text]) => text !== undefined && text !== null);
  area.replaceChildren(title, ...lines.map(lineOf));
}

function lineOf([name, text]) {
  const line = document.createElement('p');
  line.textContent = name ? `${name}: ${text}` : text;
  return line;
}
