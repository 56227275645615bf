import { z } from 'zod';
import { preprocessSchema } from './preprocess.js';

/** A fraction, probability, score or IoU, from 0 to 1. */
export const unit = z.number().min(0).max(1);

/** Non-empty text: a path, URL or name. */
export const text = z
  .string()
  .min(1, 'text that is not empty')
  // The shell expands "~" only at the start of a word; anywhere else we would create a folder named "~".
  .refine((value) => !value.startsWith('~/'), {
    error: 'a path without "~"',
    params: { hint: 'Write the whole path of the home folder.' },
  });

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]*$/, 'a name of small letters, digits, "." "_" "-" that begins with a letter or digit');
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');

const dataKeys = z.strictObject({
  /** `builtin` generates images; `coco` reads `images` and `annotations`. By default, `coco` if either is set. */
  source: z.enum(['builtin', 'coco']).optional(),
  /** Folder, zip or URL of a zip that contains the images. */
  images: text.nullable().default(null),
  /** COCO instances JSON, or a zip or URL that contains it. */
  annotations: text.nullable().default(null),
  /** Expected SHA-256 of the downloads; null skips the check and records the hash received. */
  imagesSha256: hash.nullable().default(null),
  annotationsSha256: hash.nullable().default(null),
  /** Most pixels of an image; larger ones, such as decompression bombs, are left out. */
  maxPixels: z.int().positive().default(100_000_000),
  /** Milliseconds allowed for decoding one image. */
  decodeTimeout: z.int().min(100).max(600_000).default(30_000),
  /** Fail instead of leaving out, repairing or guessing anything. */
  strict: z.boolean().default(false),
  builtin: z
    .strictObject({
      images: z.int().min(10).default(400),
      /** Longer side of the generated images, pixels. */
      side: z.int().min(64).max(1024).default(256),
      seed: z.int().default(7),
    })
    .prefault({}),
});

/** Source of images and annotations. */
const data = dataKeys.transform((values, context) => {
  const given = (['images', 'annotations'] as const).find((key) => values[key] !== null);
  if (given !== undefined && values.source === 'builtin') {
    context.addIssue({
      code: 'custom',
      path: [given],
      message: 'none with data.source builtin',
      params: { hint: 'Leave out one of the two: without data.source, images and annotations are read.' },
    });
  }
  return { ...values, source: values.source ?? (given === undefined ? 'builtin' : 'coco') };
});

/** Cleaning, category selection and splits. */
const prep = z.strictObject({
  /** Categories to keep, by name, in the order of their new ids 1…n; null keeps all in source order. */
  categories: z.array(text).min(1).nullable().default(null),
  /** Fraction of the images in each split; the three must add up to 1. */
  split: z
    .strictObject({ train: unit.default(0.6), val: unit.default(0.15), test: unit.default(0.25) })
    .prefault({})
    .refine((s) => Math.abs(s.train + s.val + s.test - 1) < 1e-6, 'shares that add up to 1'),
  /** Keep images without objects as background. */
  keepEmpty: z.boolean().default(true),
  /**
   * What to do with crowd regions (iscrowd 1): `ignore` them as COCO does, or `keep` them as ordinary objects, for tools
   * that mark every mask as a crowd.
   */
  crowd: z.enum(['ignore', 'keep']).default('ignore'),
  /**
   * Images whose 64-bit difference hashes differ in at most this many bits count as copies and go into the same split.
   * null counts only byte-identical files as copies; use it for a fixed camera or a shared background.
   */
  nearDuplicates: z.int().min(0).max(7).nullable().default(7),
  seed: z.int().default(42),
});

/** YOLOX by depth and width multiples (Megvii exps/default). */
const model = z.strictObject({
  depth: z.number().positive().max(4).default(0.33),
  width: z.number().positive().max(4).default(0.5),
  /** Depthwise-separable 3×3 convolutions (nano). */
  depthwise: z.boolean().default(false),
  preprocess: preprocessSchema.prefault({}),
});

/** Augmentation of the training images (Megvii exps/yolox_base.py). */
const augment = z.strictObject({
  /** Probability of a four-image mosaic. */
  mosaic: unit.default(1),
  /** Probability of blending a second image into a mosaic. */
  mixup: unit.default(1),
  mixupScale: z.tuple([z.number().positive(), z.number().positive()]).default([0.5, 1.5]),
  /** Random affine of the mosaic: ± degrees, scale range, ± shear in degrees, ± translation as a fraction of the input. */
  degrees: z.number().min(0).max(180).default(10),
  scale: z.tuple([z.number().positive(), z.number().positive()]).default([0.1, 2]),
  shear: z.number().min(0).max(45).default(2),
  translate: unit.default(0.1),
  /** Largest shift of hue (of 180), saturation and value (of 255), each applied with probability one half. */
  hsv: z.tuple([z.number().min(0), z.number().min(0), z.number().min(0)]).default([5, 30, 30]),
  flip: unit.default(0.5),
});

const optimizer = z.strictObject({
  name: z.enum(['sgd', 'adam']).default('sgd'),
  /** Learning rate for a batch of 64; the actual rate is lr·batch/64. */
  lr: z.number().positive().default(0.01),
  momentum: unit.default(0.9),
  nesterov: z.boolean().default(true),
  /** Decay rates of Adam's two moments. */
  betas: z.tuple([unit, unit]).default([0.9, 0.999]),
  /** Applies to convolution weights only. */
  weightDecay: z.number().min(0).default(5e-4),
  /** Clip the gradient to this global norm; null does not clip. */
  clipNorm: z.number().positive().nullable().default(null),
});

const schedule = z.strictObject({
  /** `yoloxwarmcos`: quadratic warm-up, cosine, flat end; `warmcos`: linear warm-up, cosine; `cos`: cosine. */
  name: z.enum(['yoloxwarmcos', 'warmcos', 'cos']).default('yoloxwarmcos'),
  warmupEpochs: z.number().min(0).default(5),
  warmupLr: z.number().min(0).default(0),
  /** Final epochs without mosaic and mixup, with the L1 loss and the lowest rate. */
  noAugEpochs: z.int().min(0).default(15),
  minLrRatio: unit.default(0.05),
});

const train = z.strictObject({
  /** Initial weights: safetensors, `.pth` (Megvii, mmdetection) or `.onnx`; null trains from scratch. */
  weights: text.nullable().default(null),
  /** `backbone` freezes CSPDarknet and its batch-norm statistics. */
  freeze: z.enum(['none', 'backbone']).default('none'),
  /** `fixed` normalises with the stored statistics; `auto` does this only for weights with folded batch norm. */
  batchNorm: z.enum(['auto', 'train', 'fixed']).default('auto'),
  epochs: z.int().positive().default(300),
  batch: z.int().positive().default(8),
  /** Draw a new input size every `multiscaleEvery` iterations, within ± this many steps of 32 pixels; 0 turns it off. */
  multiscale: z.int().min(0).default(5),
  multiscaleEvery: z.int().positive().default(10),
  optimizer: optimizer.prefault({}),
  schedule: schedule.prefault({}),
  augment: augment.prefault({}),
  /** Exponential moving average of the weights: decay·(1 − e^(−step/ramp)). */
  ema: z
    .strictObject({
      enabled: z.boolean().default(true),
      decay: unit.default(0.9998),
      ramp: z.number().positive().default(2000),
    })
    .prefault({}),
  /** SimOTA: `main` is Megvii main; `v0.3` is Megvii 0.3 and mmdetection. */
  assigner: z.enum(['main', 'v0.3']).default('main'),
  /** Validate every so many epochs, and always after the last one. */
  validateEvery: z.int().positive().default(10),
  /** Stop training after this many validations without a better AP; null trains to the end. */
  patience: z.int().positive().nullable().default(null),
  /** Most boxes per training image. */
  maxBoxes: z.int().positive().default(120),
  /** Threads TensorFlow uses for one operation; 0 uses every core. Small networks run faster with few. */
  threads: z.int().min(0).default(0),
  /** Worker threads that decode and augment, and megabytes of decoded images each of them caches. */
  workers: z.int().min(1).max(32).default(2),
  cacheMb: z.int().min(0).default(1024),
  seed: z.int().default(42),
});

/** Name, thresholds and licence recorded in the bundle. */
const pack = z.strictObject({
  name: name.default('yolox'),
  version: text.default('1'),
  /** Checkpoint to package. */
  checkpoint: z.enum(['best', 'last']).default('best'),
  /** Lowest score of a detection. */
  confidence: unit.default(0.25),
  /** IoU above which the lower-scoring of two boxes is suppressed. */
  iou: unit.default(0.65),
  maxDetections: z.int().positive().default(100),
  agnostic: z.boolean().default(false),
  /** Licence of the weights: an SPDX identifier or a sentence. */
  license: text.default('Apache-2.0'),
});

const evaluate = z.strictObject({
  /** Confidence threshold; lower than for serving, because AP needs the low-scoring detections. */
  confidence: unit.default(0.01),
  iou: unit.default(0.65),
  maxDetections: z.int().positive().default(100),
  /** Exit with 1 if AP at IoU .5 on the test split is below this; null sets no gate. */
  minMap50: unit.nullable().default(null),
  /** Number of annotated images in the report. */
  images: z.int().min(0).default(24),
});

const test = z.strictObject({
  /** Seconds of load to measure. */
  seconds: z.number().positive().default(10),
  warmupSeconds: z.number().min(0).default(2),
  connections: z.int().positive().default(1),
  /** Answers must match the reference one-to-one with at least this IoU and at most this difference in score. */
  minIou: unit.default(0.98),
  scoreTolerance: unit.default(0.01),
  /** Repeat the load with these numbers of clients, to see where the service saturates. */
  sweep: z.array(z.int().positive()).default([]),
  /** load.json of an earlier test to compare with. */
  baseline: text.nullable().default(null),
  /** Fail if throughput or p99 is worse than the baseline by more than this fraction; null sets no gate. */
  gate: unit.nullable().default(null),
});

/** A key or token: long enough that it cannot be guessed, of characters allowed in a header. */
const secret = z.string().regex(/^[\x21-\x7e]{16,256}$/, 'a secret of 16 to 256 characters without spaces');
const milliseconds = z.int().min(1).max(3_600_000);

/** A DNS name, optionally with a wildcard for its subdomains; numeric addresses are not allowed. */
const URL_HOST = /^(http:\/\/)?(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$/;

const serve = z.strictObject({
  host: text.default('127.0.0.1'),
  /** 0 picks a free port. */
  port: z.int().min(0).max(65535).default(8080),
  /** Largest request body in bytes. */
  maxBytes: z.int().positive().default(20_000_000),
  /** Most pixels of an image and of its longest side; larger images are refused by their header, before decoding. */
  maxPixels: z.int().positive().default(50_000_000),
  maxSide: z.int().positive().default(16_384),
  /** Milliseconds allowed for decoding one image. */
  decodeTimeout: z.int().min(100).max(600_000).default(3_000),
  /** Most images per request. */
  maxFiles: z.int().min(1).max(1000).default(16),
  /**
   * Hosts from which images may be fetched by URL: `images.example.org`, or `*.example.org` for all subdomains; prefix
   * `http://` for a host without TLS. Empty: no URLs are fetched.
   */
  urlHosts: z.array(z.string().regex(URL_HOST, 'a host name, *.example.org or http://example.org')).default([]),
  /** Milliseconds allowed for fetching an image by URL. */
  urlTimeout: z.int().min(1).max(600_000).default(5_000),
  /** Model instances, each of which runs its own batches; null uses the value `yolox-node tune` saved, else 1. */
  instances: z.int().min(1).max(64).nullable().default(null),
  /** Threads per instance; 0 lets onnxruntime choose; null uses the tuned value, else divides the cores. */
  threads: z.int().min(0).nullable().default(null),
  /** Most images per batch (the actual size is learnt); null uses the tuned value, else 4, or 16 on a GPU. */
  maxBatch: z.int().min(1).max(64).nullable().default(null),
  /** Execution provider: `auto` uses CUDA if it loads, else the CPU; the others fail if unavailable. */
  provider: z.enum(['auto', 'cpu', 'cuda', 'tensorrt']).default('auto'),
  /** Most accepted requests waiting for an answer; further ones get 503. */
  queue: z.int().positive().default(256),
  /** Milliseconds from admission to the answer; a request that would take longer gets 503. */
  deadline: z.int().min(1).max(3_600_000).default(10_000),
  /** Milliseconds for a model process to become ready; TensorRT needs minutes. */
  startTimeout: milliseconds.default(60_000),
  /** Bearer token of the admin API, which changes versions; null disables the API. */
  adminToken: secret.nullable().default(null),
  /** Folder of bundles the admin API may load; null allows none. */
  bundles: text.nullable().default(null),
  /** API keys; clients must send one as X-API-Key or bearer token. Empty: no key is required. */
  apiKeys: z.array(secret).default([]),
  /** File with more API keys, one per line; `#` starts a comment. */
  apiKeysFile: text.nullable().default(null),
  /** Serve /metrics without a key, for scrapers that cannot send one. */
  openMetrics: z.boolean().default(false),
  /** Origins that may call the service from a browser (`https://example.com`), or `*` for all. */
  cors: z
    .array(z.string().regex(/^(\*|https?:\/\/[^\s/?#@]+)$/, "an origin like https://example.com, or '*'"))
    .default([]),
  /** Most open connections, plus a few reserved for probes; when all are in use, new ones replace idle ones. */
  maxConnections: z.int().positive().default(1024),
  /** Most connections per client address; null allows a quarter of all. */
  maxConnectionsPerClient: z.int().positive().nullable().default(null),
  /** Addresses or networks (`10.0.0.0/8`) of reverse proxies, which serve many clients and may use all connections. */
  trustedProxies: z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])).default([]),
  /** Milliseconds for a client to send its headers and its whole request. */
  headersTimeout: milliseconds.default(10_000),
  requestTimeout: milliseconds.default(60_000),
  /** Milliseconds an idle connection stays open; make it longer than that of a load balancer in front. */
  keepAliveTimeout: milliseconds.default(65_000),
  /** Lowest severity that is logged; `debug` includes health checks. */
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /**
   * OpenTelemetry collector for traces over OTLP/HTTP, such as http://127.0.0.1:4318; null uses the variable
   * OTEL_EXPORTER_OTLP_ENDPOINT and sends no traces if it is unset.
   */
  otlp: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
});

/** The whole configuration. Every key has a default; unknown keys are errors. */
export const configSchema = z.strictObject({
  /** Folder of the store: downloads, images by content, one folder per step. */
  store: text.default('yolox-store'),
  /** Name of the pipeline and of its folder in the store. */
  pipeline: name.default('default'),
  data: data.prefault({}),
  prep: prep.prefault({}),
  model: model.prefault({}),
  train: train.prefault({}),
  pack: pack.prefault({}),
  eval: evaluate.prefault({}),
  test: test.prefault({}),
  serve: serve.prefault({}),
});

export type Config = z.infer<typeof configSchema>;
export type TrainConfig = Config['train'];
export type ServeConfig = Config['serve'];
