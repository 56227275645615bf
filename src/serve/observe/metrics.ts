import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Bundle } from '../../detect/bundle.js';
import { VersionMetrics } from './version_metrics.js';

/** Seconds: from a small model's inference to a long queue. */
const STAGE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Metrics of the service, and of its process: memory, CPU and event loop. */
export class Metrics {
  readonly #registry = new Registry();
  readonly versions = new VersionMetrics(this.#registry);
  readonly #model = new Gauge({
    name: 'yolox_model_info',
    help: 'Always 1; the labels say which model is served',
    labelNames: ['name', 'version'],
    registers: [this.#registry],
  });
  readonly #stages = new Histogram({
    name: 'yolox_stage_seconds',
    help: 'Time of a request in each stage; letterbox, inference and post are of its whole batch',
    labelNames: ['stage'],
    buckets: STAGE_BUCKETS,
    registers: [this.#registry],
  });
  readonly #batches = new Histogram({
    name: 'yolox_batch_size',
    help: 'Images per run of the model',
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers: [this.#registry],
  });
  readonly #responses = new Counter({
    name: 'yolox_responses_total',
    help: 'Responses by route and HTTP status; 499 is a client that disconnected',
    labelNames: ['route', 'status'],
    registers: [this.#registry],
  });
  readonly #requests = new Histogram({
    name: 'yolox_request_seconds',
    help: 'Time from the head of a request to its answer, by route',
    labelNames: ['route'],
    buckets: STAGE_BUCKETS,
    registers: [this.#registry],
  });
  readonly #refused = new Counter({
    name: 'yolox_connections_refused_total',
    help: 'Connections refused because too many were open',
    registers: [this.#registry],
  });

  constructor(live: Pick<Bundle, 'name' | 'version'>) {
    collectDefaultMetrics({ register: this.#registry });
    this.setLive(live);
  }

  /** Says which model is served from now on. */
  setLive({ name, version }: Pick<Bundle, 'name' | 'version'>): void {
    this.#model.reset();
    this.#model.set({ name, version }, 1);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Shows how much waits, read at each scrape. */
  watch(queue: { readonly queued: number; readonly admitted: number }): void {
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    gauge('yolox_queue_depth', 'Images waiting for the model', () => queue.queued);
    gauge('yolox_in_flight', 'Requests admitted and not answered yet', () => queue.admitted);
  }

  observeBatch(size: number): void {
    this.#batches.observe(size);
  }

  /** @param stages milliseconds by name */
  observeStages(stages: Record<string, number>): void {
    for (const [stage, ms] of Object.entries(stages)) this.#stages.observe({ stage }, ms / 1000);
  }

  /** @param response `route` is one of few: the pattern, not the path; `ms` since the head of the request */
  observeResponse({ route, status, ms }: { route: string; status: number; ms: number }): void {
    this.#responses.inc({ route, status });
    this.#requests.observe({ route }, ms / 1000);
  }

  countRefusedConnection(): void {
    this.#refused.inc();
  }

  /** Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
