/** Every check, in the order in which a machine runs them. */
import type { Check } from './check.js';
import { machineChecks } from './machine.js';

export const checks: readonly Check[] = [...machineChecks];
