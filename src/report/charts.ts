import {
  BarChart,
  type BarSeriesOption,
  HeatmapChart,
  type HeatmapSeriesOption,
  LineChart,
  type LineSeriesOption,
} from 'echarts/charts';
import {
  GridComponent,
  type GridComponentOption,
  LegendComponent,
  type LegendComponentOption,
  TitleComponent,
  type TitleComponentOption,
  VisualMapComponent,
  type VisualMapComponentOption,
} from 'echarts/components';
import { type ComposeOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([
  BarChart,
  HeatmapChart,
  LineChart,
  GridComponent,
  LegendComponent,
  TitleComponent,
  VisualMapComponent,
  SVGRenderer,
]);

type Option = ComposeOption<
  | BarSeriesOption
  | HeatmapSeriesOption
  | LineSeriesOption
  | GridComponentOption
  | LegendComponentOption
  | TitleComponentOption
  | VisualMapComponentOption
>;

export interface ChartOptions {
  title?: string;
  /** Names of the axes. */
  x?: string;
  y?: string;
  /** Ends of the value axis; by default they follow the data. */
  min?: number;
  max?: number;
  /** Ends of a line chart's x axis. */
  xMin?: number;
  xMax?: number;
  /** Pixels. */
  width?: number;
  height?: number;
}

export interface BarSeries {
  name: string;
  /** One value per label; null draws no bar. */
  values: readonly (number | null)[];
}

export interface LineSeries {
  name: string;
  /** A point without a value breaks the line. */
  points: readonly (readonly [x: number, y: number | null])[];
}

/**
 * Okabe and Ito's colours, distinguishable by colour-blind people, in mid tones that are legible on white and black.
 */
const COLORS = ['#0072b2', '#e69f00', '#009e73', '#d55e00', '#cc79a7', '#56b4e9', '#8c6bb1', '#a6761d'];

/** The page's text colour, so that one SVG fits the light and the dark scheme. */
const INK = 'currentColor';
const FAINT = 'rgba(128,128,128,0.35)';

/** 1,300 is `1.3K`. */
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 2 });

/** More labels than this are drawn as horizontal bars, which stay readable. */
const MOST_COLUMNS = 16;

/** Series beyond the eighth reuse the colours with the next line type. */
const LINE_TYPES = ['solid', 'dashed', 'dotted'] as const;

/** Most series that a legend can distinguish. */
const MOST_LEGENDS = COLORS.length * LINE_TYPES.length;

/** Bars of one or more series side by side, vertical, or horizontal if there are many labels; returns SVG. */
export function barChart(labels: readonly string[], series: readonly BarSeries[], options: ChartOptions = {}): string {
  const lying = labels.length > MOST_COLUMNS;
  const height = options.height ?? (lying ? 90 + labels.length * Math.max(16, series.length * 10) : undefined);
  const label = { color: INK, interval: 0, hideOverlap: true, overflow: 'truncate' as const };
  const category = {
    ...axis(lying ? options.y : options.x),
    type: 'category' as const,
    data: labels.map(nameable),
    inverse: lying,
    axisLabel: { ...label, width: lying ? 140 : (sizeOf(options).width - 80) / Math.max(1, labels.length) },
    splitLine: { show: false },
  };
  const value = valueAxis(options, lying ? options.x : options.y);
  return render(
    {
      ...frame(options, series),
      xAxis: lying ? value : category,
      yAxis: lying ? category : value,
      series: series.map(({ name, values }) => ({
        type: 'bar',
        name: nameable(name),
        data: [...values],
        barMaxWidth: 48,
        silent: true,
      })),
    },
    { ...options, height },
  );
}

/** Histogram of `values` in `bins` steps of equal width (equal ratio with `logBins`); returns SVG. */
export function histogram(
  values: readonly number[],
  options: ChartOptions & { bins?: number; logBins?: boolean } = {},
): string {
  const { bins = 12, logBins = false } = options;
  const [to, from] = logBins ? [Math.log, Math.exp] : [(x: number) => x, (x: number) => x];
  const usable = values.filter((value) => Number.isFinite(to(value))).map(to);
  const low = usable.reduce((a, b) => Math.min(a, b), usable[0] ?? 0);
  const high = usable.reduce((a, b) => Math.max(a, b), usable[0] ?? 0);
  const step = (high - low) / bins || 1;
  const counts = new Array<number>(bins).fill(0);
  for (const value of usable) counts[Math.min(bins - 1, Math.floor((value - low) / step))]++;
  const labels = counts.map((_, i) => SHORT.format(from(low + (i + 0.5) * step)));
  return barChart(labels, [{ name: options.y ?? 'count', values: counts }], { y: 'count', ...options });
}

/** Curves over a numeric x axis; returns SVG. */
export function lineChart(series: readonly LineSeries[], options: ChartOptions = {}): string {
  return render(
    {
      ...frame(options, series),
      xAxis: { ...axis(options.x), type: 'value', min: options.xMin ?? 'dataMin', max: options.xMax ?? 'dataMax' },
      yAxis: valueAxis(options, options.y),
      series: series.map(({ name, points }, index) => ({
        type: 'line',
        name: nameable(name),
        data: points.map(([x, y]) => [x, y]),
        symbol: points.length === 1 ? 'circle' : 'none',
        sampling: 'lttb',
        lineStyle: { width: 1.8, type: LINE_TYPES[Math.floor(index / COLORS.length) % LINE_TYPES.length] },
        silent: true,
      })),
    },
    { ...options, height: sizeOf(options).height + legendHeight(options, series) },
  );
}

/**
 * Table of fractions 0–1, darker for larger ones, with `texts[row][column]` in the cells; cells with 0 stay empty. The
 * first row is at the top. Returns SVG.
 */
export function heatmap(
  rows: readonly string[],
  columns: readonly string[],
  shares: readonly (readonly number[])[],
  texts: readonly (readonly string[])[],
  options: ChartOptions = {},
): string {
  const size = (count: number) => 190 + count * Math.max(12, Math.min(52, 640 / count));
  const roomy = Math.max(rows.length, columns.length) <= 24;
  const labels = (data: readonly string[], rotate: number) => ({
    type: 'category' as const,
    data: data.map(nameable),
    axisLabel: {
      color: INK,
      interval: 0,
      rotate,
      width: 110,
      overflow: 'truncate' as const,
      fontSize: roomy ? 12 : 10,
    },
    splitLine: { show: true, interval: 0, lineStyle: { color: FAINT, width: 0.5 } },
  });
  // Empty cells are not drawn, because most of a large confusion matrix is empty.
  const filled = rows.flatMap((_, row) =>
    columns.flatMap((_, column) => (shares[row][column] > 0 ? [{ row, column }] : [])),
  );
  const cells = filled.map(({ row, column }) => ({
    value: [column, row, shares[row][column]],
    label: {
      show: roomy,
      formatter: () => nameable(texts[row][column]),
      color: shares[row][column] > 0.5 ? '#fff' : INK,
    },
  }));
  return render(
    {
      ...frame(options, []),
      xAxis: { ...axis(options.x), ...labels(columns, 45) },
      yAxis: { ...axis(options.y), ...labels(rows, 0), inverse: true },
      visualMap: { show: false, min: 0, max: 1, inRange: { color: ['rgba(0,114,178,0)', 'rgba(0,114,178,1)'] } },
      series: [{ type: 'heatmap', data: cells, silent: true }],
    },
    { ...options, width: options.width ?? size(columns.length), height: options.height ?? size(rows.length) },
  );
}

/** Title, legend and colours. */
function frame(options: ChartOptions, series: readonly { name: string }[]): Option {
  const legend = legendHeight(options, series);
  const top = options.title ? 34 : 12;
  return {
    animation: false,
    color: COLORS,
    textStyle: { color: INK, fontFamily: 'system-ui, sans-serif' },
    title: { text: options.title, left: 'center', top: 4, textStyle: { color: INK, fontSize: 14, fontWeight: 600 } },
    legend: { show: legend > 0, top, textStyle: { color: INK }, itemGap: 16, itemWidth: 28 },
    grid: {
      left: 10,
      right: 28,
      top: top + legend + 12,
      bottom: 10,
      outerBoundsMode: 'same',
      outerBoundsContain: 'all',
    },
  };
}

/**
 * Height of the legend in pixels; 0 if there is none. The width of names is estimated, because no font is available.
 */
function legendHeight(options: ChartOptions, series: readonly { name: string }[]): number {
  if (series.length < 2 || series.length > MOST_LEGENDS) return 0;
  const length = series.reduce((sum, { name }) => sum + 52 + name.length * 7, 0);
  return 22 * Math.ceil(length / (sizeOf(options).width - 40));
}

function axis(name: string | undefined) {
  return {
    name,
    nameLocation: 'middle' as const,
    nameTextStyle: { color: INK },
    nameGap: 14,
    axisLabel: { color: INK },
    axisLine: { lineStyle: { color: FAINT } },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: FAINT } },
  };
}

function valueAxis({ min, max }: ChartOptions, name: string | undefined) {
  return { ...axis(name), type: 'value' as const, min, max };
}

function sizeOf({ width = 540, height = 320 }: ChartOptions): { width: number; height: number } {
  return { width, height };
}

/**
 * Makes a name safe as a key of a plain object in the chart library, where a class called `__proto__` would set the
 * prototype. A zero-width space makes it a different name that looks the same.
 */
const nameable = (name: string): string => (name in Object.prototype ? `\u200b${name}` : name);

function render(option: Option, options: ChartOptions): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...sizeOf(options) });
  try {
    chart.setOption(option);
    return chart.renderToSVGString();
  } finally {
    // An undisposed chart keeps an animation timer, which keeps Node alive.
    chart.dispose();
  }
}
