/**
 * Parses the durations of a `Server-Timing` header (W3C Server Timing): `decode;dur=3.2, total;dur=11` gives
 * `[['decode', 3.2], ['total', 11]]`, in milliseconds. Metrics without a duration are left out.
 */
export function parseServerTiming(header: string | undefined): [name: string, ms: number][] {
  if (header === undefined) return [];
  // Descriptions are quoted and may contain the separators.
  return header
    .replace(/"(?:[^"\\]|\\.)*"/g, '')
    .split(',')
    .flatMap((metric) => {
      const [name, ...parameters] = metric.split(';').map((part) => part.trim());
      const duration = parameters.map((text) => /^dur\s*=\s*([\d.]+)$/i.exec(text)?.[1]).find(Boolean);
      const ms = Number(duration);
      return name && Number.isFinite(ms) ? [[name, ms] as [string, number]] : [];
    });
}
