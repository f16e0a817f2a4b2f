/** A booted machine as the tests see it: one report for each check, as soon as it comes. */
import { boot } from '../../scripts/vm/boot.js';
import { type Machine, prepare } from '../../scripts/vm/prepare.js';
import type { Topology } from '../../scripts/vm/topologies.js';
import type { Report } from './inside/check.js';

let machine: Machine | undefined;

export class Guest {
  readonly #reports = new Map<string, Report>();
  readonly #waiting = new Map<string, () => void>();
  /** Resolves when the machine has ended well. */
  readonly ended: Promise<void>;

  constructor(topology: Topology) {
    this.ended = this.#listen(topology);
    this.ended.catch(() => {}); // whoever waits for a report is told
  }

  /** Rejects when the machine ends without it. */
  async report(check: string): Promise<Report> {
    const arrival = new Promise<void>((resolve) => this.#waiting.set(check, resolve));
    if (!this.#reports.has(check)) await Promise.race([arrival, this.ended]);
    const report = this.#reports.get(check);
    if (report === undefined) throw new Error(`the machine ended without a report of '${check}'`);
    return report;
  }

  async #listen(topology: Topology): Promise<void> {
    machine ??= prepare();
    for await (const line of boot(machine, topology, 'main')) {
      const report: Report = JSON.parse(line);
      this.#reports.set(report.check, report);
      this.#waiting.get(report.check)?.();
    }
  }
}
