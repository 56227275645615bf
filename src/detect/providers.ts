import { env, InferenceSession, listSupportedBackends } from 'onnxruntime-node';
import { messageOf, UserError } from '../base/errors.js';

/** What onnxruntime can run a model on; the first that works is taken with `auto`. */
export const PROVIDERS = ['cuda', 'cpu'] as const;

/** TensorRT builds an engine at every start, minutes for a large model, so only who asks for it gets it. */
export type Provider = (typeof PROVIDERS)[number] | 'tensorrt';
export type ProviderChoice = Provider | 'auto';

// What a provider that does not load says of it is in the error; its log line would only frighten with `auto`.
env.logLevel = 'fatal';

/** What each falls back to for the operators it does not know. */
const WITH: Record<Provider, Provider[]> = {
  tensorrt: ['tensorrt', 'cuda', 'cpu'],
  cuda: ['cuda', 'cpu'],
  cpu: ['cpu'],
};

const CUDA_HINT =
  'It needs an NVIDIA driver, CUDA 12, cuDNN 9 and the GPU files of onnxruntime-node: ' +
  '`npm rebuild onnxruntime-node --ignore-scripts=false --onnxruntime-node-install=cuda12`.';

export interface ProviderSession {
  session: InferenceSession;
  provider: Provider;
}

/** An ONNX file, and its bytes where it was read already. */
export interface OnnxFile {
  path: string;
  bytes?: Uint8Array;
}

/**
 * Opens a model on the provider asked for; `auto` takes CUDA where it loads, else the CPU.
 * @throws UserError for a provider that is not there, or a file that is no ONNX model
 */
export async function openSession(
  file: OnnxFile,
  choice: ProviderChoice,
  options: InferenceSession.SessionOptions,
): Promise<ProviderSession> {
  const present = listSupportedBackends().map(({ name }) => name);
  if (choice !== 'auto') return open(file, choice, options, present);
  for (const provider of PROVIDERS.slice(0, -1)) {
    if (!present.includes(provider)) continue;
    const opened = await open(file, provider, options, present).catch(() => undefined);
    if (opened) return opened;
  }
  return open(file, 'cpu', options, present);
}

async function open(
  { path, bytes }: OnnxFile,
  provider: Provider,
  options: InferenceSession.SessionOptions,
  present: readonly string[],
): Promise<ProviderSession> {
  if (!present.includes(provider)) throw absent(provider, present);
  try {
    const all = { ...options, executionProviders: WITH[provider] };
    const session = await (bytes ? InferenceSession.create(bytes, all) : InferenceSession.create(path, all));
    return { session, provider };
  } catch (cause) {
    const received = messageOf(cause);
    // Of the model itself onnxruntime speaks without naming the provider's library.
    if (provider !== 'cpu' && /provider|cuda|tensorrt|cudnn/i.test(received)) throw absent(provider, received, cause);
    throw new UserError({ where: path, expected: 'an ONNX model', reason: received }, { cause });
  }
}

function absent(provider: Provider, received: unknown, cause?: unknown): UserError {
  return new UserError(
    { where: 'serve.provider', expected: `a machine that runs ${provider}`, received, hint: CUDA_HINT },
    { cause },
  );
}
