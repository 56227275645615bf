/** Degrees between neighbouring hues: the golden angle keeps any first few of them far apart. */
const HUE_STEP = 137.508;

/** Red, green, blue (0–255) of a class, as in annotated images of the service; `index` is its place in the model. */
function classColor(index) {
  const hue = (index * HUE_STEP) % 360;
  const lightness = index % 2 === 0 ? 0.5 : 0.6;
  const reach = 0.85 * Math.min(lightness, 1 - lightness);
  // HSL to RGB in closed form, https://www.w3.org/TR/css-color-4/#hsl-to-rgb
  return [0, 8, 4].map((shift) => {
    const k = (shift + hue / 30) % 12;
    return Math.round((lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1))) * 255);
  });
}

/** Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Color of a class, and black or white, whichever is read better on it: where both contrasts are equal, at √(1.05·0.05) − 0.05. */
export function colorsOf(index) {
  const rgb = classColor(index);
  const ink = luminance(rgb) > Math.sqrt(1.05 * 0.05) - 0.05 ? '#000' : '#fff';
  return { paint: `rgb(${rgb.join(', ')})`, ink };
}
