import { roundHalfEven } from '../base/math.js';
import type { Architecture } from '../config/network.js';

export interface ConvShape {
  in: number;
  out: number;
  kernel: number;
  /** Padding is (kernel − 1) / 2 on every side. Default 1. */
  stride?: number;
  /** 1, or `in` for a depthwise convolution. Default 1. */
  groups?: number;
}

/**
 * The layers of YOLOX. Several implementations of this interface interpret the one network definition (`yolox`): the
 * tfjs forward pass, the ONNX exporter, and the parameter list. `name` is the Megvii key prefix of the weights.
 */
export interface Layers<T> {
  /** Space to depth: [N,H,W,C] → [N,H/2,W/2,4C], patches top-left, bottom-left, top-right, bottom-right. */
  focus(x: T): T;
  /** Convolution `name.conv.weight` without bias, batch norm `name.bn.*`, SiLU. */
  convBnSilu(x: T, name: string, shape: ConvShape): T;
  /** Convolution `name.weight` with bias `name.bias`. */
  conv(x: T, name: string, shape: ConvShape): T;
  /** Concatenates along channels. */
  concat(xs: readonly T[]): T;
  add(a: T, b: T): T;
  /** Concatenates x with its maxima over the windows of SPP_KERNELS, stride 1, same size: [N,H,W,C] → [N,H,W,4C]. */
  spp(x: T): T;
  /** Upsamples `coarse` by two (nearest neighbour) and concatenates it with `fine`. */
  upsampleConcat(coarse: T, fine: T): T;
}

/** Raw outputs of one level: boxes (4), objectness logit (1), class logits. */
export interface LevelOutput<T> {
  reg: T;
  obj: T;
  cls: T;
}

/** YOLOX (Ge et al. 2021; Megvii yolox/models): CSPDarknet, PAFPN, decoupled head; outputs for strides 8, 16, 32. */
export function yolox<T>(layers: Layers<T>, x: T, architecture: Architecture): LevelOutput<T>[] {
  const blocks = new Blocks(layers, architecture);
  const pyramid = pafpn(blocks, darknet(blocks, x));
  return pyramid.map(({ x: feature, channels }, level) => head(blocks, feature, channels, level));
}

interface Feature<T> {
  x: T;
  channels: number;
}

/** The building blocks of yolox/models/network_blocks.py. */
class Blocks<T> {
  constructor(
    readonly layers: Layers<T>,
    readonly architecture: Architecture,
  ) {}

  /** Channels of the width-1 network scaled by `width`. */
  channels(full: number): number {
    return Math.trunc(full * this.architecture.width);
  }

  /** k×k convolution, depthwise separable if the architecture says so. */
  conv(x: T, name: string, shape: ConvShape): T {
    if (!this.architecture.depthwise) return this.layers.convBnSilu(x, name, shape);
    const { in: channels, out } = shape;
    const depth = this.layers.convBnSilu(x, `${name}.dconv`, { ...shape, out: channels, groups: channels });
    return this.layers.convBnSilu(depth, `${name}.pconv`, { in: channels, out, kernel: 1 });
  }

  /** CSP layer: half of the channels pass through `n` bottlenecks, half bypass them; a 1×1 convolution joins both. */
  csp(x: T, name: string, shape: { in: number; out: number; n: number; shortcut: boolean }): T {
    const { layers } = this;
    const hidden = shape.out / 2;
    const narrow = { in: shape.in, out: hidden, kernel: 1 };
    let main = layers.convBnSilu(x, `${name}.conv1`, narrow);
    const short = layers.convBnSilu(x, `${name}.conv2`, narrow);
    for (let i = 0; i < shape.n; i++) {
      const inner = layers.convBnSilu(main, `${name}.m.${i}.conv1`, { in: hidden, out: hidden, kernel: 1 });
      const outer = this.conv(inner, `${name}.m.${i}.conv2`, { in: hidden, out: hidden, kernel: 3 });
      main = shape.shortcut ? layers.add(outer, main) : outer;
    }
    return layers.convBnSilu(layers.concat([main, short]), `${name}.conv3`, {
      in: 2 * hidden,
      out: shape.out,
      kernel: 1,
    });
  }

  /** Spatial pyramid pooling between two 1×1 convolutions. */
  spp(x: T, name: string, channels: number): T {
    const { layers } = this;
    const hidden = channels / 2;
    const narrow = layers.convBnSilu(x, `${name}.conv1`, { in: channels, out: hidden, kernel: 1 });
    return layers.convBnSilu(layers.spp(narrow), `${name}.conv2`, { in: hidden * 4, out: channels, kernel: 1 });
  }
}

/** CSPDarknet (yolox/models/darknet.py): features at strides 8, 16, 32. */
function darknet<T>(blocks: Blocks<T>, input: T): Feature<T>[] {
  const prefix = 'backbone.backbone';
  const base = blocks.channels(64);
  const depth = Math.max(roundHalfEven(blocks.architecture.depth * 3), 1);
  let x = blocks.layers.convBnSilu(blocks.layers.focus(input), `${prefix}.stem.conv`, { in: 12, out: base, kernel: 3 });
  const features: Feature<T>[] = [];
  for (const [k, n] of [
    [2, depth],
    [3, depth * 3],
    [4, depth * 3],
    [5, depth],
  ]) {
    const name = `${prefix}.dark${k}`;
    const channels = base * 2 ** (k - 1);
    const last = k === 5;
    x = blocks.conv(x, `${name}.0`, { in: channels / 2, out: channels, kernel: 3, stride: 2 });
    if (last) x = blocks.spp(x, `${name}.1`, channels);
    x = blocks.csp(x, `${name}.${last ? 2 : 1}`, { in: channels, out: channels, n, shortcut: !last });
    if (k >= 3) features.push({ x, channels });
  }
  return features;
}

/** PAFPN (yolox/models/yolo_pafpn.py): top-down, then bottom-up. */
function pafpn<T>(blocks: Blocks<T>, [p3, p4, p5]: Feature<T>[]): Feature<T>[] {
  const { layers } = blocks;
  const n = roundHalfEven(3 * blocks.architecture.depth);
  const narrow = (x: T, name: string, from: Feature<T>, to: Feature<T>) =>
    layers.convBnSilu(x, `backbone.${name}`, { in: from.channels, out: to.channels, kernel: 1 });
  const down = (x: T, name: string, { channels }: Feature<T>) =>
    blocks.conv(x, `backbone.${name}`, { in: channels, out: channels, kernel: 3, stride: 2 });
  const csp = (x: T, name: string, inner: Feature<T>, out: Feature<T>) =>
    blocks.csp(x, `backbone.${name}`, {
      in: 2 * inner.channels,
      out: out.channels,
      n,
      shortcut: false,
    });

  const lateral5 = narrow(p5.x, 'lateral_conv0', p5, p4);
  const top4 = csp(layers.upsampleConcat(lateral5, p4.x), 'C3_p4', p4, p4);
  const lateral4 = narrow(top4, 'reduce_conv1', p4, p3);
  const out3 = csp(layers.upsampleConcat(lateral4, p3.x), 'C3_p3', p3, p3);
  const out4 = csp(layers.concat([down(out3, 'bu_conv2', p3), lateral4]), 'C3_n3', p3, p4);
  const out5 = csp(layers.concat([down(out4, 'bu_conv1', p4), lateral5]), 'C3_n4', p4, p5);
  return [
    { x: out3, channels: p3.channels },
    { x: out4, channels: p4.channels },
    { x: out5, channels: p5.channels },
  ];
}

/** Decoupled head of one level (yolox/models/yolo_head.py). */
function head<T>(blocks: Blocks<T>, x: T, channels: number, level: number): LevelOutput<T> {
  const { layers, architecture } = blocks;
  const hidden = blocks.channels(256);
  const stem = layers.convBnSilu(x, `head.stems.${level}`, { in: channels, out: hidden, kernel: 1 });
  const branch = (name: string) =>
    [0, 1].reduce((y, i) => blocks.conv(y, `head.${name}.${level}.${i}`, { in: hidden, out: hidden, kernel: 3 }), stem);
  const predict = (y: T, name: string, out: number) =>
    layers.conv(y, `head.${name}.${level}`, { in: hidden, out, kernel: 1 });
  const cls = predict(branch('cls_convs'), 'cls_preds', architecture.classes);
  const reg = branch('reg_convs');
  return { cls, reg: predict(reg, 'reg_preds', 4), obj: predict(reg, 'obj_preds', 1) };
}
