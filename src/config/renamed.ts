/** Keys that had other names in earlier versions, old name first. An old name is an error that says the new one. */
const RENAMED_KEYS: Readonly<Record<string, string>> = {
  'data.builtin.pictures': 'data.builtin.images',
  'eval.nms': 'eval.iou',
  'eval.pictures': 'eval.images',
  'pack.nms': 'pack.iou',
  'serve.sessions': 'serve.instances',
};

/** Every old name, for the test that each fails and names its successor. */
export const OLD_KEYS = Object.keys(RENAMED_KEYS);

/** A hint with today's name of a key or flag, `nameOf` as flags and variables write keys; undefined for one never renamed. */
export function renamedHint(old: string, nameOf = (key: string) => key): string | undefined {
  const key = Object.keys(RENAMED_KEYS).find((one) => nameOf(one) === old);
  return key && `It is called ${nameOf(RENAMED_KEYS[key])} now.`;
}
