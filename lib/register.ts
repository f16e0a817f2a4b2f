/**
 * What `node --import memprobe/register` loads so that `memprobe explain -- node app.js` can ask the program from
 * inside. Invisible to the program: nothing is written, no event loop is kept alive, and without the command that
 * started it nothing happens at all.
 */
import { isMainThread } from 'node:worker_threads';
import { CHANNEL, listen } from './explain/channel.js';

const directory = process.env[CHANNEL];
// Programs that this one starts are not to be explained.
delete process.env[CHANNEL];
if (directory !== undefined && isMainThread) listen(directory);
