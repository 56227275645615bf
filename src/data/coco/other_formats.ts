import { isRecord } from '../../base/record.js';

/** Formats that users mistake for COCO instances, by how their text begins. */
const TEXTS: readonly [RegExp, string][] = [
  [/^\s*$/, 'an empty file'],
  [/^version https:\/\/git-lfs/, 'a pointer of Git LFS, whose file `git lfs pull` brings'],
  [/^(\uFFFD|.{0,3}PNG|PAR1|%PDF|PK|GIF8|RIFF)|^[^\n]{0,200}\0/s, 'a binary file'],
  [/^\s*<(!doctype )?html/i, 'a web page, perhaps one that asks to log in'],
  [/^\s*(<\?xml[^>]*>\s*)?<annotations?[\s>](?=.*<bndbox)/s, 'annotations in XML of Pascal VOC'],
  [/^\s*(<\?xml[^>]*>\s*)?<annotations[\s>]/, 'annotations in XML of CVAT'],
  [/^\s*<[?\w]/, 'an XML file'],
  [/^\s*\d+([ \t]+-?[\d.]+(e-?\d+)?){4,}\s*(\n|$)/i, 'labels of YOLO: a text file per image'],
  [/^\s*\{[^\n]*\}\s*\n\s*\{/, 'JSON Lines: an object per line'],
  [/^\s*(#[^\n]*\n\s*)*(train|val|test|path|names|nc):/, 'the YAML file of a YOLO dataset'],
  [/^[^\n{[]*([,;\t][^\n{[]*){3,}\n/, 'a CSV table'],
];

/** Names the format of text that is not JSON; undefined for damaged JSON and unknown formats. */
export function recogniseText(text: string): string | undefined {
  const start = text.replace(/^\uFEFF/, '').slice(0, 4096);
  return TEXTS.find(([pattern]) => pattern.test(start))?.[1];
}

/** Names the format of JSON that is not a COCO dataset. */
export function recogniseJson(value: unknown): string | undefined {
  if (Array.isArray(value)) return recogniseList(value[0]);
  if (!isRecord(value)) return undefined;
  const has = (...keys: string[]): boolean => keys.every((key) => key in value);
  if (has('shapes', 'imagePath')) return 'annotations of one image by LabelMe';
  if (has('_via_img_metadata')) return 'a project of the VGG Image Annotator';
  if (has('objects', 'size')) return 'annotations of one image by Supervisely';
  if (has('items', 'categories')) return 'annotations of Datumaro';
  if (value.type === 'FeatureCollection') return 'GeoJSON';
  const [first] = Object.values(value);
  if (isRecord(first) && 'regions' in first) return 'annotations of the VGG Image Annotator in its own JSON';
  const [annotation] = Array.isArray(value.annotations) ? value.annotations : [];
  if (isRecord(annotation) && 'segments_info' in annotation) return 'COCO panoptic segmentation';
  if (isRecord(annotation) && 'caption' in annotation) return 'COCO captions';
  return undefined;
}

function recogniseList(first: unknown): string | undefined {
  if (!isRecord(first)) return undefined;
  const has = (...keys: string[]): boolean => keys.every((key) => key in first);
  if (has('image_id', 'score')) return 'a list of detections (COCO results)';
  if (has('data') && (has('annotations') || has('completions'))) return "tasks in Label Studio's own JSON";
  if (has('image', 'label')) return "tasks in Label Studio's JSON-MIN";
  if (has('image', 'annotations')) return 'annotations of Create ML';
  if (has('Label') || has('data_row')) return 'an export of Labelbox';
  return undefined;
}
