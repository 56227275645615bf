import type { Preprocess } from '../../config/preprocess.js';
import { inlineExternal } from './external.js';
import { type OnnxNetwork, readOnnxNetwork } from './read.js';
import { decodeModel, encodeModel } from './schema.js';
import type { ImportCheck } from './verify.js';

/** A network read from an ONNX file, and how to compare it with the file. */
export interface LoadedOnnx extends OnnxNetwork {
  verify(preprocess: Preprocess): Promise<ImportCheck>;
}

/**
 * Reads the network of an ONNX file at `path`, including its external values.
 * @throws UserError for other files
 */
export async function loadOnnx(file: Uint8Array, path: string): Promise<LoadedOnnx> {
  const model = decodeModel(file, path);
  const whole = (await inlineExternal(model, path)) ? encodeModel(model) : file;
  const network = readOnnxNetwork(model, path);
  return {
    ...network,
    async verify(preprocess) {
      // Loads onnxruntime only for ONNX files.
      const { verifyImport } = await import('./verify.js');
      return verifyImport(whole, model, network, preprocess);
    },
  };
}
