import { z } from 'zod';
import { preprocessSchema } from './preprocess.js';

/** A share, probability, score or overlap. */
export const unit = z.number().min(0).max(1);

/** A path, a URL, a name: text that says something. */
export const text = z
  .string()
  .min(1, 'text that is not empty')
  // Only the shell knows it, and only at the start of a word: a folder called "~" would be made.
  .refine((value) => !value.startsWith('~/'), {
    error: 'a path without "~"',
    params: { hint: 'Write the whole path of the home folder.' },
  });

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]*$/, 'a name of small letters, digits, "." "_" "-" that begins with a letter or digit');
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');

const dataKeys = z.strictObject({
  /** `builtin` generates images; `coco` reads `images` and `annotations`. Follows from these when it is not given. */
  source: z.enum(['builtin', 'coco']).optional(),
  /** Folder, zip, or URL of a zip with the images. */
  images: text.nullable().default(null),
  /** COCO instances JSON, or a zip or URL holding it. */
  annotations: text.nullable().default(null),
  /** Expected SHA-256 of what is downloaded; null skips the check and records what came. */
  imagesSha256: hash.nullable().default(null),
  annotationsSha256: hash.nullable().default(null),
  /** Images with more pixels than this are refused (a decompression bomb costs its decoded size). */
  maxPixels: z.int().positive().default(100_000_000),
  /** Milliseconds the decoding of one image may take. */
  decodeTimeout: z.int().min(100).max(600_000).default(30_000),
  /** Whether anything that would be dropped, mended or guessed is an error instead. */
  strict: z.boolean().default(false),
  builtin: z
    .strictObject({
      images: z.int().min(10).default(400),
      /** Longer side of a generated image, pixels. */
      side: z.int().min(64).max(1024).default(256),
      seed: z.int().default(7),
    })
    .prefault({}),
});

/** Where images and annotations come from. */
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
  /** Names of the categories to keep, in the order of their new ids 1…n; null keeps all, in source order. */
  categories: z.array(text).min(1).nullable().default(null),
  /** Share of the images in each split; the three add up to 1. */
  split: z
    .strictObject({ train: unit.default(0.6), val: unit.default(0.15), test: unit.default(0.25) })
    .prefault({})
    .refine((s) => Math.abs(s.train + s.val + s.test - 1) < 1e-6, 'shares that add up to 1'),
  /** Images without a kept object stay as background. */
  keepEmpty: z.boolean().default(true),
  /**
   * Crowd regions (iscrowd 1): `ignore` as COCO does, or `keep` them as objects like all others, for tools that write
   * every mask as a crowd.
   */
  crowd: z.enum(['ignore', 'keep']).default('ignore'),
  /**
   * Images whose 64-bit difference hashes differ in at most this many bits go into one split, as copies of one another;
   * null lets only files of equal bytes count as copies, for a fixed camera or one background.
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
  /** Probability of blending a second image over a mosaic. */
  mixup: unit.default(1),
  mixupScale: z.tuple([z.number().positive(), z.number().positive()]).default([0.5, 1.5]),
  /** Affine of the mosaic: ± degrees, scale range, ± shear degrees, ± translation as a share of the input. */
  degrees: z.number().min(0).max(180).default(10),
  scale: z.tuple([z.number().positive(), z.number().positive()]).default([0.1, 2]),
  shear: z.number().min(0).max(45).default(2),
  translate: unit.default(0.1),
  /** Largest additive change of hue (of 180), saturation and value (of 255); each with probability one half. */
  hsv: z.tuple([z.number().min(0), z.number().min(0), z.number().min(0)]).default([5, 30, 30]),
  flip: unit.default(0.5),
});

const optimizer = z.strictObject({
  name: z.enum(['sgd', 'adam']).default('sgd'),
  /** Learning rate for a batch of 64; the rate used is lr·batch/64. */
  lr: z.number().positive().default(0.01),
  momentum: unit.default(0.9),
  nesterov: z.boolean().default(true),
  /** Adam's decay rates of the two moments. */
  betas: z.tuple([unit, unit]).default([0.9, 0.999]),
  /** On convolution weights only. */
  weightDecay: z.number().min(0).default(5e-4),
  /** Largest global norm of the gradient; null leaves it alone. */
  clipNorm: z.number().positive().nullable().default(null),
});

const schedule = z.strictObject({
  /** `yoloxwarmcos`: quadratic warm-up, cosine, flat end; `warmcos`: linear warm-up, cosine; `cos`: cosine. */
  name: z.enum(['yoloxwarmcos', 'warmcos', 'cos']).default('yoloxwarmcos'),
  warmupEpochs: z.number().min(0).default(5),
  warmupLr: z.number().min(0).default(0),
  /** Last epochs: no mosaic or mixup, L1 loss on, lowest rate. */
  noAugEpochs: z.int().min(0).default(15),
  minLrRatio: unit.default(0.05),
});

const train = z.strictObject({
  /** Initial weights: safetensors, `.pth` (Megvii, mmdetection) or `.onnx`; null trains from scratch. */
  weights: text.nullable().default(null),
  /** `backbone` keeps CSPDarknet and its batch-norm statistics fixed. */
  freeze: z.enum(['none', 'backbone']).default('none'),
  /** `fixed` normalises with the stored statistics; `auto` does so for weights whose statistics were folded away. */
  batchNorm: z.enum(['auto', 'train', 'fixed']).default('auto'),
  epochs: z.int().positive().default(300),
  batch: z.int().positive().default(8),
  /** Side lengths drawn every `multiscaleEvery` iterations: input ± this many steps of 32 pixels; 0 is off. */
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
  /** Epochs between validations; the last epoch is always validated. */
  validateEvery: z.int().positive().default(10),
  /** Validations without a better AP before training stops; null trains to the end. */
  patience: z.int().positive().nullable().default(null),
  /** Most boxes of one training image. */
  maxBoxes: z.int().positive().default(120),
  /** Threads TensorFlow spreads one operation over; 0 takes every core. Few serve small networks better. */
  threads: z.int().min(0).default(0),
  /** Threads that decode and augment, and megabytes of decoded images each keeps. */
  workers: z.int().min(1).max(32).default(2),
  cacheMb: z.int().min(0).default(1024),
  seed: z.int().default(42),
});

/** What the bundle declares. */
const pack = z.strictObject({
  name: name.default('yolox'),
  version: text.default('1'),
  /** Checkpoint to pack. */
  checkpoint: z.enum(['best', 'last']).default('best'),
  /** Lowest score of a detection. */
  confidence: unit.default(0.25),
  /** A box whose IoU with a better one is above this is suppressed. */
  iou: unit.default(0.65),
  maxDetections: z.int().positive().default(100),
  agnostic: z.boolean().default(false),
  /** Licence of the weights, an SPDX name or a sentence. */
  license: text.default('Apache-2.0'),
});

const evaluate = z.strictObject({
  /** Thresholds of evaluation, below those of serving: AP needs the low-scoring tail. */
  confidence: unit.default(0.01),
  iou: unit.default(0.65),
  maxDetections: z.int().positive().default(100),
  /** The gate: exit code 1 when AP at IoU .5 on the test split is below; null is no gate. */
  minMap50: unit.nullable().default(null),
  /** Annotated images in the report. */
  images: z.int().min(0).default(24),
});

const test = z.strictObject({
  /** Seconds of load. */
  seconds: z.number().positive().default(10),
  warmupSeconds: z.number().min(0).default(2),
  connections: z.int().positive().default(1),
  /** One-to-one match of answers with the reference, both ways. */
  minIou: unit.default(0.98),
  scoreTolerance: unit.default(0.01),
  /** Numbers of clients that the load is repeated with, to see where the service saturates. */
  sweep: z.array(z.int().positive()).default([]),
  /** load.json of an earlier test, which this one is compared with. */
  baseline: text.nullable().default(null),
  /** The step fails when throughput or p99 is worse than the baseline's by more than this share; null is no gate. */
  gate: unit.nullable().default(null),
});

/** What a client must show; long enough that guessing is hopeless. Characters a header takes. */
const secret = z.string().regex(/^[\x21-\x7e]{16,256}$/, 'a secret of 16 to 256 characters without spaces');
const milliseconds = z.int().min(1).max(3_600_000);

/** A DNS name, perhaps with a wildcard for what is below it; an address of digits alone is none. */
const URL_HOST = /^(http:\/\/)?(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$/;

const serve = z.strictObject({
  host: text.default('127.0.0.1'),
  /** 0 picks a free port. */
  port: z.int().min(0).max(65535).default(8080),
  /** Largest request body, bytes. */
  maxBytes: z.int().positive().default(20_000_000),
  /** Pixels of an image, and of its longest side; more is refused by the header, before anything is decoded. */
  maxPixels: z.int().positive().default(50_000_000),
  maxSide: z.int().positive().default(16_384),
  /** Milliseconds the decoding of one image may take. */
  decodeTimeout: z.int().min(100).max(600_000).default(3_000),
  /** Most images in one request. */
  maxFiles: z.int().min(1).max(1000).default(16),
  /**
   * Hosts whose images may be named by URL: `images.example.org`, `*.example.org` for all below, with `http://` before
   * it for one without TLS. None: no URL is fetched.
   */
  urlHosts: z.array(z.string().regex(URL_HOST, 'a host name, *.example.org or http://example.org')).default([]),
  /** Milliseconds for fetching an image by its URL. */
  urlTimeout: z.int().min(1).max(600_000).default(5_000),
  /** Instances of the model, each with a batch of its own; null takes what `yolox-node tune` saved in the bundle, else 1. */
  instances: z.int().min(1).max(64).nullable().default(null),
  /** Threads of each instance, 0 lets onnxruntime choose; null takes what was tuned, else the cores shared out. */
  threads: z.int().min(0).nullable().default(null),
  /** Most images in a batch, how many really are is learnt; null takes what was tuned, else 4, on a GPU 16. */
  maxBatch: z.int().min(1).max(64).nullable().default(null),
  /** What runs the model: `auto` is CUDA where it loads, else the CPU; any other must be there. */
  provider: z.enum(['auto', 'cpu', 'cuda', 'tensorrt']).default('auto'),
  /** Requests taken but not answered yet; more are refused with 503. */
  queue: z.int().positive().default(256),
  /** Milliseconds from admission to the answer; a request that would take longer is refused with 503. */
  deadline: z.int().min(1).max(3_600_000).default(10_000),
  /** Milliseconds within which the process of a model must be ready; TensorRT needs minutes. */
  startTimeout: milliseconds.default(60_000),
  /** Bearer token of the admin API, which changes versions; null: there is none. */
  adminToken: secret.nullable().default(null),
  /** Folder of the bundles that the admin API may load; null: none. */
  bundles: text.nullable().default(null),
  /** Keys of which a client must send one as X-API-Key or bearer token; without any everybody is served. */
  apiKeys: z.array(secret).default([]),
  /** File with further keys, one a line; # begins a comment. */
  apiKeysFile: text.nullable().default(null),
  /** Whether /metrics is for everybody, keys or not: scrapers often cannot send one. */
  openMetrics: z.boolean().default(false),
  /** Origins whose pages may call the service from a browser (`https://example.com`), or `*` for all. */
  cors: z
    .array(z.string().regex(/^(\*|https?:\/\/[^\s/?#@]+)$/, "an origin like https://example.com, or '*'"))
    .default([]),
  /** Connections open at once, a few for probes aside; when all are taken, idle ones are closed for new ones. */
  maxConnections: z.int().positive().default(1024),
  /** Connections of one client, by its address; null is a quarter of all. */
  maxConnectionsPerClient: z.int().positive().nullable().default(null),
  /** Addresses or networks (`10.0.0.0/8`) of reverse proxies: behind one are many clients, so it may have all. */
  trustedProxies: z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])).default([]),
  /** Milliseconds a client may take to send its headers, and its whole request. */
  headersTimeout: milliseconds.default(10_000),
  requestTimeout: milliseconds.default(60_000),
  /** Milliseconds an idle connection stays open; longer than that of a load balancer in front. */
  keepAliveTimeout: milliseconds.default(65_000),
  /** From which severity on the log has lines; `debug` includes health checks. */
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /**
   * OpenTelemetry collector that gets traces over OTLP/HTTP, like http://127.0.0.1:4318; null leaves it to the variable
   * OTEL_EXPORTER_OTLP_ENDPOINT, and without that there are none.
   */
  otlp: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
});

/** The whole configuration; every key has a default, unknown keys fail. */
export const configSchema = z.strictObject({
  /** Root of the store: downloads, images by content, one folder per finished step. */
  store: text.default('yolox-store'),
  /** Name of the pipeline, a folder in the store. */
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
export type ModelConfig = Config['model'];
export type TrainConfig = Config['train'];
export type ServeConfig = Config['serve'];
