/** Renamed keys, old name → new name. An old name is an error whose hint gives the new one. */
const RENAMED_KEYS: Readonly<Record<string, string>> = {
  'data.builtin.pictures': 'data.builtin.images',
  'eval.nms': 'eval.iou',
  'eval.pictures': 'eval.images',
  'pack.nms': 'pack.iou',
  'serve.sessions': 'serve.instances',
};

/** Every old name, for the test that each fails with a hint. */
export const OLD_KEYS = Object.keys(RENAMED_KEYS);

/** A hint with the new name of a renamed key, written by `nameOf` as a flag or variable; undefined for other keys. */
export function renamedHint(old: string, nameOf = (key: string) => key): string | undefined {
  const key = Object.keys(RENAMED_KEYS).find((one) => nameOf(one) === old);
  return key && `It is called ${nameOf(RENAMED_KEYS[key])} now.`;
}
