import fc from 'fast-check';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { generateBuiltin } from '../../src/data/builtin/index.js';
import { differenceHash, type Fingerprint, groupDuplicates, hammingDistance, NEAR } from '../../src/data/duplicates.js';

const test = suite('duplicates');

test('the hash says for each row which neighbour is brighter', async () => {
  const levels = (row: number) => Array.from({ length: 9 }, (_, x) => (row % 2 ? 200 - 20 * x : 20 + 20 * x));
  const raw = Buffer.from(Array.from({ length: 8 }, (_, y) => levels(y)).flat());
  const file = await sharp(raw, { raw: { width: 9, height: 8, channels: 1 } })
    .png()
    .toBuffer();
  assert.equal([...(await differenceHash(file))], [255, 0, 255, 0, 255, 0, 255, 0]);
});

test('nine of ten copies or more are near their original, other images far', async () => {
  const originals: Buffer[] = [];
  for await (const { bytes } of generateBuiltin({ images: 40, side: 128, seed: 5 })) originals.push(bytes);
  const count = originals.length;
  const copies = await Promise.all(originals.map((bytes) => sharp(bytes).jpeg({ quality: 50 }).toBuffer()));
  const turned = await Promise.all(
    originals.map((bytes) => sharp(bytes).rotate(90).withMetadata({ orientation: 8 }).jpeg().toBuffer()),
  );
  const hashes = await Promise.all([...originals, ...copies, ...turned].map(differenceHash));
  const groups = groupDuplicates(hashes.map((hash, i) => ({ hash, sha256: `${i}` })));
  for (const start of [count, 2 * count]) {
    const recognised = originals.filter((_, i) => groups[start + i] === groups[i]).length;
    assert.ok(recognised >= 0.9 * count, `${recognised} of ${count}`);
  }
  assert.is(new Set(groups.slice(0, count)).size, count);
});

/** A few random hashes, each with variants of some flipped bits. */
const fingerprints = fc
  .array(fc.record({ base: fc.nat(3), flips: fc.array(fc.nat(63), { maxLength: 10 }), content: fc.nat(30) }), {
    maxLength: 25,
  })
  .chain((items) =>
    fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { minLength: 4, maxLength: 4 }).map((bases) =>
      items.map(({ base, flips, content }): Fingerprint => {
        const hash = bases[base].slice();
        for (const bit of flips) hash[bit >> 3] ^= 1 << (bit & 7);
        return { hash, sha256: `${content}` };
      }),
    ),
  );

test('groups are the connected images, as comparing all pairs finds them', () => {
  fc.assert(
    fc.property(fingerprints, fc.constantFrom(NEAR, 3, 0, null), (images, near) => {
      const groups = groupDuplicates(images, near);
      const linked = (i: number, j: number) =>
        images[i].sha256 === images[j].sha256 ||
        (near !== null && hammingDistance(images[i].hash, images[j].hash) <= near);
      for (const i of images.keys()) {
        const reached = new Set([i]);
        for (const at of reached) for (const next of images.keys()) if (linked(at, next)) reached.add(next);
        assert.equal(
          images.map((_, j) => groups[j] === groups[i]),
          images.map((_, j) => reached.has(j)),
        );
      }
    }),
  );
});

test.run();
