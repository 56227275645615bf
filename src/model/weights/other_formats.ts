/** Description and remedy of a file without weights that we can read. */
export interface OtherFormat {
  what: string;
  hint: string;
}

const UNPACK = 'Unpack it, and give the weights in it.';
const CONVERT = 'Give the torch checkpoint or the ONNX file it was made from.';
const COPY_AGAIN = 'Download or copy the file again.';

/** Formats by the bytes at an offset. */
const MAGICS: readonly [offset: number, hex: string, what: string, hint: string][] = [
  [0, '1f8b', 'an archive (gzip)', UNPACK],
  [0, 'fd377a585a00', 'an archive (xz)', UNPACK],
  [0, '425a68', 'an archive (bzip2)', UNPACK],
  [0, '28b52ffd', 'an archive (Zstandard)', UNPACK],
  [0, '377abcaf271c', 'an archive (7-Zip)', UNPACK],
  [0, '526172211a07', 'an archive (RAR)', UNPACK],
  [257, '7573746172', 'an archive (tar)', UNPACK],
  [0, '894844460d0a1a0a', 'a file of HDF5, as Keras writes it', CONVERT],
  [4, '54464c33', 'a model of TensorFlow Lite', CONVERT],
  [0, '66747274', 'an engine of TensorRT', CONVERT],
  [0, '934e554d5059', 'an array of NumPy', CONVERT],
  [0, '47475546', 'a file of GGUF', CONVERT],
];

/** Texts found in place of weights, by how they begin. */
const TEXTS: readonly [RegExp, string, string][] = [
  [/^$/, 'an empty file', COPY_AGAIN],
  [/^version https:\/\/git-lfs/, 'a pointer of Git LFS', '`git lfs pull` brings its file.'],
  [/^\s*<(!doctype )?html/i, 'a web page', 'Download the file itself: the page may ask to log in or to confirm.'],
];

/** Start of a pickle of protocol 2 to 5. */
const PICKLE = /^800[2-5]$/;

/** Identifies a file in none of the supported formats. */
export function recogniseOther(file: Buffer): OtherFormat {
  const magic = MAGICS.find(([offset, hex]) => file.toString('hex', offset, offset + hex.length / 2) === hex);
  if (magic) return { what: magic[2], hint: magic[3] };
  if (PICKLE.test(file.toString('hex', 0, 2))) {
    return { what: 'a pickle that torch did not write', hint: 'Save the state dict with torch.save.' };
  }
  const start = file.subarray(0, 4096).toString();
  const text = TEXTS.find(([pattern]) => pattern.test(start));
  if (text) return { what: text[1], hint: text[2] };
  if (!/[\0\uFFFD]/.test(start)) return { what: `the text ${JSON.stringify(start.slice(0, 60))}`, hint: COPY_AGAIN };
  if (file.every((byte) => byte === 0)) return { what: 'nothing but zeros', hint: COPY_AGAIN };
  return { what: `a file starting with the bytes ${file.toString('hex', 0, 8)}`, hint: CONVERT };
}

/** Identifies a zip that is not a torch checkpoint by its entries. */
export function recogniseZip(names: readonly string[]): OtherFormat {
  if (names.length > 0 && names.every((name) => name.endsWith('.npy')))
    return { what: 'arrays of NumPy', hint: CONVERT };
  const listed = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
  return { what: names.length === 0 ? 'an empty archive' : `an archive of ${listed}`, hint: UNPACK };
}

/** Module names that identify other detectors. */
const DETECTORS: readonly [RegExp, string][] = [
  [/(^|[. ])model\.\d+\.(conv|cv\d|m|dfl|bn)\b/, 'a YOLO of Ultralytics or its kin (YOLOv5 to v12)'],
  [/(^|[. ])module_list\.\d+\./, 'a YOLO of Darknet (YOLOv3, v4)'],
  [
    /(^|[. ])(rpn_head|roi_head|roi_heads|proposal_generator|rpn)\./,
    'a detector of two stages (Faster R-CNN and the like)',
  ],
  [/(^|[. ])(transformer|encoder|decoder)\./, 'a transformer (DETR and the like)'],
  [/(^|[. ])(layer[1-4]|features)\.\d+\./, 'a classifier'],
];

/** Identifies a detector by its module names; undefined if unknown. */
export function recogniseDetector(names: readonly string[]): string | undefined {
  return DETECTORS.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1];
}
