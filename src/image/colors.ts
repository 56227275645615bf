/** Degrees between neighbouring hues: with the golden angle, the first few are always far apart. */
const HUE_STEP = 137.508;

/** Luminance at which black and white have the same contrast: √(1.05 · 0.05) − 0.05. */
const EVEN_CONTRAST = Math.sqrt(1.05 * 0.05) - 0.05;

/**
 * Color of a class as `#rrggbb`: bright, saturated, different for neighboring indices. The service's page has the same
 * in web/colors.js.
 *
 * @example
 * classColor(0); // '#ec1313'
 */
export function classColor(index: number): string {
  const hue = (index * HUE_STEP) % 360;
  const saturation = 0.85;
  const lightness = index % 2 === 0 ? 0.5 : 0.6;
  const reach = saturation * Math.min(lightness, 1 - lightness);
  // HSL to RGB in closed form, https://www.w3.org/TR/css-color-4/#hsl-to-rgb
  const channel = (shift: number): string => {
    const k = (shift + hue / 30) % 12;
    const value = lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}

/** Black or white, whichever has more contrast to `color`, `#rrggbb` (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio). */
export function inkOn(color: string): '#000000' | '#ffffff' {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > EVEN_CONTRAST ? '#000000' : '#ffffff';
}
