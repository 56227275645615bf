import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Bundle, readBundle } from '../../detect/bundle.js';
import { ApiError, type ErrorCode } from '../api_error.js';
import type { WorkerInfo } from '../worker/worker.js';
import type { Lease, Models } from './model.js';
import type { ModelProcess } from './model_process.js';
import { Shadow, type ShadowOutcome } from './shadow.js';

/** What a loaded version does: `idle` waits to be promoted, `draining` answers its last requests. */
export type Role = 'live' | 'canary' | 'shadow' | 'idle' | 'draining';

/** A loaded version, for operators. */
export interface VersionInfo extends WorkerInfo {
  /** `name@version`. */
  id: string;
  /** Time of packing, ISO 8601. */
  created: string;
  role: Role;
  /** Share of the requests a canary gets. */
  share?: number;
  /** Whether its process is up, or about to be. */
  healthy: boolean;
  /** Why it is not. */
  problem?: string;
  pid?: number;
  /** Requests it is working on. */
  in_flight: number;
}

interface Loaded {
  id: string;
  model: ModelProcess;
  leases: number;
  /** Set when it is being released: to be called with the last lease. */
  whenFree?: () => void;
}

export interface VersionsOptions {
  /** Starts the process of a bundle; resolves when it is warm. */
  start(bundle: Bundle): Promise<ModelProcess>;
  /** Told how each copy of a request for a shadow went. */
  onShadow?: (id: string, outcome: ShadowOutcome) => void;
  /** Told which version is live from now on. */
  onLive?: (bundle: Bundle) => void;
}

export const idOf = ({ name, version }: Pick<Bundle, 'name' | 'version'>): string => `${name}@${version}`;

/** The versions loaded side by side: one is live, another may get a share of its requests or copies of them. */
export class Versions implements Models {
  readonly #options: VersionsOptions;
  readonly #loaded = new Map<string, Loaded>();
  readonly #loading = new Set<string>();
  readonly #first: Bundle;
  #live?: Loaded;
  /** What was live before: to roll back to. */
  #previous?: Loaded;
  #canary?: { loaded: Loaded; share: number };
  #shadow?: { loaded: Loaded; shadow: Shadow };
  /** Requests the canary has to get, in fractions. */
  #due = 0;
  #closing = false;

  /** @param first the version that is live from the start */
  constructor(first: Bundle, options: VersionsOptions) {
    this.#first = first;
    this.#options = options;
  }

  get live(): Bundle {
    return this.#live?.model.bundle ?? this.#first;
  }

  /** Why the live version does not answer; undefined when it does. */
  async unready(): Promise<string | undefined> {
    if (this.#live === undefined) return 'The model is being loaded.';
    const { model } = this.#live;
    if (model.problem !== undefined) return 'The model does not start; the log says why.';
    return (await model.answers()) ? undefined : 'The model does not answer.';
  }

  /** Models of all loaded versions. */
  get models(): ModelProcess[] {
    return [...this.#loaded.values()].map(({ model }) => model);
  }

  /** Starts the first version. */
  async open(): Promise<void> {
    this.#live = await this.#start(this.#first);
  }

  /** @throws ApiError 503 before the first version is warm */
  lease(): Lease {
    if (this.#live === undefined) {
      const message = 'The model is being loaded.';
      throw new ApiError({ code: 'not_ready', message, hint: 'Ask again in 1 s.' }, { retryAfter: 1 });
    }
    const loaded = this.#choose(this.#live);
    loaded.leases++;
    const shadowed = loaded === this.#live && this.#shadow !== undefined;
    const model = shadowed ? (this.#shadow as { shadow: Shadow }).shadow.behind(loaded.model) : loaded.model;
    return {
      model,
      release() {
        loaded.leases--;
        if (loaded.leases === 0) loaded.whenFree?.();
      },
    };
  }

  list(): VersionInfo[] {
    return [...this.#loaded.values()].map((loaded) => this.#describe(loaded));
  }

  /**
   * Loads another version beside those that serve; resolves when it is warm.
   * @throws UserError for a bundle that cannot be served, ApiError 409 when a version of this name is loaded
   */
  async load(dir: string): Promise<VersionInfo> {
    return this.#describe(await this.#start(await readBundle(dir)));
  }

  /**
   * Makes a loaded version the live one, from the next request on.
   * @throws ApiError 409 when its process does not start
   */
  promote(id: string): VersionInfo {
    const loaded = this.#get(id);
    if (loaded !== this.#live) this.#goLive(usable(loaded));
    return this.#describe(loaded);
  }

  /** @throws ApiError 409 when there is no version to go back to, or its process does not start */
  rollback(): VersionInfo {
    if (this.#previous === undefined) {
      throw conflict('nothing_to_roll_back', 'No version was live before, or it has been released.');
    }
    const back = usable(this.#previous);
    this.#goLive(back);
    return this.#describe(back);
  }

  /** @param share of the requests that it gets, 0–1 */
  setCanary({ id, share }: { id: string; share: number }): VersionInfo {
    const loaded = this.#beside(id);
    this.#canary = { loaded, share };
    this.#due = 0;
    return this.#describe(loaded);
  }

  endCanary(): void {
    this.#canary = undefined;
  }

  /**
   * Sends it copies of what the live version answers.
   * @throws ApiError 409 when its categories are not those of the live version: there is nothing to compare
   */
  setShadow(id: string): VersionInfo {
    const loaded = this.#beside(id);
    if (!isDeepStrictEqual(loaded.model.bundle.categories, this.live.categories)) {
      throw conflict('other_categories', 'A shadow must have the categories of the live version.');
    }
    this.#shadow = { loaded, shadow: new Shadow(loaded.model, (outcome) => this.#options.onShadow?.(id, outcome)) };
    return this.#describe(loaded);
  }

  endShadow(): void {
    this.#shadow = undefined;
  }

  /** Takes a version out of service, lets it answer its last requests, and ends its process. */
  async release(id: string): Promise<void> {
    const loaded = this.#beside(id);
    this.#retire(loaded);
    if (this.#previous === loaded) this.#previous = undefined;
    await this.#end(loaded);
  }

  /** Ends every process, when its requests are answered. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#loaded.values()].map((loaded) => this.#end(loaded)));
  }

  async #start(bundle: Bundle): Promise<Loaded> {
    const id = idOf(bundle);
    if (this.#loaded.has(id) || this.#loading.has(id)) {
      throw conflict('already_loaded', `A version ${id} is loaded.`, 'Pack the bundle with another version.');
    }
    this.#loading.add(id);
    try {
      const loaded = { id, model: await this.#options.start(bundle), leases: 0 };
      this.#loaded.set(id, loaded);
      if (this.#closing) await this.#end(loaded);
      return loaded;
    } finally {
      this.#loading.delete(id);
    }
  }

  async #end(loaded: Loaded): Promise<void> {
    await new Promise<void>((resolve) => {
      loaded.whenFree = resolve;
      if (loaded.leases === 0) resolve();
    });
    await loaded.model.close();
    this.#loaded.delete(loaded.id);
  }

  /** Shares are kept exactly, not by chance. */
  #choose(live: Loaded): Loaded {
    if (this.#canary === undefined || this.#canary.loaded.model.problem !== undefined) return live;
    this.#due += this.#canary.share;
    if (this.#due < 1) return live;
    this.#due--;
    return this.#canary.loaded;
  }

  #goLive(loaded: Loaded): void {
    this.#retire(loaded);
    // It was compared with what is live no more.
    this.endShadow();
    this.#previous = this.#live;
    this.#live = loaded;
    this.#options.onLive?.(loaded.model.bundle);
  }

  /** Ends its part as canary or shadow. */
  #retire(loaded: Loaded): void {
    if (this.#canary?.loaded === loaded) this.endCanary();
    if (this.#shadow?.loaded === loaded) this.endShadow();
  }

  /** A loaded version that is not live. */
  #beside(id: string): Loaded {
    const loaded = this.#get(id);
    if (loaded === this.#live) throw conflict('is_live', `${id} is the live version.`, 'Promote another one first.');
    return loaded;
  }

  #get(id: string): Loaded {
    const loaded = this.#loaded.get(id);
    if (loaded !== undefined && loaded.whenFree === undefined) return loaded;
    throw new ApiError({
      code: 'unknown_version',
      message: 'No such version is loaded.',
      expected: [...this.#loaded.keys()].join(', '),
      received: id,
    });
  }

  #describe(loaded: Loaded): VersionInfo {
    const { id, model } = loaded;
    const role = this.#roleOf(loaded);
    return {
      id,
      created: model.bundle.created,
      role,
      ...(role === 'canary' && { share: this.#canary?.share }),
      healthy: model.problem === undefined,
      // Where bundles lie does not leave the machine.
      ...(model.problem && { problem: model.problem.replaceAll(model.bundle.dir, basename(model.bundle.dir)) }),
      pid: model.pid,
      in_flight: model.admitted,
      ...model.info,
    };
  }

  #roleOf(loaded: Loaded): Role {
    if (loaded.whenFree !== undefined) return 'draining';
    if (loaded === this.#live) return 'live';
    if (loaded === this.#canary?.loaded) return 'canary';
    return loaded === this.#shadow?.loaded ? 'shadow' : 'idle';
  }
}

function usable(loaded: Loaded): Loaded {
  if (loaded.model.problem === undefined) return loaded;
  throw conflict('version_down', `The process of ${loaded.id} does not start.`, 'GET /admin/versions says why.');
}

function conflict(code: ErrorCode, message: string, hint?: string): ApiError {
  return new ApiError({ code, message, ...(hint && { hint }) });
}
