/** Inside a machine: runs its checks in one process, a line for each. */
import { checks } from './checks.js';
import { isOn, report } from './check.js';

const topology = process.env.MEMPROBE_TOPOLOGY ?? '';
for (const check of checks.filter((check) => isOn(check, topology))) {
  console.log(JSON.stringify(await report(check)));
}
