/** The size of a page. */
import { native } from '../native.js';

/** Bytes in a page, usually 4096. Never fails. @see getpagesize(2) */
export const getpagesize = native.libc.getpagesize;
