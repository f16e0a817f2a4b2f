/** What a check is, inside a machine and outside. */

export type Outcome = 'passed' | 'failed' | 'skipped';

/** The line that the machine writes for each check. */
export interface Report {
  readonly check: string;
  readonly outcome: Outcome;
  /** Of what is not passed. */
  readonly reason?: string;
}

export interface Check {
  /** A fact, which is also the name of the test on the host. */
  readonly name: string;
  /** Names of the topologies where it makes sense; absent: all. */
  readonly on?: readonly string[];
  readonly run: () => void | Promise<void>;
}

/** Thrown by a check that finds what it needs missing. */
export class Skipped extends Error {}

export const isOn = (check: Check, topology: string): boolean => check.on?.includes(topology) ?? true;

export async function report({ name: check, run }: Check): Promise<Report> {
  try {
    await run();
    return { check, outcome: 'passed' };
  } catch (error) {
    if (error instanceof Skipped) return { check, outcome: 'skipped', reason: error.message };
    return {
      check,
      outcome: 'failed',
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}
