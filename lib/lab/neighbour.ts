/** The child process in the lab on mmap: maps descriptor 3, adds one to its first byte, and tells what it found. */
import { getpagesize } from '../libc/page.js';
import { MAP_SHARED, mmap, munmap } from '../libc/mmap.js';
import { bytesAt, hex, READ_WRITE } from './words.js';

const MEMORY = 3;
const page = getpagesize();
const address = mmap(0n, page, READ_WRITE, MAP_SHARED, MEMORY, 0);
const bytes = bytesAt(address, page);
const found = bytes[0] ?? 0;
bytes[0] = found + 1;
process.stdout.write(JSON.stringify({ pid: process.pid, address: hex(address), found }));
munmap(address, page);
