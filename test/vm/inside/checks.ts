/** Every check, in the order in which a machine runs them. */
import type { Check } from './check.js';
import { cliChecks } from './cli.js';
import { cpusetChecks } from './cpuset.js';
import { hugeChecks } from './huge.js';
import { libnumaMachineChecks } from './libnuma_machine.js';
import { libnumaMemoryChecks } from './libnuma_memory.js';
import { libnumaPolicyChecks } from './libnuma_policy.js';
import { machineChecks } from './machine.js';
import { movingChecks } from './moving.js';
import { pagingChecks } from './paging.js';
import { policyChecks } from './policy.js';
import { threadChecks } from './threads.js';
import { topologyChecks } from './topology.js';

export const checks: readonly Check[] = [
  ...machineChecks,
  ...topologyChecks,
  ...policyChecks,
  ...movingChecks,
  ...pagingChecks,
  ...hugeChecks,
  ...threadChecks,
  ...cpusetChecks,
  ...libnumaMachineChecks,
  ...libnumaMemoryChecks,
  ...libnumaPolicyChecks,
  ...cliChecks,
];
