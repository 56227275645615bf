import { drawBoxes, markBox, placeTags } from './boxes.js';

const stage = document.getElementById('stage');
const frame = document.getElementById('frame');
const boxes = document.getElementById('boxes');

/** Tags have the size of the page's text, so their places depend on how large the image is shown. */
new ResizeObserver(() => placeTags(boxes)).observe(frame);

/** The image that is shown, or will be when it has been decoded. */
let latest;

/** Shows an image, without boxes, when it has been decoded: until then what is shown stays. */
export async function showImage({ blob, name }) {
  const image = new Image();
  latest = image;
  image.src = URL.createObjectURL(blob);
  image.alt = `${name}; the table of objects says what is in it`;
  // One that only the service can read is an empty area with boxes.
  await image.decode().catch(() => {
    image.alt = `This browser cannot show ${name}.`;
  });
  if (image !== latest) {
    URL.revokeObjectURL(image.src);
    return;
  }
  boxes.replaceChildren();
  const [before] = frame.getElementsByTagName('img');
  before?.remove();
  frame.prepend(image);
  if (before) URL.revokeObjectURL(before.src);
  if (image.naturalWidth > 0) setRatio(image.naturalWidth, image.naturalHeight);
  else setRatio(3, 2);
  document.getElementById('invite').hidden = true;
  frame.hidden = false;
}

/** Draws the objects of an answer over the image. */
export function showObjects(answer) {
  setRatio(answer.width, answer.height);
  drawBoxes(boxes, answer);
  placeTags(boxes);
}

export const markObject = (id) => markBox(boxes, id);

export function setBusy(busy) {
  stage.setAttribute('aria-busy', `${busy}`);
}

function setRatio(width, height) {
  frame.style.setProperty('--ratio', `${width / height}`);
}
