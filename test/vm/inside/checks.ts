/** Every check, in the order in which a machine runs them. */
import type { Check } from './check.js';
import { cpusetChecks } from './cpuset.js';
import { hugeChecks } from './huge.js';
import { machineChecks } from './machine.js';
import { movingChecks } from './moving.js';
import { pagingChecks } from './paging.js';
import { policyChecks } from './policy.js';
import { threadChecks } from './threads.js';

export const checks: readonly Check[] = [
  ...machineChecks,
  ...policyChecks,
  ...movingChecks,
  ...pagingChecks,
  ...hugeChecks,
  ...threadChecks,
  ...cpusetChecks,
];
