import { env, InferenceSession, listSupportedBackends } from 'onnxruntime-node';
import { messageOf, UserError } from '../base/errors.js';

/** Providers tried in this order by `auto`. */
export const PROVIDERS = ['cuda', 'cpu'] as const;

/**
 * TensorRT builds an engine at every start, which takes minutes for a large model, so it must be requested explicitly.
 */
export type Provider = (typeof PROVIDERS)[number] | 'tensorrt';
export type ProviderChoice = Provider | 'auto';

// The error contains why a provider does not load; a log line would only be alarming with `auto`.
env.logLevel = 'fatal';

/** Fallbacks of each provider for operators it does not support. */
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

/** An ONNX file, and its bytes if already read. */
export interface OnnxFile {
  path: string;
  bytes?: Uint8Array;
}

/**
 * Opens a model on the requested provider; `auto` uses CUDA if it loads, else the CPU.
 * @throws UserError for an unavailable provider, or a file that is not an ONNX model
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
    // Errors about the model itself do not name the provider's library.
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
