import { Counter, Gauge, type Registry } from 'prom-client';
import type { ShadowOutcome } from '../versions/shadow.js';
import type { VersionInfo } from '../versions/versions.js';

/** Metrics of the versions loaded side by side; the label `model` is `name@version`. */
export class VersionMetrics {
  readonly #registry: Registry;
  readonly #restarts: Counter;
  readonly #copies: Counter;
  readonly #boxes: Counter;

  constructor(registry: Registry) {
    this.#registry = registry;
    const counter = (name: string, help: string, labelNames: string[]) =>
      new Counter({ name, help, labelNames, registers: [registry] });
    this.#restarts = counter('yolox_model_restarts_total', 'Model processes that died and were replaced', ['model']);
    this.#copies = counter('yolox_shadow_requests_total', 'Requests copied to a shadow version, by outcome', [
      'model',
      'result',
    ]);
    this.#boxes = counter('yolox_shadow_boxes_total', 'Boxes found by the live version, by its shadow, or by both', [
      'model',
      'found_by',
    ]);
  }

  /** Shows which versions are loaded, as what, and how busy they are. */
  watch(list: () => readonly VersionInfo[]): void {
    const gauge = (name: string, help: string, labels: string[], read: (version: VersionInfo) => [object, number]) =>
      new Gauge({
        name,
        help,
        labelNames: ['model', ...labels],
        registers: [this.#registry],
        collect() {
          this.reset();
          for (const version of list()) {
            const [extra, value] = read(version);
            this.set({ model: version.id, ...extra }, value);
          }
        },
      });
    gauge('yolox_model_role', 'Always 1; the label is the role of a loaded version', ['role'], ({ role }) => [
      { role },
      1,
    ]);
    gauge('yolox_model_up', '1 while the process of a version is up, else 0', [], ({ healthy }) => [
      {},
      Number(healthy),
    ]);
    gauge('yolox_model_in_flight', 'Requests a version is working on', [], ({ in_flight }) => [{}, in_flight]);
  }

  countRestart(model: string): void {
    this.#restarts.inc({ model });
  }

  countCopy(model: string, outcome: ShadowOutcome): void {
    this.#copies.inc({ model, result: outcome.result });
    if (outcome.result !== 'compared') return;
    this.#boxes.inc({ model, found_by: 'both' }, outcome.both);
    this.#boxes.inc({ model, found_by: 'live' }, outcome.liveOnly);
    this.#boxes.inc({ model, found_by: 'shadow' }, outcome.shadowOnly);
  }
}
