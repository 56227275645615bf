import type { ServeConfig } from '../config/schema.js';
import type { Bundle } from '../detect/bundle.js';
import { createLog, type Logger } from './observe/log.js';
import type { Metrics } from './observe/metrics.js';
import { ModelProcess } from './versions/model_process.js';
import { idOf, Versions } from './versions/versions.js';
import { workerOptions } from './worker/worker_options.js';

/** The versions of a service, starting with one bundle, watched by its metrics and log. `open` loads the first. */
export function serveModels(
  first: Bundle,
  config: ServeConfig,
  metrics: Metrics,
  log: Logger = createLog('silent'),
): Versions {
  const versions = new Versions(first, {
    async start(bundle) {
      const id = idOf(bundle);
      const { tuned, ...options } = await workerOptions(bundle, config, (reason) =>
        log.warn({ model: id, reason }, 'tuning ignored'),
      );
      const model = await ModelProcess.start(bundle, {
        ...options,
        queue: config.queue,
        deadline: config.deadline,
        startTimeout: config.startTimeout,
        onBatch: (size) => metrics.observeBatch(size),
        onRestart: () => metrics.versions.countRestart(id),
        onTrouble: (reason) => log.error({ model: id, reason }, 'model in trouble'),
      });
      const { instances, threads } = options;
      const { maxBatch, provider } = model.info;
      log.info({ model: id, provider, instances, threads: threads || 'all cores', maxBatch, tuned }, 'model loaded');
      return model;
    },
    onShadow: (id, outcome) => metrics.versions.countCopy(id, outcome),
    onLive: (bundle) => metrics.setLive(bundle),
  });
  const sum = (read: (model: ModelProcess) => number) => versions.models.reduce((all, model) => all + read(model), 0);
  metrics.watch({
    get queued() {
      return sum(({ queued }) => queued);
    },
    get admitted() {
      return sum(({ admitted }) => admitted);
    },
  });
  metrics.versions.watch(() => versions.list());
  return versions;
}
