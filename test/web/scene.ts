import { rm } from 'node:fs/promises';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema, type ServeConfig } from '../../src/config/schema.js';
import type { Answer } from '../../src/serve/http/answer.js';
import { type RunningServer, startServer } from '../../src/serve/server.js';
import { makeBundle } from '../serve/make_bundle.js';
import { suiteNeeding } from '../support/shared.js';
import { findBrowser, launch } from './browser.js';

const program = await findBrowser();

/** The real service and a real browser in it; each test has a fresh visitor's page. */
export class Scene {
  server!: RunningServer;
  browser!: Browser;
  page!: Page;
  /** What went wrong in the page: errors, violations of its policy, addresses elsewhere. */
  #faults: string[] = [];

  /**
   * A suite whose tests fail for any fault of the page as well, run where there is a browser, started with `flags`; its
   * service has `config`.
   */
  suite(name: string, config: Partial<ServeConfig> = {}, flags: readonly string[] = []): Test {
    const test = suiteNeeding(name, [program?.path ?? 'a browser that runs: chromium, or YOLOX_BROWSER']);
    if (!program) return test;
    let dir: string;
    test.before(async () => {
      dir = await makeBundle();
      this.server = await startServer(dir, { ...configSchema.parse({}).serve, port: 0, logLevel: 'error', ...config });
      this.browser = await launch(program, flags);
    });
    test.after(async () => {
      await this.browser.close();
      await this.server.close();
      await rm(dir, { recursive: true });
    });
    test.before.each(() => this.visit());
    test.after.each(async () => {
      await this.page.context().close();
      assert.equal(this.#faults, []);
    });
    return test;
  }

  /** The same with another browser. */
  async visitWith(flags: readonly string[]): Promise<void> {
    if (!program) return;
    await this.browser.close();
    this.browser = await launch(program, flags);
    await this.visit();
  }

  /** Opens the page as somebody new. */
  async visit(options: BrowserContextOptions = {}): Promise<void> {
    const { url } = this.server;
    await this.page?.context().close();
    this.page = await this.browser.newPage(options);
    this.#faults = [];
    this.page.on('pageerror', (error) => this.#faults.push(`${error.stack}`));
    this.page.on('console', (message) => {
      // Chromium reports answers outside 2xx as errors, also those the page expects and shows.
      const shown = /status of (401|413|422|503)/.test(message.text()) && message.location().url.startsWith(url);
      if (['error', 'warning'].includes(message.type()) && !shown) this.#faults.push(message.text());
    });
    this.page.on('request', (request) => {
      const own = request.url().startsWith(`${url}/`) || /^(blob|data):/.test(request.url());
      if (!own) this.#faults.push(request.url());
    });
    await this.page.goto(`${url}/`);
  }

  /** The answer as the page shows it. */
  async shown(): Promise<Answer> {
    return JSON.parse(await this.page.locator('#json').inputValue());
  }

  /** Until no question is open. */
  async settled(): Promise<void> {
    await this.page.locator('#stage[aria-busy=false]').waitFor();
  }

  /** Until an image of this name has its answer. */
  async answered(name: string): Promise<void> {
    await this.page.getByAltText(name).waitFor();
    await this.page.locator('#save-json:enabled').waitFor();
    await this.settled();
  }

  async trySample(): Promise<void> {
    await this.page.getByRole('button', { name: 'Sample' }).click();
    await this.answered('sample.jpg');
  }

  async choose(name: string, buffer: Buffer): Promise<void> {
    await this.page.locator('#file').setInputFiles({ name, mimeType: 'image/jpeg', buffer });
  }

  /** What the service answers, without the page. */
  async predict(bytes: Uint8Array, query = ''): Promise<Answer> {
    const body = new Uint8Array(bytes);
    const response = await fetch(`${this.server.url}/predict${query}`, { method: 'POST', body });
    assert.is(response.status, 200);
    return (await response.json()) as Answer;
  }
}
