import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { parseCoco } from '../../../src/data/coco/parse.js';

const test = suite('coco_parse');

const image = { id: 1, file_name: 'a.jpg', width: 4, height: 3 };
const sound = { images: [image], annotations: [], categories: [{ id: 1, name: 'cat' }] };

function refused(work: () => unknown, pattern: RegExp): void {
  try {
    work();
  } catch (error) {
    assert.instance(error, UserError);
    assert.match((error as Error).message, pattern);
    return;
  }
  assert.unreachable('should have been refused');
}

test('what is not JSON or not COCO is refused with file and field', () => {
  const parse = (text: string) => () => parseCoco(text, 'x.json');
  refused(parse('{"images": [}'), /^x\.json: expected valid JSON/);
  refused(parse(JSON.stringify(sound).slice(0, -9)), /^x\.json: expected valid JSON/);
  refused(parse('[{"image_id": 1}]'), /^x\.json: expected a COCO object .*an array/);
  refused(parse('3'), /^x\.json: expected a COCO object/);
  for (const field of ['images', 'annotations', 'categories']) {
    refused(
      parse(JSON.stringify({ ...sound, [field]: undefined })),
      new RegExp(`^x\\.json: ${field}: expected an array`),
    );
    refused(parse(JSON.stringify({ ...sound, [field]: {} })), new RegExp(`^x\\.json: ${field}: expected an array`));
  }
  refused(parse(JSON.stringify({ ...sound, images: [] })), /^x\.json: images: expected at least one entry/);
});

test('damaged JSON comes with a hint', () => {
  const text = JSON.stringify(sound);
  refused(() => parseCoco(text.slice(0, -9), 'x.json'), /It is cut off/);
  for (const damaged of [`// note\n${text}`, text.replace(/}$/, ',}'), text.replaceAll('"', "'")]) {
    refused(() => parseCoco(damaged, 'x.json'), /no comments, no comma before \] or }, and double quotes only/);
  }
});

test('a list that the outermost object has twice is refused, inner keys of its name are not', () => {
  const text = JSON.stringify({ ...sound, info: { images: [{ images: '{"' }] } });
  assert.equal(parseCoco(text, 'x.json').images, [image]);
  refused(
    () => parseCoco(text.replace(/}$/, ', "images" : []}'), 'x.json'),
    /^x\.json: images: expected one list, received "two"/,
  );
  refused(
    () => parseCoco(text.replace(/}$/, ',"annotations":[]}'), 'x.json'),
    /^x\.json: annotations: expected one list/,
  );
});

test("Python's bare NaN and Infinity are null, strings that hold them are left alone", () => {
  const text = String.raw`{"images": [{"file_name": "NaN, \"-Infinity\" \\"}], "categories": [NaN],
    "annotations": [{"bbox": [NaN, -Infinity,Infinity,1e999]}]}`;
  const raw = parseCoco(text, 'x.json');
  assert.equal(raw.images, [{ file_name: 'NaN, "-Infinity" \\' }]);
  assert.equal(raw.annotations, [{ bbox: [null, null, null, Number.POSITIVE_INFINITY] }]);
});

test('any strings survive beside a NaN', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (names) => {
      const text = JSON.stringify({ ...sound, images: [...names, 'mark'] }).replace('"mark"', 'NaN');
      assert.equal(parseCoco(text, 'x.json').images, [...names, null]);
    }),
  );
});

test('a byte order mark is skipped', () => {
  assert.equal(parseCoco(`\uFEFF${JSON.stringify(sound)}`, 'x.json').images, [image]);
});

const OTHERS: [name: string, text: string, message: RegExp][] = [
  ['empty', '', /received "an empty file"/],
  ['YOLO', '0 0.5 0.5 0.25 0.125\n1 0.1 0.2 0.3 0.4\n', /labels of YOLO/],
  ['VOC', '<annotation>\n<object><name>a</name><bndbox><xmin>1</xmin></bndbox></object></annotation>', /Pascal VOC/],
  ['CVAT', '<?xml version="1.0"?>\n<annotations><version>1.1</version></annotations>', /XML of CVAT/],
  ['CSV', 'filename,width,height,class,xmin\na.jpg,1,2,b,3\n', /CSV/],
  ['YAML', '# data\ntrain: images/train\nnc: 2\n', /YAML file of a YOLO dataset/],
  ['lines', '{"image": "a.jpg"}\n{"image": "b.jpg"}\n', /JSON Lines/],
  ['HTML', '<!DOCTYPE html><html><body>Sign in</body></html>', /web page/],
  ['LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:1\n', /git lfs pull/],
  ['image', '\uFFFDPNG\r\n\u001a\n\0\0', /binary file/],
  ['results', '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]', /list of detections/],
  ['Label Studio', '[{"id": 1, "data": {"image": "/a.png"}, "annotations": []}]', /Label Studio's own JSON/],
  ['Label Studio', '[{"image": "/a.png", "label": []}]', /JSON-MIN/],
  ['Create ML', '[{"image": "a.png", "annotations": []}]', /Create ML/],
  ['LabelMe', '{"version": "5", "shapes": [], "imagePath": "a.png"}', /LabelMe/],
  ['VIA', '{"a.png123": {"filename": "a.png", "regions": []}}', /VGG Image Annotator/],
  ['panoptic', '{"images": [1], "annotations": [{"segments_info": []}]}', /panoptic/],
  ['captions', '{"images": [1], "annotations": [{"caption": "a cat"}]}', /captions/],
];

for (const [name, text, message] of OTHERS) {
  test(`other formats are named: ${name}`, () => {
    refused(() => parseCoco(text, 'x'), message);
    refused(() => parseCoco(text, 'x'), /^x: .*convert it as COCO instances JSON/);
  });
}

test('damaged JSON is not taken for another format', () => {
  for (const text of ['{"images": [}', JSON.stringify(sound, null, 1).slice(0, -9), '{"images": [1, 2, 3, 4,\n5,']) {
    refused(() => parseCoco(text, 'x'), /expected valid JSON: (Unexpected|Expected)/);
  }
});

test.run();
