/** The second addon, loaded when the first module that imports this one is. */
import { loadLibnuma } from '../native.js';

export const numa = loadLibnuma();
