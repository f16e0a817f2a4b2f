/** Whether a Node program that is started as this process was could be attached to. */
import { constants } from 'node:os';
import process from 'node:process';
import { type Check, type Files, fine } from './check.js';

/** Why SIGUSR1 opens no inspector here; undefined where it does. */
function obstacle(files: Files): Pick<Check, 'found' | 'remedy'> | undefined {
  if (!process.features.inspector) {
    return {
      found: 'this Node was built without it',
      remedy: 'a Node from nodejs.org or from the image node',
    };
  }
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)];
  const flag = options.find((option) =>
    /^--(disable-sigusr1|permission|experimental-permission)$/.test(option),
  );
  if (flag !== undefined) {
    return { found: `turned off by ${flag}`, remedy: `start the program without ${flag}` };
  }
  if (process.listenerCount('SIGUSR1') > 0) {
    return {
      found: 'the program has a SIGUSR1 listener of its own',
      remedy: 'start it with --inspect=127.0.0.1:0',
    };
  }
  const caught = BigInt(`0x${files.status('SigCgt') ?? '0'}`);
  if (((caught >> BigInt(constants.signals.SIGUSR1 - 1)) & 1n) === 1n) return undefined;
  return { found: 'SIGUSR1 is not caught by Node', remedy: 'start the program with --inspect=127.0.0.1:0' };
}

export function checkInspector(files: Files): Check {
  const [id, title] = ['inspector', 'inspector'];
  const why = obstacle(files);
  const values = { available: why === undefined };
  if (why === undefined) return fine(id, title, 'opens on SIGUSR1', values);
  const costs =
    "explain --attach can't ask programs that are started so; explain -- PROGRAM and --no-attach work";
  return { id, title, health: process.features.inspector ? 'refused' : 'missing', values, costs, ...why };
}
