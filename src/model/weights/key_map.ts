/** Names of one module in Megvii's YOLOX and in mmdetection. */
type Names = readonly [megvii: string, mmdet: string];

const CSP_LAYERS: readonly Names[] = [
  ['backbone.backbone.dark2.1', 'backbone.stage1.1'],
  ['backbone.backbone.dark3.1', 'backbone.stage2.1'],
  ['backbone.backbone.dark4.1', 'backbone.stage3.1'],
  ['backbone.backbone.dark5.2', 'backbone.stage4.2'],
  ['backbone.C3_p4', 'neck.top_down_blocks.0'],
  ['backbone.C3_p3', 'neck.top_down_blocks.1'],
  ['backbone.C3_n3', 'neck.bottom_up_blocks.0'],
  ['backbone.C3_n4', 'neck.bottom_up_blocks.1'],
];

const CSP_MEMBERS: readonly Names[] = [
  ['conv1', 'main_conv'],
  ['conv2', 'short_conv'],
  ['conv3', 'final_conv'],
  ['m', 'blocks'],
];

/** Prefixes in order of precedence: members of CSP layers before the stages that contain them. */
const PREFIXES: readonly Names[] = [
  ...CSP_LAYERS.flatMap((layer) =>
    CSP_MEMBERS.map((member): Names => [`${layer[0]}.${member[0]}`, `${layer[1]}.${member[1]}`]),
  ),
  ['backbone.backbone.stem', 'backbone.stem'],
  ['backbone.backbone.dark2', 'backbone.stage1'],
  ['backbone.backbone.dark3', 'backbone.stage2'],
  ['backbone.backbone.dark4', 'backbone.stage3'],
  ['backbone.backbone.dark5', 'backbone.stage4'],
  ['backbone.lateral_conv0', 'neck.reduce_layers.0'],
  ['backbone.reduce_conv1', 'neck.reduce_layers.1'],
  ['backbone.bu_conv2', 'neck.downsamples.0'],
  ['backbone.bu_conv1', 'neck.downsamples.1'],
  ['head.stems', 'neck.out_convs'],
  ['head.cls_convs', 'bbox_head.multi_level_cls_convs'],
  ['head.reg_convs', 'bbox_head.multi_level_reg_convs'],
  ['head.cls_preds', 'bbox_head.multi_level_conv_cls'],
  ['head.reg_preds', 'bbox_head.multi_level_conv_reg'],
  ['head.obj_preds', 'bbox_head.multi_level_conv_obj'],
];

/** The two halves of a depthwise-separable convolution, anywhere in a name. */
const SEPARABLE: readonly Names[] = [
  ['dconv', 'depthwise_conv'],
  ['pconv', 'pointwise_conv'],
];

/** Converts Megvii's name of a tensor to mmdetection's; names outside the network stay unchanged. */
export const toMmdet = (megvii: string): string => rename(megvii, 0, 1);

/** Converts mmdetection's name of a tensor to Megvii's; names outside the network stay unchanged. */
export const toMegvii = (mmdet: string): string => rename(mmdet, 1, 0);

export const isMmdet = (names: Iterable<string>): boolean => [...names].some((name) => name.startsWith('bbox_head.'));

function rename(name: string, from: 0 | 1, to: 0 | 1): string {
  const prefix = PREFIXES.find((names) => name.startsWith(`${names[from]}.`));
  if (prefix === undefined) return name;
  const rest = name.slice(prefix[from].length).split('.');
  return prefix[to] + rest.map((part) => SEPARABLE.find((names) => names[from] === part)?.[to] ?? part).join('.');
}
