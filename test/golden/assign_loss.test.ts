import * as assert from 'uvu/assert';
import { simOtaAssign } from '../../src/kernels/sim_ota_assign/index.js';
import { tf } from '../../src/kernels/tf.js';
import { yoloxLoss } from '../../src/kernels/yolox_loss/index.js';
import { anchorsOf } from '../../src/model/inference.js';
import { golden, suiteNeeding } from '../helpers.js';
import { maxAbs, maxDifference, readGolden } from './read.js';

const cases = golden(/^assign_.*\.safetensors$/);
const test = suiteNeeding('golden assignment and loss', cases);

for (const path of cases) {
  test(`${path.split('/').pop()}`, async () => {
    const file = await readGolden(path);
    const meta = file.metadata;
    const [batch] = file.shape('raw');
    const raw = file.values('raw');
    const labels = file.values('labels');
    const anchors = anchorsOf(+meta.input_h, +meta.input_w);
    const classes = +meta.num_classes;

    const assignment = simOtaAssign(raw, labels, batch, classes, anchors);
    assert.equal(assignment.numFg, +meta.num_fg);
    assert.equal(Array.from(assignment.matchedGt), Array.from(file.values<Int32Array>('matched_gt')));
    assert.ok(maxDifference(assignment.matchedIou, file.values('matched_iou')) <= 1e-5);

    const tensor = tf.tensor3d(raw, file.shape('raw') as [number, number, number]);
    const { losses, grad } = yoloxLoss(tensor, labels, assignment, anchors, { classes, useL1: meta.use_l1 === 'true' });
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
    assert.ok(maxDifference(grad.dataSync() as Float32Array, expected) <= 1e-3 * maxAbs(expected));
    tf.dispose([tensor, grad]);
  });
}

test.run();
