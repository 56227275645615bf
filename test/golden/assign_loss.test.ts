import * as assert from 'uvu/assert';
import { anchorGrid } from '../../src/config/network.js';
import { simOtaAssign } from '../../src/kernels/sim_ota_assign/index.js';
import { tf } from '../../src/kernels/tf.js';
import { readLosses, yoloxLoss } from '../../src/kernels/yolox_loss/index.js';
import { maxAbs, maxDifference, readGolden } from '../support/golden.js';
import { golden, suiteNeeding } from '../support/shared.js';

const cases = golden(/^assign_.*\.safetensors$/);
const test = suiteNeeding('golden assignment and loss', cases);

for (const path of cases) {
  test(`${path.split('/').pop()}`, async () => {
    const file = await readGolden(path);
    const meta = file.metadata;
    const raw = tf.tensor3d(file.values('raw'), file.shape('raw') as [number, number, number]);
    const labels = tf.tensor3d(file.values('labels'), file.shape('labels') as [number, number, number]);
    const anchors = anchorGrid(+meta.input_h, +meta.input_w);

    const assignment = simOtaAssign(raw, labels, anchors);
    assert.equal(assignment.numFg.dataSync()[0], +meta.num_fg);
    assert.equal(Array.from(assignment.matchedGt.dataSync()), Array.from(file.values<Int32Array>('matched_gt')));
    assert.ok(maxDifference(assignment.matchedIou.dataSync(), file.values('matched_iou')) <= 1e-5);

    const options = { classes: +meta.num_classes, useL1: meta.use_l1 === 'true' };
    const result = yoloxLoss(raw, labels, assignment, anchors, options);
    const losses = readLosses(result.losses);
    for (const [ours, theirs] of [
      [losses.total, meta.loss_total],
      [losses.iou, meta.loss_iou_x5],
      [losses.obj, meta.loss_obj],
      [losses.cls, meta.loss_cls],
      [meta.use_l1 === 'true' ? losses.l1 : 0, meta.loss_l1],
    ] as const) {
      assert.ok(Math.abs(ours - +theirs) <= 1e-4 * Math.max(Math.abs(+theirs), 1e-6), `${ours} is not ${theirs}`);
    }
    const expected = file.values('grad_raw');
    assert.ok(maxDifference(result.grad.dataSync(), expected) <= 1e-3 * maxAbs(expected));
    tf.dispose([raw, labels, assignment, result]);
  });
}

test.run();
