import { InferenceSession, Tensor } from 'onnxruntime-node';
import * as assert from 'uvu/assert';
import { preprocessSchema } from '../../src/config/preprocess.js';
import { exportOnnx } from '../../src/model/onnx/export.js';
import { inferArchitecture, sameNetwork } from '../../src/model/weights/architecture.js';
import { maxDifference, readGolden, readWeights } from '../support/golden.js';
import { golden, suiteNeeding } from '../support/shared.js';

const cases = golden(/^forward_.*\.io\.safetensors$/);
const test = suiteNeeding('golden ONNX export', cases);

for (const path of cases) {
  test(`onnxruntime's outputs of ${path.split('/').pop()}`, async () => {
    const io = await readGolden(path);
    const weights = await readWeights(path.replace('.io.', '.weights.'));
    const { depth, width, depthwise, num_classes } = io.metadata;
    const architecture = { depth: +depth, width: +width, depthwise: depthwise === 'true', classes: +num_classes };
    assert.ok(sameNetwork(inferArchitecture(weights), architecture));

    const shape = io.shape('input_nchw_bgr');
    const preprocess = preprocessSchema.parse({ size: shape.slice(2) });
    const session = await InferenceSession.create(exportOnnx(weights, architecture, preprocess), {
      logSeverityLevel: 3,
    });
    const { output } = await session.run({ images: new Tensor('float32', io.values('input_nchw_bgr'), shape) });
    await session.release();
    assert.equal([...output.dims], io.shape('output_decoded'));
    assert.ok(maxDifference(output.data as Float32Array, io.values('output_decoded')) <= 1e-3);
  });
}

test.run();
