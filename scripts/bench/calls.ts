// What a call costs: memprobe (guarded and unguarded) beside koffi, in one run, as ratios.
//   npx tsx scripts/bench/calls.ts
import { createRequire } from 'node:module';
import koffi from 'koffi';
import { Bench } from 'tinybench';

const require = createRequire(import.meta.url);
// The built package's own functions, as a user would import them.
const { libc, unsafe } = require('../../build/Release/memprobe.node');
