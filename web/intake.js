const stage = document.getElementById('stage');
const file = document.getElementById('file');

/** Calls `take(file)` for an image that is chosen, dropped anywhere on the page, or pasted. */
export function connectIntake(take) {
  document.getElementById('choose').addEventListener('click', () => file.click());
  file.addEventListener('change', () => {
    const [image] = file.files;
    if (image) take(image);
    // So that choosing the same file again is a change as well.
    file.value = '';
  });
  document.addEventListener('paste', ({ clipboardData }) => {
    const [image] = clipboardData.files;
    if (image) take(image);
  });
  document.addEventListener('dragover', (event) => {
    if (!event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    stage.classList.add('over');
  });
  document.addEventListener('dragleave', ({ relatedTarget }) => {
    // Children report as well; only leaving the window has no element that is entered.
    if (relatedTarget === null) stage.classList.remove('over');
  });
  document.addEventListener('drop', (event) => {
    stage.classList.remove('over');
    const [image] = event.dataTransfer.files;
    if (!image) return;
    event.preventDefault();
    take(image);
  });
}

/** Copies the text of a field to the clipboard. */
export async function copy(field) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(field.value);
  } else {
    // Over plain HTTP from another machine, browsers leave pages only the old way.
    field.select();
    document.execCommand('copy');
  }
}

/** Hands a file to the person as a download. */
export function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download reads it after this task.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
