/** One of those that share a pool. */
export interface Member {
  /** Whose it is. */
  readonly client: string;
  /** Whether its client may have all places: behind a proxy's address are many. */
  readonly exempt: boolean;
  /** When it may be closed for another: the lower, the sooner; undefined while it may not. */
  readonly evictable: number | undefined;
  close(): void;
}

export interface PoolLimits {
  /** Members at once. */
  size: number;
  /** Members of one client at once. */
  share: number;
}

/**
 * A limited number of places, shared fairly: when there is none left, who has the most gives one up, so that a client
 * can take no place from those that have fewer.
 */
export class Pool {
  readonly #limits: PoolLimits;
  readonly #clients = new Map<string, Set<Member>>();
  #size = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes one in, if need be by closing another. @returns whether there was a place */
  enter(member: Member): boolean {
    const { client, exempt } = member;
    const own = this.#clients.get(client)?.size ?? 0;
    if (own >= this.#limits.share && !exempt) {
      if (!this.#evict([this.#clients.get(client) as Set<Member>])) return false;
    } else if (this.#size >= this.#limits.size) {
      const richer = [...this.#clients.values()].filter(({ size }) => size >= own);
      if (!this.#evict(richer.sort((a, b) => b.size - a.size))) return false;
    }
    const members = this.#clients.get(client) ?? new Set();
    this.#clients.set(client, members.add(member));
    this.#size++;
    return true;
  }

  /** Does nothing for one that is not in it. */
  leave(member: Member): void {
    const members = this.#clients.get(member.client);
    if (!members?.delete(member)) return;
    this.#size--;
    if (members.size === 0) this.#clients.delete(member.client);
  }

  /** Closes one of the first client that has one to close: clients of as many count as one. */
  #evict(clients: readonly Set<Member>[]): boolean {
    for (let i = 0; i < clients.length; ) {
      const { size } = clients[i];
      let victim: Member | undefined;
      for (; i < clients.length && clients[i].size === size; i++) {
        for (const member of clients[i]) {
          const rank = member.evictable;
          if (rank !== undefined && rank < (victim?.evictable ?? Number.POSITIVE_INFINITY)) victim = member;
        }
      }
      if (victim === undefined) continue;
      this.leave(victim);
      victim.close();
      return true;
    }
    return false;
  }
}
