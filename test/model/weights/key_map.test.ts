import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parameters } from '../../../src/model/parameters.js';
import { isMmdet, toMegvii, toMmdet } from '../../../src/model/weights/key_map.js';

const test = suite('key map');

for (const depthwise of [false, true]) {
  const names = parameters({ depth: 1, width: 0.125, depthwise, classes: 2 }).map(({ name }) => name);

  test(`every name has one of its own in mmdetection, and comes back${depthwise ? ', depthwise' : ''}`, () => {
    const renamed = names.map(toMmdet);
    assert.is(new Set(renamed).size, names.length);
    assert.equal(renamed.map(toMegvii), names);
    assert.ok(renamed.every((name) => /^(backbone\.(stem|stage[1-4])|neck|bbox_head)\./.test(name)));
    assert.not.ok(renamed.some((name) => /dark|C3|[dp]conv\./.test(name)));
  });

  test(`names tell whose they are${depthwise ? ', depthwise' : ''}`, () => {
    assert.is(isMmdet(names), false);
    assert.is(isMmdet(names.map(toMmdet)), true);
  });
}

test('a bottleneck and the pooling layer keep the names that look like those of a CSP layer', () => {
  const pairs = {
    'backbone.backbone.dark5.1.conv1.conv.weight': 'backbone.stage4.1.conv1.conv.weight',
    'backbone.backbone.dark5.2.conv1.bn.bias': 'backbone.stage4.2.main_conv.bn.bias',
    'backbone.backbone.dark2.1.m.0.conv2.dconv.bn.weight': 'backbone.stage1.1.blocks.0.conv2.depthwise_conv.bn.weight',
    'backbone.C3_n4.m.0.conv1.conv.weight': 'neck.bottom_up_blocks.1.blocks.0.conv1.conv.weight',
  };
  for (const [megvii, mmdet] of Object.entries(pairs)) {
    assert.is(toMmdet(megvii), mmdet);
    assert.is(toMegvii(mmdet), megvii);
  }
});

test('foreign names stay as they are', () => {
  assert.is(toMegvii('roi_head.fc.weight'), 'roi_head.fc.weight');
  assert.is(toMmdet('neck_of_another.conv.weight'), 'neck_of_another.conv.weight');
});

test.run();
